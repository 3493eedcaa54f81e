-- Open for more than $3 seconds: in database $1; where it is empty, in every database that is not among $2, and only
-- those that have written. A role without pg_read_all_stats sees its own only.
select pid, coalesce(usename, '') as user, coalesce(application_name, '') as application,
       coalesce(datname, '') as database, coalesce(state, '') as state,
       extract(epoch from now() - xact_start)::int8 as seconds
from pg_stat_activity
where pid <> pg_backend_pid()
  and backend_type = 'client backend' -- since 10
  and query not like 'autovacuum:%' -- before 10
  and xact_start < now() - make_interval(secs => $3::int4)
  and (datname = $1 or $1 = '' and backend_xid is not null and datname <> all ($2::text[]))
  and coalesce(application_name, '') not like 'whimbrel/%'
order by xact_start
