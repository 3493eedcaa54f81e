-- Sessions of others that the server works for at this moment, in any database: not those that wait for a lock, for their client or
-- for time to pass. A session whose state our role may not see (pg_read_all_stats shows it) is not counted. By JSON, since servers
-- before 10 know no backend_type.
-- Of short statements a look finds few: four sessions that do nothing but such ones, as fast as two processors can, are at work at
-- once in fewer than one look of two. So one that was at work a millisecond ago counts: that is what a short statement takes.
select count(*)
from pg_stat_activity a
where (a.state = 'active' or a.state_change > statement_timestamp() - interval '1 ms') and a.pid <> pg_backend_pid()
  and coalesce(a.application_name, '') not like 'whimbrel/%'
  and coalesce(to_json(a) ->> 'backend_type', 'client backend') in ('client backend', 'parallel worker')
  and (a.state <> 'active' or coalesce(to_json(a) ->> 'wait_event_type', '') not in ('Lock', 'Client', 'Timeout'))
  and a.query not like 'autovacuum: %'
  and not exists (select from pg_stat_replication r where r.pid = a.pid);
