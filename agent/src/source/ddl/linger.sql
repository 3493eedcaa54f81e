-- Whether a session of this database is still in a command that began before $1. Of sessions whose state we may not see, or of
-- which the server keeps no track, it is not known.
select exists (
    select from pg_stat_activity a
    where a.datid = (select d.oid from pg_database d where d.datname = current_database())
      and a.pid <> pg_backend_pid()
      and a.backend_type not in ('walsender', 'autovacuum worker', 'parallel worker')
      and (a.state is null
           or a.state not like 'idle%' and coalesce(a.query_start <= $1::text::timestamptz, true)))
