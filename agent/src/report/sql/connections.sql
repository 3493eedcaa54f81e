-- Each application of this database once; ours are not among them. Those of other databases have nothing to do here.
select concat_ws(' ', nullif(application_name, ''), 'of user', usename) as object,
       format('%s session(s) in database %s from %s', count(*), datname, coalesce(host(client_addr), 'a local socket')) as detail,
       '-- point its connection string to the target' as remedy
from pg_stat_activity
where datname = current_database() and usename is not null and pid <> pg_backend_pid()
  and coalesce(application_name, '') not like 'whimbrel%'
group by application_name, usename, datname, client_addr
