-- Statements that take everything out of this database that its users made, in an order in which each is possible. What
-- goes with another is gone when its turn comes: hence IF EXISTS.
select statement
from (
    -- They would see the rest.
    select 1, format('drop event trigger if exists %I', evtname) from pg_event_trigger
    union all
    select 2, format('drop publication if exists %I', pubname) from pg_publication
    union all
    -- A schema of an extension's own goes with it only.
    select 3, format('drop extension if exists %I cascade', extname) from pg_extension where extname <> 'plpgsql'
    union all
    select 4, format('drop schema if exists %I cascade', nspname)
    from pg_namespace
    where nspname not like 'pg\_%' and nspname <> 'information_schema'
    union all
    select 5, format('drop cast if exists (%s as %s)', format_type(castsource, null), format_type(casttarget, null))
    from pg_cast
    where oid >= 16384
    union all
    select 6, format('drop foreign data wrapper if exists %I cascade', fdwname) from pg_foreign_data_wrapper
    union all
    select 7, format('drop language if exists %I cascade', lanname) from pg_language where oid >= 16384 and lanname <> 'plpgsql'
    union all
    select 8, format('drop access method if exists %I cascade', amname) from pg_am where oid >= 16384
    union all
    select 9, format('select lo_unlink(%s)', oid) from pg_largeobject_metadata
    union all
    select 10, format('alter default privileges for role %I revoke all on %s from %s', pg_get_userbyid(d.defaclrole), o.objects,
                      case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_default_acl d
    cross join aclexplode(d.defaclacl) a
    join (values ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas')) o(type, objects)
         on o.type = d.defaclobjtype
    where d.defaclnamespace = 0
    union all
    -- As they are without any: then nothing is kept of them.
    select 11, format('alter default privileges for role %I grant %s on %s to %s', pg_get_userbyid(d.defaclrole),
                      a.privilege_type, o.objects,
                      case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_default_acl d
    join (values ('r', 'r', 'tables'), ('S', 's', 'sequences'), ('f', 'f', 'functions'), ('T', 'T', 'types'),
                 ('n', 'n', 'schemas')) o(type, acl, objects) on o.type = d.defaclobjtype
    cross join aclexplode(acldefault(o.acl::"char", d.defaclrole)) a
    where d.defaclnamespace = 0
    union all
    select 12, case when s.setrole = 0 then format('alter database %I reset all', d.datname)
                    else format('alter role %I in database %I reset all', pg_get_userbyid(s.setrole), d.datname) end
    from pg_db_role_setting s
    join pg_database d on d.oid = s.setdatabase
    where d.datname = current_database()
    union all
    select 13, format('revoke all on database %I from %s', d.datname,
                      case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_database d
    cross join aclexplode(d.datacl) a
    where d.datname = current_database()
    union all
    select 14, format('grant %s on database %I to %s', a.privilege_type, d.datname,
                      case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_database d
    cross join aclexplode(acldefault('d', d.datdba)) a
    where d.datname = current_database() and d.datacl is not null
    union all
    select 15, format('comment on database %I is null', current_database())
) s(place, statement)
order by place, statement
