select system_identifier::text as system_identifier,
       (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8::text as started
from pg_control_system()
