-- Sessions of ours for one slot, each with its epoch. Before version 10 walsenders are in pg_stat_replication only.
select a.pid, substring(a.application_name from '[0-9]+$')::int8 as epoch
from (
  select pid, application_name from pg_stat_activity
  union
  select pid, application_name from pg_stat_replication
) a
where a.application_name ~ ('^whimbrel/.* ' || $1 || ' [0-9]+$') and a.pid <> pg_backend_pid()
