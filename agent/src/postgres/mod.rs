//! How the agent reaches a PostgreSQL server: dialling, TLS, passwords, sessions, client programs, quoting.
//!
//! Knows no migration. Every connection of this process, ordinary or for replication, is dialled by [`dial()`], so that
//! both have the same rules for TLS and the same errors. No error and no log line here has a password, and none has
//! PostgreSQL's DETAIL or CONTEXT, which can quote rows.

mod child;
mod client;
mod connect_error;
mod connection;
mod dial;
mod endpoint;
mod login_role;
pub mod pgpass;
mod programs;
mod quote;
mod safe;
mod setting;
mod settings;
mod tls;
mod trial;
mod versioned;

pub use child::ChildEnvironment;
pub use client::{Canceller, Client, connect};
pub use connect_error::{ConnectError, ConnectProblem};
pub use endpoint::{Endpoint, Password, SslMode};
pub use programs::{Program, Programs, ProgramsError, Tools, Version};
pub use quote::{identifier, literal, qualified, same_to_index};
pub use safe::{ErrorOrigin, safe_message};
pub use versioned::for_version;

pub(crate) use client::connect_as_anybody;
pub(crate) use dial::{Wire, dial, in_time, plain_instead};
pub(crate) use login_role::as_login_role;
pub(crate) use setting::{libraries_of, setting_name, setting_parts, setting_value};
pub(crate) use settings::{LATER_SETTINGS, SESSION_OPTIONS};
pub(crate) use trial::{PRELOADING, load_plpgsql, refused, unloadable};

/// `server_version_num` of the oldest server that a connection is made to.
pub const SERVER_VERSION_MIN: u32 = 90_600;

/// Names of roles that come with the server: PostgreSQL's own, and those that managed services make in every server of
/// theirs. They are on the target, or have no meaning there.
pub(crate) const SYSTEM_ROLES: &str = "^(pg_|rds_|aws_)|^(rdsadmin|rdstopmgr|rdsrepladmin|rdsproxyadmin|azure_pg_admin\
    |azure_superuser|azuresu|cloudsqladmin|cloudsqlagent|cloudsqliamgroup|cloudsqliamserviceaccount|cloudsqliamuser\
    |cloudsqlimportexport|cloudsqllogical|cloudsqlobservabilityadmin|cloudsqlreplica|cloudsqlsuperuser|alloydbadmin\
    |alloydbagent|alloydbimportexport|alloydbmetadata|alloydbsqladmin|alloydbsuperuser|cloud_admin|neon_superuser\
    |supabase_admin|supabase_replication_admin|tsdbadmin|tsdbowner)$";

/// Where we are while the database itself is being made, and when none of the migration's is meant. It is there on every
/// server.
pub(crate) const MAINTENANCE_DATABASE: &str = "postgres";
