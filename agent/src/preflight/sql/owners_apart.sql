-- Owners that may not create in the schema of what is theirs: a role that is no superuser can't give it to them there.
select r.rolname as role, n.nspname as schema, min(o.name) as object
from (
    select relnamespace as namespace, relowner as owner, format('%s', oid::regclass) as name
    from pg_class c
    where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relpersistence <> 't'
      -- One that belongs to a column goes with its table.
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i', 'e'))
      and {relation c.oid}
    union all
    select p.pronamespace, p.proowner, format('%s', p.oid::regprocedure)
    from pg_proc p join pg_namespace s on s.oid = p.pronamespace
    where {schema s.nspname}
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('i', 'e'))
    union all
    select t.typnamespace, t.typowner, format_type(t.oid, null)
    from pg_type t join pg_namespace s on s.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'r') and {schema s.nspname}
      and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype in ('i', 'e'))
) o
join pg_namespace n on n.oid = o.namespace
join pg_roles r on r.oid = o.owner
where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and not has_schema_privilege(r.oid, n.oid, 'create')
group by 1, 2
order by 1, 2
