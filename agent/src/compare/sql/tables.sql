, candidates as (
    select r.oid, r.name from relations r where r.relkind = 'r'
    union all
    -- What a materialized view has is what it was filled with, which may be old; one that is not filled can't be read.
    select r.oid, r.name from relations r join pg_class c on c.oid = r.oid where r.relkind = 'm' and c.relispopulated
    union all
    -- Large objects, where we may read them and there are any: as a table of their pages.
    select 'pg_largeobject'::regclass, 'pg_catalog.pg_largeobject' collate "C"
    from given g
    where cardinality(g.include_schemas) + cardinality(g.include_tables) = 0 and {large objects}
      and has_table_privilege('pg_largeobject', 'select') and exists (select from pg_largeobject_metadata)
),
page as (
    select t.oid, t.name
    from given g cross join candidates t
    where t.name > g.after
    order by t.name
    limit (select page from given)
)
select n.nspname, c.relname, p.name,
       (pg_table_size(c.oid) / current_setting('block_size')::int8)::int8,
       greatest(c.reltuples, 0)::int8,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attname),
       array(select a.attname::text
             from pg_index i
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnatts - 1])
             where i.indexrelid = (
                 select x.indexrelid from pg_index x
                 where x.indrelid = c.oid and x.indisunique and x.indisvalid and x.indimmediate and x.indpred is null
                   and x.indexprs is null and (x.indisprimary or x.indisreplident)
                 order by x.indisprimary desc limit 1)
             order by a.attname),
       c.relkind = 'm'
from page p
join pg_class c on c.oid = p.oid
join pg_namespace n on n.oid = c.relnamespace
order by p.name
