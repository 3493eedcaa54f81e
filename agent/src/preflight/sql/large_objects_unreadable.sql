-- Large objects that our role may not read, counted by owner.
select pg_get_userbyid(m.lomowner) as owner, count(*) as count
from pg_largeobject_metadata m
where not (select rolsuper from pg_roles where rolname = current_user)
  and not current_setting('lo_compat_privileges')::boolean
  and not pg_has_role(m.lomowner, 'USAGE')
  and not exists (
      select from aclexplode(m.lomacl) a
      where a.privilege_type = 'SELECT'
        and case when a.grantee = 0 then true else pg_has_role(a.grantee, 'USAGE') end
  )
group by 1
order by 1
