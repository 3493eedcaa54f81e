//! What is set in every session, ordinary or for replication.

/// In every session's startup packet, before what ALTER DATABASE and ALTER ROLE say: values in portable text forms that
/// are read as they are written (an array's NULL too), names always qualified, no timeout but our own, and an error instead
/// of rows hidden by row security. Settings newer than PostgreSQL 10 are in [`LATER_SETTINGS`].
pub(crate) const SESSION_OPTIONS: &str = "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 \
    -c timezone=UTC -c bytea_output=hex -c search_path= -c statement_timeout=0 -c lock_timeout=0 \
    -c idle_in_transaction_session_timeout=0 -c client_min_messages=warning \
    -c lc_monetary=C -c xmloption=content -c array_nulls=on -c quote_all_identifiers=off -c transform_null_equals=off \
    -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off \
    -c standard_conforming_strings=on -c row_security=off -c default_transaction_read_only=off";

/// Timeouts that only later servers have, 14 and 17; and a database that knows no encoding (SQL_ASCII) gives and takes its
/// bytes as they are, where another client encoding would make it refuse what is not valid in that. Nothing of ours gains by
/// compiled expressions (`jit`, 11): a query of the catalogs that is run once pays a second for them. What we say is committed (a
/// switch) must outlive a crash, whatever the server's default is; sessions that know what is flushed set it off themselves. A superuser
/// whom a setting makes another role stays one.
pub(crate) const LATER_SETTINGS: &str = include_str!("later_settings.sql");

/// From 14 on: a backend looks this often whether its client is still there, so that what a killed agent had begun
/// (an index of hours, its locks) ends soon after it. Servers on systems that can't look refuse it.
pub(super) const CLIENT_CHECK: &str = "select pg_catalog.set_config(name, '5s', false) \
    from pg_catalog.pg_settings where name = 'client_connection_check_interval'";
