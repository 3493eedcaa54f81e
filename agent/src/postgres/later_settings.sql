select pg_catalog.set_config(name, '0', false)
from pg_catalog.pg_settings
where name in ('idle_session_timeout', 'transaction_timeout')
union all
select pg_catalog.set_config(name, 'off', false) from pg_catalog.pg_settings where name = 'jit'
union all
select pg_catalog.set_config('synchronous_commit', 'on', false)
where pg_catalog.current_setting('synchronous_commit') = 'off'
union all
select pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
where pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'
union all
select pg_catalog.set_config('role', 'none', false) from pg_catalog.pg_roles
where rolname = session_user and rolsuper and session_user <> current_user;
