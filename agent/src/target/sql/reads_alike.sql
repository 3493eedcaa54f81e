-- Which of the objects $6, named as in the shape, are here what the source's words make here: those are given back.
select c.object
from (
    -- Without the quotes that keywords have.
    select d.*, regexp_replace(case
        when d.kind = 'constraint' then format('constraint %I of %I.%I', d.name, d.schema, d.relation)
        when d.kind in ('index', 'unique index', 'exclusion') then format('index %I.%I', d.schema, d.name)
        when d.kind in ('default', 'generated') then format('default of %I of %I.%I', d.name, d.schema, d.relation)
        when d.kind = 'view' then format('view %I.%I', d.schema, d.relation)
        when d.kind = 'domain' then format('constraint %I of domain %I.%I', d.name, d.schema, d.relation)
        -- Its arguments are in the place of a relation.
        else format('function %I.%I(%s)', d.schema, d.name, d.relation) end,
        '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g') as object
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as d(kind, schema, relation, name, definition)
) c
where case when c.object = any($6) then pg_temp.whimbrel_reads_alike(c.kind, c.schema, c.relation, c.name, c.definition) end
