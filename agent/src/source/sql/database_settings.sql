-- What belongs to the database itself and pg_dump leaves to --create, for a database of the same name: settings (whose, name
-- and value), and rights and comment as statements.
with d as (
    select oid, datname, datacl, datdba from pg_database where datname = current_database()
),
settings as (
    select case when s.setrole = 0 then format('alter database %I', d.datname)
                else format('alter role %I in database %I', pg_get_userbyid(s.setrole), d.datname) end as of,
           split_part(c, '=', 1) as name,
           substr(c, strpos(c, '=') + 1) as value
    from d
    join pg_db_role_setting s on s.setdatabase = d.oid
    cross join unnest(s.setconfig) as c
)
select of, name, value from settings
union all
select format('revoke all on database %I from public, %I', datname, pg_get_userbyid(datdba)), null, null from d where datacl is not null
union all
select format('grant %s on database %I to %s%s', a.privilege_type, d.datname,
              case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
              case when a.is_grantable then ' with grant option' else '' end), null, null
from d cross join aclexplode(d.datacl) as a
union all
select format('comment on database %I is %L', datname, shobj_description(oid, 'pg_database')), null, null
from d where shobj_description(oid, 'pg_database') is not null;
