//! CHECK_SOURCE and CHECK_TARGET: one look at a server, and what was found. Before the first look, if it is asked for, the
//! source is set up.
use whimbrel_proto::{
    agent::v1::{CheckLevel, CheckSource, CheckTarget, Checked, report::Kind},
    v1::MigrationMode,
};

use super::{kit::Kit, report::Reporter};
use crate::{
    fault::Fault,
    postgres::Endpoint,
    preflight::{SourceInput, TargetInput, check_source, check_target},
    source::{SetUp, set_up},
    target::{Fact, MAINTENANCE_DATABASE},
};

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CheckSource) -> Result<(), Fault> {
    let endpoint = spec.source.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint(&endpoint, MAINTENANCE_DATABASE)?;
    let online = spec.mode() == MigrationMode::Online;
    if spec.setup_logical_replication && online && spec.level() == CheckLevel::Prerequisites {
        prepare(reporter, &endpoint).await;
    }
    let checked = check_source(&SourceInput {
        endpoint: &endpoint,
        databases: &spec.databases,
        level: spec.level(),
        online,
        migrate_roles: spec.migrate_roles,
        programs: &kit.programs,
    })
    .await;
    tell(reporter, checked).await
}

/// What could not be set is no reason to stop: the checks look at what is there.
async fn prepare(reporter: &Reporter, endpoint: &Endpoint) {
    let tell = async |kind, message| reporter.fact(Fact::Milestone(kind, message)).await;
    match set_up(endpoint, MAINTENANCE_DATABASE).await {
        Ok(SetUp { changed, refused }) => {
            for change in changed {
                tell("SourceSetUp", change).await;
            }
            for fault in refused {
                tell("SourceNotSetUp", fault.message).await;
            }
        }
        Err(fault) => tell("SourceNotSetUp", fault.message).await,
    }
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
