-- Who is a member of what, each as one JSON document (wire::Membership). to_jsonb reads the columns that not every
-- version has. Members that are not carried are left out; what they are members of may be PostgreSQL's own.
select json_build_object(
           'role', g.rolname, 'member', m.rolname, 'grantor', case when a.grantor <> 10 then b.rolname end,
           'admin', a.admin_option, 'inherit', (to_jsonb(a) ->> 'inherit_option')::boolean,
           'set', (to_jsonb(a) ->> 'set_option')::boolean)::text
from pg_auth_members a
join pg_roles g on g.oid = a.roleid
join pg_roles m on m.oid = a.member
left join pg_roles b on b.oid = a.grantor
where m.rolname !~ $1
order by g.rolname, m.rolname
