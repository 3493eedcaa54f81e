-- Parameters that somebody has set, over a session without settings of ours. Left out: what describes this machine, or
-- can hold a secret; what the session, its role or its database set.
select name, case when category = 'Customized Options' then md5(reset_val) else reset_val end as value,
       category = 'Customized Options' as secret
from pg_settings
where source in ('configuration file', 'command line', 'global', 'environment variable')
  and category not in ('File Locations', 'Preset Options', 'Replication / Standby Servers')
  and name !~ '(ssl|_command$|_directory$|_directories$|_file$|^primary_|^listen_|^port$|^cluster_name|krb|bonjour|^log_timezone|^lc_messages)'
order by 1
limit 1000
