-- Schemas that are left out, and have an extension in them, with their owners: the extension comes, and needs it.
select distinct n.nspname::text, pg_get_userbyid(n.nspowner)::text
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'public', 'whimbrel')
  and not {schema n.nspname}
  and not exists (
      select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e'
  )
order by 1
