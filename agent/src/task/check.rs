//! CHECK_SOURCE and CHECK_TARGET: one look at a server, and what was found. Before the first look, if it is asked for, the
//! source is set up.
use std::{future::Future, time::Duration};

use tokio::time::sleep;
use whimbrel_proto::{
    agent::v1::{CheckLevel, CheckSource, CheckTarget, Checked, report::Kind},
    v1::MigrationMode,
};

use super::{kit::Kit, report::Reporter};
use crate::{
    fault::Fault,
    postgres::{Endpoint, MAINTENANCE_DATABASE},
    preflight::{SourceInput, TargetInput, check_source, check_target},
    selection::Selected,
    source::{SetUp, set_up},
    target::Fact,
};

/// Looks at a server that comes and goes. With the pauses five seconds: longer than a restart, and soon enough for somebody
/// who waits to hear of a wrong address.
const TRIES: u32 = 5;

/// After the first look; the next pauses are twice, three times… as long.
const PAUSE: Duration = Duration::from_millis(500);

/// What may be otherwise in a moment.
const PASSING: [&str; 4] =
    ["ConnectionFailed", "ConnectionRefused", "ServerStarting", "CheckInterrupted"];

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CheckSource) -> Result<(), Fault> {
    let endpoint = spec.source.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint(&endpoint, MAINTENANCE_DATABASE)?;
    let online = spec.mode() == MigrationMode::Online;
    if spec.setup_logical_replication && online && spec.level() == CheckLevel::Prerequisites {
        prepare(reporter, &endpoint).await;
    }
    let input = SourceInput {
        endpoint: &endpoint,
        databases: &spec.databases,
        selection: &spec.selection.clone().unwrap_or_default(),
        selected: &Selected::new(spec.selection.as_ref())?,
        level: spec.level(),
        online,
        migrate_roles: spec.migrate_roles,
        programs: &kit.programs,
    };
    tell(reporter, steady(|| check_source(&input)).await).await
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
    let input = TargetInput {
        endpoint: &endpoint,
        databases: &spec.databases,
        level: spec.level(),
        online: spec.mode() == MigrationMode::Online,
        overwrite: spec.overwrite,
        migrate_roles: spec.migrate_roles,
        source_facts: &spec.source_facts,
    };
    tell(reporter, steady(|| check_target(&input)).await).await
}

/// Checks again while what was found is a server's coming and going: a migration must not end for a lost connection.
async fn steady<F: Future<Output = Checked>>(check: impl Fn() -> F) -> Checked {
    for tries in 1..TRIES {
        let checked = check().await;
        if !is_passing(&checked) {
            return checked;
        }
        sleep(PAUSE * tries).await;
    }
    check().await
}

fn is_passing(checked: &Checked) -> bool {
    let Some(found) = &checked.findings else { return false };
    let of_databases = found.databases.iter().flat_map(|database| &database.validations);
    let mut findings = found.server.iter().chain(of_databases).flat_map(|check| &check.findings);
    findings.any(|finding| PASSING.contains(&finding.code.as_str()))
}

async fn tell(reporter: &Reporter, checked: Checked) -> Result<(), Fault> {
    reporter.tell(Kind::Checked(checked)).await;
    Ok(())
}
