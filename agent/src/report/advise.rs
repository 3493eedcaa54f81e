//! Puts the report together: the looks, and what the preflight's checks say of the two servers as they are now.
use serde::{Deserialize, Serialize};
use whimbrel_proto::{
    agent::v1::{CheckLevel, Checked, LookAround},
    v1::{FindingState, ReportItem, Validation},
};

use super::{
    Item,
    looks::{LOOKS, Look, Row, Told, Where},
    rights,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, ConnectProblem, Endpoint, MAINTENANCE_DATABASE, Programs, connect},
    preflight::{SourceInput, TargetInput, check_source, check_target},
    selection::Selected,
};

/// Checks whose findings are still to be done when the migration is over, with their topic.
const CHECKS: [(&str, &str); 12] = [
    ("DifferencesReport", ""),
    ("ServerParametersValidation", "server parameters"),
    ("RolesValidation", "roles"),
    ("RoleAttributesValidation", "roles"),
    ("MigratedRolesValidation", "roles"),
    ("RolePasswordsValidation", "roles"),
    ("ExtensionsValidation", "extensions"),
    ("ExtensionDataValidation", "extensions"),
    ("LibrariesValidation", "extensions"),
    ("CollationsValidation", "collations"),
    ("CollationVersionsValidation", "collations"),
    ("TablespacesValidation", "tablespaces"),
];

/// What the source's agent tells the target's; the controller carries it unread.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// `Checked.facts` of a check of the source.
    facts: String,
    rows: Vec<Row>,
    items: Vec<Item>,
    /// Nothing from an older agent.
    #[serde(default)]
    rights: Option<Vec<rights::OfDatabase>>,
}

/// What the advice is about.
#[derive(Debug)]
pub struct AdviceInput<'a> {
    /// The target.
    pub endpoint: &'a Endpoint,
    /// On both sides.
    pub databases: &'a [String],
    /// Roles were migrated.
    pub migrate_roles: bool,
    /// What [`look_around`] gave.
    pub seen: &'a [u8],
}

/// What there is on the source.
///
/// # Errors
/// The source can't be reached.
pub async fn look_around(
    endpoint: &Endpoint,
    wanted: &LookAround,
    programs: &Programs,
) -> Result<Vec<u8>, Fault> {
    let mut seen = Seen::default();
    let is_wanted = |told| told != Told::OfTarget;
    let databases = &wanted.databases;
    (seen.rows, seen.items) = look(endpoint, databases, "source", is_wanted).await?;
    let selected = Selected::new(wanted.selection.as_ref())?;
    let (rights, unread) = rights::look(endpoint, databases, &selected, "source").await?;
    seen.rights = Some(rights);
    seen.items.extend(unread);
    let checked = check_source(&SourceInput {
        endpoint,
        databases,
        selection: &wanted.selection.clone().unwrap_or_default(),
        selected: &selected,
        level: CheckLevel::Preflight,
        online: false,
        migrate_roles: wanted.migrate_roles,
        programs,
    })
    .await;
    seen.facts = String::from_utf8_lossy(&checked.facts).into_owned();
    seen.items.extend(of_checks(checked));
    serde_json::to_vec(&seen).map_err(|error| {
        Fault::hold("UnexpectedAnswer", format!("writing what was seen of the source: {error}"))
    })
}

/// What is left to do.
///
/// # Errors
/// The target can't be reached, or the source's agent is of another version.
pub async fn advise(input: &AdviceInput<'_>) -> Result<Vec<ReportItem>, Fault> {
    let seen: Seen = serde_json::from_slice(input.seen).map_err(|error| {
        Fault::hold("SourceFactsMissing", format!("reading what was seen of the source: {error}"))
            .remedy("run agents of one version")
    })?;
    let (here, mut items) = look(input.endpoint, input.databases, "target", |_| true).await?;
    items.extend(seen.items);
    items.extend(rights_left(input, seen.rights.as_deref()).await?);
    for look in &LOOKS {
        let of = |rows: &[Row]| -> Vec<Row> {
            rows.iter().filter(|row| row.code == look.code).cloned().collect()
        };
        let (ours, theirs) = (of(&seen.rows), of(&here));
        let told = match look.told {
            Told::OfSource => ours,
            Told::OfTarget => theirs,
            Told::Missing => ours.into_iter().filter(|row| !theirs.contains(row)).collect(),
        };
        items.extend(told.into_iter().map(|row| item(look, row)));
    }
    let checked = check_target(&TargetInput {
        endpoint: input.endpoint,
        databases: input.databases,
        level: CheckLevel::Preflight,
        online: false,
        overwrite: true,
        migrate_roles: input.migrate_roles,
        source_facts: seen.facts.as_bytes(),
    })
    .await;
    items.extend(of_checks(checked));
    items.sort_by(|a, b| (&a.topic, !a.to_do, &a.database).cmp(&(&b.topic, !b.to_do, &b.database)));
    Ok(items.into_iter().map(ReportItem::from).collect())
}

async fn rights_left(
    input: &AdviceInput<'_>,
    there: Option<&[rights::OfDatabase]>,
) -> Result<Vec<Item>, Fault> {
    let Some(there) = there else { return Ok(vec![rights::untold()]) };
    let everything = Selected::default();
    let (here, mut items) =
        rights::look(input.endpoint, input.databases, &everything, "target").await?;
    items.extend(rights::compare(there, &here));
    Ok(items)
}

