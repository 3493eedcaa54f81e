//! The checks of the target, one file each.

pub(super) mod collations;
pub(super) mod compression;
pub(super) mod create_database;
pub(super) mod differences;
pub(super) mod extensions;
pub(super) mod foreign_keys;
pub(super) mod libraries;
pub(super) mod locale;
pub(super) mod migrated_roles;
pub(super) mod overwrite;
pub(super) mod owners;
pub(super) mod preload;
pub(super) mod privileged;
pub(super) mod role_attributes;
pub(super) mod roles;
pub(super) mod same_server;
pub(super) mod search_files;
pub(super) mod security_labels;
pub(super) mod server_settings;
pub(super) mod settings;
pub(super) mod tablespaces;
pub(super) mod version;
pub(super) mod version_breaks;
pub(super) mod xml;

pub(super) use overwrite::{Existing, existing_databases};
