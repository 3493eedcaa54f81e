-- Who may not see the state of standbys is not told of any.
select current_setting('synchronous_standby_names') as names,
       current_setting('synchronous_standby_names') <> '' and current_setting('synchronous_commit') not in ('off', 'local')
           and pg_has_role('pg_read_all_stats', 'USAGE') -- since 10
           and (select rolsuper from pg_roles where rolname = current_user) -- before 10
           and not exists (select from pg_stat_replication where sync_state in ('sync', 'quorum')) as missing
