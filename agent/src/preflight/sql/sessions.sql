-- Sessions that our role can still open on this server; limits are for those that are no superusers.
select current_setting('max_connections')::int8 as connections,
       current_setting('max_connections')::int8 - coalesce((select sum(numbackends) from pg_stat_database), 0)::int8
           - case when r.rolsuper then 0
                  else (select coalesce(sum(setting::int8), 0) from pg_settings
                        where name in ('superuser_reserved_connections', 'reserved_connections')) end as free,
       case when r.rolsuper or r.rolconnlimit < 0 then null else r.rolconnlimit end as role_limit,
       (select coalesce(json_agg(json_build_object('name', d.datname, 'limit', d.datconnlimit) order by d.datname), '[]')
        from pg_database d
        where not r.rolsuper and d.datname = any ($1::text[]) and d.datconnlimit >= 0) as database_limits
from pg_roles r
where r.rolname = current_user
