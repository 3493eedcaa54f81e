-- Rights on the system's own objects beyond what initdb gives, and those of its that were taken away (`revoked: ` before the grant).
-- Of a part of a database none: a dump of it has none.
with objects as (
    select 'pg_class'::regclass::oid as class, c.oid, 0 as sub, c.relacl as acl, c.relowner as owner,
           acldefault('r', c.relowner) as standard, 'table ' || format('%I.%I', n.nspname, c.relname) as name, '' as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid < 16384 and c.relacl is not null and c.relkind in ('r', 'v') and n.nspname in ('pg_catalog', 'information_schema')
    union all
    select 'pg_class'::regclass, c.oid, a.attnum, a.attacl, c.relowner, null::aclitem[],
           'table ' || format('%I.%I', n.nspname, c.relname), format(' (%I)', a.attname)
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where c.oid < 16384 and a.attacl is not null and n.nspname in ('pg_catalog', 'information_schema')
    union all
    select 'pg_proc'::regclass, p.oid, 0, p.proacl, p.proowner, acldefault('f', p.proowner),
           format('routine %I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)), ''
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.oid < 16384 and p.proacl is not null and n.nspname in ('pg_catalog', 'information_schema')
      and p.prokind <> 'a' -- since 11
      and not p.proisagg -- before 11
    union all
    select 'pg_namespace'::regclass, n.oid, 0, n.nspacl, n.nspowner, acldefault('n', n.nspowner), format('schema %I', n.nspname), ''
    from pg_namespace n
    where n.nspacl is not null and n.nspname in ('pg_catalog', 'information_schema')
),
told as (
    select o.name, o.columns, a.*
    from objects o
    left join pg_init_privs i on i.classoid = o.class and i.objoid = o.oid and i.objsubid = o.sub
    cross join lateral (
        (select '' as how, privilege_type, grantee, is_grantable from aclexplode(o.acl)
         except
         select '', privilege_type, grantee, is_grantable from aclexplode(coalesce(i.initprivs, o.standard)))
        union all
        (select 'revoked: ', privilege_type, grantee, is_grantable from aclexplode(coalesce(i.initprivs, o.standard))
         except
         select 'revoked: ', privilege_type, grantee, is_grantable from aclexplode(o.acl))
    ) a
    where a.grantee <> o.owner
      -- initdb gives these, and does not note it.
      and not (a.how = '' and a.grantee = 0 and a.privilege_type in ('SELECT', 'USAGE') and o.name ~ ' information_schema')
)
select format('%sgrant %s%s on %s to %s%s', how, privilege_type, columns, name,
              case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
              case when is_grantable then ' with grant option' else '' end) as statement
from told
where {everything}
order by 1
