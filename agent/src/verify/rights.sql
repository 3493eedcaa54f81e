-- Every right on the database's objects as the statement that grants it (`rights`); the owner's own left out, since they come with
-- the owner, but for those that the owner has not (`revoked: ` before the grant). One grantee, one privilege each. Of members of extensions, which are as the server's version has them, only what
-- was granted beyond what the extension grants, and what was taken away of that (`revoked: ` before the grant).
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
    select format('routine %I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)), '', p.proowner,
           coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p join schemas n on n.oid = p.pronamespace
    where p.prokind <> 'a' -- since 11
    where not p.proisagg -- before 11
    union all
    -- GRANT does not know the words of an aggregate's arguments. An extension's are its own.
    select format('routine %I.%I(%s)', n.nspname, p.proname, array_to_string(array(
               select format_type(a.type, null) from unnest(p.proargtypes) with ordinality a(type, place) order by a.place), ', ')),
           '', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p join schemas n on n.oid = p.pronamespace
    where p.prokind = 'a' -- since 11
    where p.proisagg -- before 11
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    union all
    select format('type %I.%I', n.nspname, t.typname), '', t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    from pg_type t join schemas n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'r')
       or t.typtype = 'b' and t.typinput <> 'pg_catalog.array_in'::regproc
       or t.typtype = 'c' and (select c.relkind from pg_class c where c.oid = t.typrelid) = 'c'
    union all
    -- These are often members of extensions; GRANT names them all the same.
    select format('language %I', l.lanname), '', l.lanowner, coalesce(l.lanacl, acldefault('l', l.lanowner))
    from pg_language l
    where l.lanpltrusted
    union all
    select format('foreign data wrapper %I', w.fdwname), '', w.fdwowner, coalesce(w.fdwacl, acldefault('F', w.fdwowner))
    from pg_foreign_data_wrapper w
    union all
    select format('foreign server %I', s.srvname), '', s.srvowner, coalesce(s.srvacl, acldefault('S', s.srvowner))
    from pg_foreign_server s
),
members as (
    select d.classid, d.objid, i.initprivs
    from pg_depend d
    left join pg_init_privs i on i.classoid = d.classid and i.objoid = d.objid and i.objsubid = 0
    where d.deptype = 'e'
),
initial as (
    select case c.relkind when 'S' then 'sequence ' else 'table ' end || format('%I.%I', n.nspname, c.relname) as name,
           '' as columns, c.relowner as owner,
           coalesce(m.initprivs, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner)) as acl
    from members m join pg_class c on c.oid = m.objid join ours n on n.oid = c.relnamespace
    where m.classid = 'pg_class'::regclass
    union all
    select 'table ' || format('%I.%I', n.nspname, c.relname), format(' (%I)', a.attname), c.relowner, i.initprivs
    from pg_init_privs i
    join pg_attribute a on a.attrelid = i.objoid and a.attnum = i.objsubid
    join pg_class c on c.oid = i.objoid join ours n on n.oid = c.relnamespace
    where i.classoid = 'pg_class'::regclass and i.objsubid > 0
    union all
    select format('schema %I', n.nspname), '', n.nspowner, coalesce(m.initprivs, acldefault('n', n.nspowner))
    from members m join pg_namespace n on n.oid = m.objid
    where m.classid = 'pg_namespace'::regclass
    union all
    select format('routine %I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)), '', p.proowner,
           coalesce(m.initprivs, acldefault('f', p.proowner))
    from members m join pg_proc p on p.oid = m.objid join ours n on n.oid = p.pronamespace
    where m.classid = 'pg_proc'::regclass
    union all
    select format('type %I.%I', n.nspname, t.typname), '', t.typowner, coalesce(m.initprivs, acldefault('T', t.typowner))
    from members m join pg_type t on t.oid = m.objid join ours n on n.oid = t.typnamespace
    where m.classid = 'pg_type'::regclass
),
held as (
    select o.name, o.columns, a.privilege_type, a.grantee, a.is_grantable
    from objects o cross join aclexplode(o.acl) as a
    where a.grantee <> o.owner
),
given as (
    select i.name, i.columns, a.privilege_type, a.grantee, a.is_grantable
    from initial i cross join aclexplode(i.acl) as a
    -- Of what is chosen.
    where a.grantee <> i.owner and i.name in (select name from objects)
),
told as (
    select '' as how, beyond.* from (select * from held except select * from given) beyond
    union all
    select 'revoked: ', gone.* from (select * from given except select * from held) gone
    union all
    -- MAINTAIN: the other server may not know it.
    select 'revoked: ', o.name, o.columns, a.privilege_type, o.owner, false
    from objects o
    cross join aclexplode(acldefault(case split_part(o.name, ' ', 1) when 'table' then 'r' when 'sequence' then 's'
        when 'schema' then 'n' when 'routine' then 'f' when 'type' then 'T' when 'language' then 'l'
        else case when o.name like 'foreign data wrapper %' then 'F' else 'S' end end::"char", o.owner)) as a
    where o.columns = '' and a.grantee = o.owner and a.privilege_type <> 'MAINTAIN'
      and not exists (select from aclexplode(o.acl) as h where h.grantee = o.owner and h.privilege_type = a.privilege_type)
),
rights as (
    select t.name,
           format('%sgrant %s%s on %s to %s%s', t.how, t.privilege_type, t.columns, t.name,
                  case when t.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(t.grantee)) end,
                  case when t.is_grantable then ' with grant option' else '' end) as statement
    from told t
)
