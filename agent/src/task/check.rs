//! CHECK_SOURCE and CHECK_TARGET: one look at a server, and what was found. Before the first look, if it is asked for, the
//! source is set up.
use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};
use whimbrel_proto::{
    agent::v1::{CheckLevel, CheckSource, CheckTarget, Checked, report::Kind},
    v1::{Finding, MigrationMode},
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

/// Looks at a server that nobody reached. With the pauses five seconds: longer than a restart, and soon enough for somebody
/// who waits to hear of a wrong address.
const TRIES: u32 = 5;

/// How long looks go on at a server that is there, but too busy to answer: each look at it takes ten seconds to come to
/// nothing, and a machine that starves is not a reason to end a migration. Bounded all the same: somebody may wait for it.
const BUSY_FOR: Duration = Duration::from_secs(120);

/// After the first look; the next pauses are twice, three times… as long, up to [`TRIES`].
const PAUSE: Duration = Duration::from_millis(500);

/// What may be otherwise in a moment.
const PASSING: [&str; 3] = ["ConnectionFailed", "ConnectionRefused", "ServerStarting"];

/// What may be otherwise when the server has time.
const BUSY: [&str; 2] = ["ServerSilent", "CheckInterrupted"];

pub(super) async fn source(kit: &Kit, reporter: &Reporter, spec: CheckSource) -> Result<(), Fault> {
    let endpoint = spec.source.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint_of(&endpoint, &spec.databases)?;
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
    tell(reporter, steady(reporter, || check_source(&input)).await).await
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
    tell(reporter, steady(reporter, || check_target(&input)).await).await
}

/// Checks again while what was found is a server's coming and going: a migration must not end for a lost connection, nor
/// for a server that has much to do.
async fn steady<F: Future<Output = Checked>>(
    reporter: &Reporter,
    check: impl Fn() -> F,
) -> Checked {
    let (began, mut tries, mut told) = (Instant::now(), 1, false);
    loop {
        let checked = check().await;
        let busy = found(&checked, &BUSY);
        let again = match busy {
            Some(_) => began.elapsed() < BUSY_FOR,
            None => found(&checked, &PASSING).is_some() && tries < TRIES,
        };
        if !again {
            return checked;
        }
        if let (Some(finding), false) = (busy, told) {
            told = true;
            let text = format!("{}: {}; it is looked at again", finding.code, finding.message);
            reporter.fact(Fact::Milestone("CheckRetried", text)).await;
        }
        sleep(PAUSE * tries.min(TRIES)).await;
        tries += 1;
    }
}

/// The first finding of one of these codes.
fn found<'a>(checked: &'a Checked, codes: &[&str]) -> Option<&'a Finding> {
    let found = checked.findings.as_ref()?;
    let of_databases = found.databases.iter().flat_map(|database| &database.validations);
    let mut findings = found.server.iter().chain(of_databases).flat_map(|check| &check.findings);
    findings.find(|finding| codes.contains(&finding.code.as_str()))
}

async fn tell(reporter: &Reporter, checked: Checked) -> Result<(), Fault> {
    reporter.tell(Kind::Checked(checked)).await;
    Ok(())
}
