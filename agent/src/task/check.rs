//! CHECK_SOURCE and CHECK_TARGET: one look at a server, and what was found.
use whimbrel_proto::{
    agent::v1::{CheckSource, CheckTarget, Checked, report::Kind},
    v1::MigrationMode,
};

use super::{kit::Kit, report::Reporter};
use crate::{
    fault::Fault,
    preflight::{SourceInput, TargetInput, check_source, check_target},
    target::MAINTENANCE_DATABASE,
};

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CheckSource) -> Result<(), Fault> {
    let endpoint = spec.source.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint(&endpoint, MAINTENANCE_DATABASE)?;
    let checked = check_source(&SourceInput {
        endpoint: &endpoint,
        databases: &spec.databases,
        level: spec.level(),
        online: spec.mode() == MigrationMode::Online,
        migrate_roles: spec.migrate_roles,
        programs: &kit.programs,
    })
    .await;
    tell(reporter, checked).await
}

pub(super) async fn target(kit: &Kit, reporter: &Reporter, spec: CheckTarget) -> Result<(), Fault> {
    let endpoint = spec.target.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint(&endpoint, MAINTENANCE_DATABASE)?;
    let checked = check_target(&TargetInput {
        endpoint: &endpoint,
        databases: &spec.databases,
        level: spec.level(),
        online: spec.mode() == MigrationMode::Online,
        overwrite: spec.overwrite,
        migrate_roles: spec.migrate_roles,
        source_facts: &spec.source_facts,
    })
    .await;
    tell(reporter, checked).await
}

async fn tell(reporter: &Reporter, checked: Checked) -> Result<(), Fault> {
    reporter.tell(Kind::Checked(checked)).await;
    Ok(())
}
