-- Who holds the locks that sessions of ours in this database wait for. Another of ours lets go by itself, or waits for who is
-- named beside it.
select distinct case blocking.pid
  when 0 then 'a prepared transaction (pg_prepared_xacts)'
  else format('pid %s (%s, user %s)', blocking.pid,
              coalesce(nullif(theirs.application_name, ''), theirs.backend_type, 'no application name'),
              coalesce(theirs.usename, 'unknown'))
end as who
from pg_stat_activity ours
cross join lateral unnest(pg_blocking_pids(ours.pid)) as blocking(pid)
left join pg_stat_activity theirs on theirs.pid = blocking.pid
where ours.datname = current_database() and ours.application_name like 'whimbrel/%' and ours.wait_event_type = 'Lock'
  and coalesce(theirs.application_name, '') not like 'whimbrel/%'
order by 1
limit 5;
