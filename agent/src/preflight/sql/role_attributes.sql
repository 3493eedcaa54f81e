-- Of the roles $1. Settings with a dot are an application's own, and can hold a secret: only a digest of them is told.
select r.rolname as name, r.rolcanlogin as login, r.rolsuper as superuser, r.rolbypassrls as bypassrls,
       r.rolcreatedb as createdb, r.rolcreaterole as createrole, r.rolreplication as replication,
       r.rolconnlimit as connection_limit, r.oid = 10 as first,
       (select coalesce(json_agg(g.rolname order by g.rolname), '[]')
        from pg_auth_members m
        join pg_roles g on g.oid = m.roleid
        where m.member = r.oid and (g.rolname = any ($1::text[]) or g.rolname like 'pg\_%')) as member_of,
       r.rolinherit as inherit,
       to_char(nullif(r.rolvaliduntil, 'infinity') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"') as valid_until,
       (select coalesce(json_agg(format('%s on parameter %s', lower(a.privilege_type), p.parname) order by p.parname), '[]') -- since 15
        from pg_parameter_acl p cross join aclexplode(p.paracl) a where a.grantee = r.oid) as parameters, -- since 15
       '[]'::json as parameters, -- before 15
       (select coalesce(json_agg(json_build_object(
                   'name', split_part(c, '=', 1), 'digest', md5(c),
                   'value', case when split_part(c, '=', 1) like '%.%' then null else substr(c, strpos(c, '=') + 1) end)
                   order by c), '[]')
        from unnest(r.rolconfig) c) as settings
from pg_roles r
where r.rolname = any ($1::text[])
order by 1
