//! The checks of the source, one file each.

pub(super) mod collation_versions;
pub(super) mod database_exists;
pub(super) mod extension_data;
pub(super) mod extension_schemas;
pub(super) mod foreign_tables;
pub(super) mod generated_identity;
pub(super) mod invalid_indexes;
pub(super) mod large_objects;
pub(super) mod long_transactions;
pub(super) mod pg_dump;
pub(super) mod prepared_transactions;
pub(super) mod publication_privilege;
pub(super) mod read_privilege;
pub(super) mod reg_columns;
pub(super) mod replica_identity;
pub(super) mod replication_privilege;
pub(super) mod reserved_names;
pub(super) mod row_security;
pub(super) mod server_parameters;
pub(super) mod size_estimate;
pub(super) mod subscriptions;
pub(super) mod system_grants;
pub(super) mod system_schemas;
pub(super) mod unlogged_tables;
pub(super) mod version;
pub(super) mod wal_retention;
