-- Schemas with tables that pg_dump locks and the copy reads, or sequences whose value is carried, that our role may not
-- read. An extension makes its own tables again.
with unreadable as (
    select n.nspname, has_schema_privilege(n.oid, 'USAGE') as usage, c.relname, c.relkind,
           not has_table_privilege(c.oid, 'SELECT') as hidden
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 't'
      and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and {relation c.oid}
      and not (has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT'))
      and (c.relkind = 'S' or not exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
      ))
)
select nspname as schema, usage,
       coalesce(json_agg(relname order by relname) filter (where hidden and relkind <> 'S'), '[]') as tables,
       coalesce(json_agg(relname order by relname) filter (where hidden and relkind = 'S'), '[]') as sequences
from unreadable
group by nspname, usage
order by nspname
