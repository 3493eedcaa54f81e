//! The checks of the source, one file each.

pub(super) mod database_exists;
pub(super) mod large_objects;
pub(super) mod long_transactions;
pub(super) mod pg_dump;
pub(super) mod prepared_transactions;
pub(super) mod publication_privilege;
pub(super) mod read_privilege;
pub(super) mod replica_identity;
pub(super) mod replication_privilege;
pub(super) mod reserved_names;
pub(super) mod row_security;
pub(super) mod server_parameters;
pub(super) mod unlogged_tables;
pub(super) mod version;
