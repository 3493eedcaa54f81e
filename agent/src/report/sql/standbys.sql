select coalesce(nullif(application_name, ''), 'unnamed') as object,
       concat_ws(' ', 'at', coalesce(host(client_addr), 'a local socket'), state, sync_state) as detail,
       '-- build its like on the target: pg_basebackup for a standby, or point the subscriber to the target' as remedy
from pg_stat_replication
where coalesce(application_name, '') not like 'whimbrel%'
