-- Rights on the system's own objects that initdb and extensions did not give, or that were taken away since: one line for an
-- object and a grantee.
with objects as (
    select 'pg_class'::regclass::oid as class, c.oid, 0 as sub, c.relacl as acl,
           acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner) as standard,
           format('%I.%I', n.nspname, c.relname) as name, 'table' as kind, null::text as column
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relacl is not null and c.relkind in ('r', 'v', 'm', 'p', 'S')
      and n.nspname in ('pg_catalog', 'information_schema')
    union all
    select 'pg_class'::regclass, c.oid, a.attnum, a.attacl, null::aclitem[], format('%I.%I', n.nspname, c.relname), 'table',
           quote_ident(a.attname)
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where a.attacl is not null and n.nspname in ('pg_catalog', 'information_schema')
    union all
    select 'pg_proc'::regclass, p.oid, 0, p.proacl, acldefault('f', p.proowner),
           format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           case p.prokind when 'p' then 'procedure' else 'function' end, null -- since 11
           'function', null -- before 11
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where p.proacl is not null and p.oid < 16384 and n.nspname in ('pg_catalog', 'information_schema')
    union all
    select 'pg_namespace'::regclass, n.oid, 0, n.nspacl, acldefault('n', n.nspowner), quote_ident(n.nspname), 'schema', null
    from pg_namespace n
    where n.nspname in ('pg_catalog', 'information_schema') and n.nspacl is not null
),
given as (
    select o.*, a.grantee, a.privilege_type, a.taken
    from objects o
    left join pg_init_privs i on i.classoid = o.class and i.objoid = o.oid and i.objsubid = o.sub
    cross join lateral (
        (select grantee, privilege_type, false as taken from aclexplode(o.acl)
         except
         select grantee, privilege_type, false from aclexplode(coalesce(i.initprivs, o.standard)))
        union all
        (select grantee, privilege_type, true from aclexplode(coalesce(i.initprivs, o.standard))
         except
         select grantee, privilege_type, true from aclexplode(o.acl))
    ) a
    -- initdb gives these, and does not note it.
    where not (a.grantee = 0 and a.privilege_type in ('SELECT', 'USAGE') and o.name ~ '^information_schema')
),
-- Columns of one table under one right.
rights as (
    select kind, name, grantee, taken,
           lower(privilege_type) || coalesce(' (' || string_agg("column", ', ' order by "column") || ')', '') as given
    from given
    group by kind, name, grantee, taken, privilege_type, "column" is null
)
select kind || ' ' || name as object, case when grantee = 0 then 'public' else pg_get_userbyid(grantee) end as grantee,
       string_agg(given, ', ' order by given) as rights, taken,
       format('revoke %s on %s %s from %s;', string_agg(given, ', ' order by given), kind, name,
              case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end) as remedy
from rights
group by kind, name, grantee, taken
order by 1, 2
