-- Tables that would be published and whose owner's rights we don't have, by owner.
select pg_get_userbyid(c.relowner) as owner, pg_has_role(c.relowner, 'MEMBER') as member,
       json_agg(n.nspname || '.' || c.relname order by n.nspname, c.relname) as tables
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p' and not pg_has_role(c.relowner, 'USAGE')
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
group by c.relowner
order by 1
