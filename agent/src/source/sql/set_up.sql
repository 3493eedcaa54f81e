-- What our role lacks for logical replication. Settings as the server has them, not as our session has.
select json_build_object(
    'role', r.rolname,
    'replicates', r.rolsuper or r.rolreplication or exists (
        select from pg_roles m where m.rolname = 'rds_replication' and pg_has_role(m.oid, 'USAGE')
    ),
    'service_role', (select m.rolname from pg_roles m where m.rolname = 'rds_replication'),
    'timeout_short', exists (
        select from pg_settings s
        where s.name = 'wal_sender_timeout' and s.context = 'user' and s.setting::int8 between 1 and 9999
    )
)::text
from pg_roles r
where r.rolname = current_user
