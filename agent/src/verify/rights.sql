-- Every right on the database's objects, as the statement that grants it; the owner's own left out, since they come with
-- the owner. One grantee, one privilege each.
with ours as (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
schemas as (
    select n.* from ours n where {schema n.nspname}
),
objects as (
    select case c.relkind when 'S' then 'sequence ' else 'table ' end || format('%I.%I', n.nspname, c.relname) as name,
           '' as columns, c.relowner as owner,
           coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner)) as acl
    from pg_class c join ours n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't' and {relation c.oid}
    union all
    select 'table ' || format('%I.%I', n.nspname, c.relname), format(' (%I)', a.attname), c.relowner, a.attacl
    from pg_attribute a join pg_class c on c.oid = a.attrelid join ours n on n.oid = c.relnamespace
    where a.attacl is not null and a.attnum > 0 and not a.attisdropped and c.relpersistence <> 't' and {relation c.oid}
    union all
    select format('schema %I', n.nspname), '', n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    from pg_namespace n
    where n.oid in (select oid from schemas)
    union all
    select format('routine %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '', p.proowner,
           coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p join schemas n on n.oid = p.pronamespace
    where p.prokind <> 'a' -- since 11
    where not p.proisagg -- before 11
    union all
    select format('type %I.%I', n.nspname, t.typname), '', t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    from pg_type t join schemas n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'r')
)
select format('grant %s%s on %s to %s%s', a.privilege_type, o.columns, o.name,
              case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
              case when a.is_grantable then ' with grant option' else '' end)
from objects o
cross join aclexplode(o.acl) as a
where a.grantee <> o.owner
order by 1;
