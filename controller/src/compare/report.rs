//! The report: the source's agent says what it sees, the target's what of that is left to do.
use std::sync::Arc;

use whimbrel_proto::{agent::v1 as link, v1};

use super::{CompareError, Server, side::Side};
use crate::fleet::Fleet;

/// Asks both agents, one after the other. `wanted.server` is set here.
///
/// # Errors
/// [`CompareError`].
pub async fn report(
    fleet: &Arc<Fleet>,
    source: Server,
    target: Server,
    wanted: link::LookAround,
) -> Result<v1::MigrationReport, CompareError> {
    let side =
        |server, name| Side { fleet: Arc::clone(fleet), server, database: String::new(), name };
    let (source, target) = (side(source, "source"), side(target, "target"));
    let (databases, migrate_roles) = (wanted.databases.clone(), wanted.migrate_roles);
    let seen = source.surroundings(wanted).await?;
    target
        .advice(link::Advise { databases, migrate_roles, seen: seen.seen, ..Default::default() })
        .await
}
