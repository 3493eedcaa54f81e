-- Roles without which this database can't be made elsewhere as it is: owners, grantees, roles of policies.
-- pg_shdepend knows them all but the role that initdb made (OID 10), which is looked for by itself. Left out: what an
-- extension makes again by itself, and temporary tables. Grants on the database, and settings of roles in it, are looked up
-- where the switch takes them from: it would fail where the role is not.
with here as (
    select oid, datdba, datacl from pg_database where datname = current_database()
),
used as (
    select s.refobjid as role, s.deptype = 'o' as owns
    from pg_shdepend s, here
    where s.refclassid = 'pg_authid'::regclass and s.deptype in ('o', 'a', 'r')
      and (s.dbid = here.oid and s.classid <> 'pg_extension'::regclass
           or s.dbid = 0 and s.classid = 'pg_database'::regclass and s.objid = here.oid and s.deptype = 'o')
      and not (s.deptype = 'o' and exists (
          select from pg_depend d where d.classid = s.classid and d.objid = s.objid and d.deptype = 'e'
      ))
      and case s.classid
              when 'pg_class'::regclass then {relation s.objid}
              when 'pg_namespace'::regclass then {schema (select n.nspname from pg_namespace n where n.oid = s.objid)}
              when 'pg_proc'::regclass then {schema (select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = s.objid)}
              when 'pg_type'::regclass then {schema (select n.nspname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid = s.objid)}
              else true
          end
      and not (s.classid = 'pg_class'::regclass and exists (
          select from pg_class c where c.oid = s.objid and c.relpersistence = 't'
      ))
),
owned_by_first(classid, objid, namespace) as (
    select 'pg_class'::regclass, oid, relnamespace from pg_class
    where relowner = 10 and relpersistence <> 't' and relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    union all
    select 'pg_proc'::regclass, oid, pronamespace from pg_proc where proowner = 10
    union all
    select 'pg_type'::regclass, oid, typnamespace from pg_type
    -- Arrays, multiranges and rows come and go with what they are made of.
    where typowner = 10 and typrelid = 0 and typcategory <> 'A' and typtype <> 'm'
    union all
    -- public is made with every database.
    select 'pg_namespace'::regclass, oid, oid from pg_namespace where nspowner = 10 and nspname <> 'public'
),
first_owns as (
    select exists (select from here where datdba = 10)
    -- Ours are the source's, not the database's.
    or exists (select from pg_publication where pubowner = 10 and pubname not like 'whimbrel\_%') -- since 10
    or {large objects} and exists (select from pg_largeobject_metadata where lomowner = 10)
    or exists (
        select from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
        where d.defaclrole = 10 and (n.oid is null or {schema n.nspname})
    )
    or exists (
        select from owned_by_first o
        join pg_namespace n on n.oid = o.namespace
        where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
          and case o.classid when 'pg_class'::regclass then {relation o.objid} else {schema n.nspname} end
          -- A range's constructors are this role's, whoever made the range, and come with it.
          and not exists (
              select from pg_depend d where d.classid = o.classid and d.objid = o.objid and d.deptype in ('e', 'i')
          )
    ) as owns
)
select r.rolname as name, bool_or(u.owns) as owns, bool_or(r.rolcanlogin) as login
from (
    select role, owns from used
    union all
    select 10, true from first_owns where owns
    union all
    select a.grantee, false from here cross join aclexplode(here.datacl) a
    union all
    select s.setrole, false from pg_db_role_setting s join here on here.oid = s.setdatabase
) u
join pg_roles r on r.oid = u.role
group by r.rolname
order by r.rolname
