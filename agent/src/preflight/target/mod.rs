//! The checks of the target, one file each.

pub(super) mod create_database;
pub(super) mod extensions;
pub(super) mod foreign_keys;
pub(super) mod locale;
pub(super) mod overwrite;
pub(super) mod roles;
pub(super) mod same_server;
pub(super) mod version;

pub(super) use overwrite::{Existing, existing_databases};