fn item(look: &Look, row: Row) -> Item {
    Item {
        topic: look.topic.to_owned(),
        database: row.database,
        to_do: true,
        code: look.code.to_owned(),
        message: format!("{}: {}", look.says, row.detail),
        object: row.object,
        remedy: row.remedy,
    }
}

/// Rows of all looks, and an item for each that our role may not make.
async fn look(
    endpoint: &Endpoint,
    databases: &[String],
    side: &str,
    is_wanted: impl Fn(Told) -> bool,
) -> Result<(Vec<Row>, Vec<Item>), Fault> {
    let migrated = databases.iter().map(String::as_str);
    let others = migrated.filter(|name| *name != MAINTENANCE_DATABASE);
    let (mut rows, mut items) = (Vec::new(), Vec::new());
    let (mut server_seen, mut refused) = (false, None);
    for database in [MAINTENANCE_DATABASE].into_iter().chain(others) {
        let client = match open(endpoint, database).await {
            Ok(client) => client,
            // It may not be on the target yet.
            Err(NotOpened::Missing) => continue,
            Err(NotOpened::Refused(fault)) => {
                items.push(not_opened(database, side, &fault.message));
                refused.get_or_insert(fault);
                continue;
            }
            Err(NotOpened::Failed(fault)) => return Err(fault),
        };
        let is_migrated = databases.iter().any(|migrated| migrated == database);
        let is_here = |place| match place {
            // The first database that lets us in shows it as well as any.
            Where::Server => !server_seen,
            Where::EachDatabase => true,
            Where::EachMigrated => is_migrated,
        };
        let looks = LOOKS.iter().filter(|look| is_here(look.place) && is_wanted(look.told));
        for look in looks {
            match look.rows(&client).await {
                Ok(found) => rows.extend(found),
                Err(fault) => items.push(unreadable(look, side, &fault)),
            }
        }
        server_seen = true;
    }
    match refused {
        Some(fault) if !server_seen => Err(fault),
        _ => Ok((rows, items)),
    }
}

/// Why a database is not looked into.
pub(super) enum NotOpened {
    /// There is none of that name.
    Missing,
    /// It does not let us in; others may.
    Refused(Fault),
    Failed(Fault),
}

pub(super) async fn open(endpoint: &Endpoint, database: &str) -> Result<Client, NotOpened> {
    let client =
        connect(endpoint, database, "report").await.map_err(|error| match error.problem {
            ConnectProblem::DatabaseDoesNotExist => NotOpened::Missing,
            problem if problem.is_of_database() => NotOpened::Refused(error.into()),
            _ => NotOpened::Failed(error.into()),
        })?;
    let settings = "set default_transaction_read_only = on; set statement_timeout = '30s'";
    let doing = "preparing the session of the report";
    client.batch_execute(settings).await.doing(doing).map_err(NotOpened::Failed)?;
    Ok(client)
}

fn not_opened(database: &str, side: &str, why: &str) -> Item {
    Item {
        topic: "databases".to_owned(),
        database: database.to_owned(),
        to_do: true,
        code: "CheckImpossible".to_owned(),
        message: format!("the {side}'s database {database} was not looked into: {why}"),
        object: database.to_owned(),
        remedy: format!(
            "-- let our role connect to database {database} of the {side}, or look there yourself"
        ),
    }
}

fn unreadable(look: &Look, side: &str, fault: &Fault) -> Item {
    Item {
        topic: look.topic.to_owned(),
        database: String::new(),
        to_do: true,
        code: "CheckImpossible".to_owned(),
        object: look.code.to_owned(),
        message: format!("could not be looked at on the {side}: {}", fault.message),
        remedy: "-- compare the two servers yourself, as a superuser".to_owned(),
    }
}

fn of_checks(checked: Checked) -> Vec<Item> {
    let findings = checked.findings.unwrap_or_default();
    let of_server = findings.server.into_iter().map(|validation| (String::new(), validation));
    let of_databases = findings.databases.into_iter().flat_map(|database| {
        let name = database.database;
        database.validations.into_iter().map(move |validation| (name.clone(), validation))
    });
    let all = of_server.chain(of_databases);
    all.flat_map(|(database, validation)| of_check(&database, validation)).collect()
}

fn of_check(database: &str, validation: Validation) -> Vec<Item> {
    let Some((_, topic)) = CHECKS.iter().find(|(name, _)| *name == validation.r#type) else {
        return Vec::new();
    };
    let report = topic.is_empty();
    let findings = validation.findings.into_iter();
    findings
        .filter(|finding| report || finding.state() != FindingState::FindingSucceeded)
        .map(|finding| Item {
            topic: if report { topic_of(&finding.code) } else { topic }.to_owned(),
            database: database.to_owned(),
            // What the differences' table tells is there to be looked at; a role that is missing has to be made.
            to_do: !report || finding.code == "RoleNotOnTarget",
            code: finding.code,
            object: finding.object,
            message: finding.message,
            remedy: finding.remedy,
        })
        .collect()
}

fn topic_of(code: &str) -> &'static str {
    match code {
        "ParameterDiffers" => "server parameters",
        "ExtensionVersion" => "extensions",
        "RoleNotOnTarget" => "roles",
        _ => "servers",
    }
}
