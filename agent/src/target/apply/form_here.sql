-- The form of the target's own relation $1.$2.
with recursive touched as (
    select 1 as place, 'pg_class'::regclass::oid as class, c.oid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2
),
{structure}
select document::text from documents where depth = 0 order by place
