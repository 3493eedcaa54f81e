//! The order of a migration, checked and made complete.
use whimbrel_proto::{
    name,
    pattern::{InvalidPattern, Pattern},
    v1,
};

use super::{
    InvalidField,
    endpoint::{port_in, ssl_mode_in},
    endpoint_in,
    limits::limits_in,
    secret_in,
    source_type::source_type_in,
    time_in,
};
use crate::migration::{Endpoint, Goal, Mode, Selection, Spec};

/// More than any server is asked to move in one order; each has tasks and a slot of its own.
const DATABASES_MAX: usize = 100;

/// Of each of the four kinds. Each is a condition on every object of every query that the agents ask.
const PATTERNS_MAX: usize = 100;

/// A schema's name, a table's, dot and quotes, and as many characters again that a pattern has twice.
const PATTERN_BYTES: usize = 300;

/// PostgreSQL's NAMEDATALEN less one.
const DATABASE_NAME_MAX: usize = 63;

/// What the target says where the order does not.
pub struct Defaults<'a> {
    /// How the target is reached.
    pub endpoint: &'a Endpoint,
    /// The agent (id) that reaches it.
    pub agent: &'a str,
}

/// The order with every default filled in.
///
/// # Errors
/// [`InvalidField`], the first one found.
pub fn spec_in(spec: &v1::MigrationSpec, defaults: &Defaults<'_>) -> Result<Spec, InvalidField> {
    let agent = match spec.agent.as_str() {
        "" => defaults.agent.to_owned(),
        agent => name::parse_agent("spec.agent", agent)?.to_owned(),
    };
    let source_agent = match spec.source_agent.as_str() {
        "" => agent.clone(),
        source => name::parse_agent("spec.source_agent", source)?.to_owned(),
    };
    let time = |field: &str, time: &Option<prost_types::Timestamp>| match time {
        None => Ok(None),
        Some(time) => time_in(time)
            .map(Some)
            .ok_or_else(|| InvalidField::new(format!("spec.{field}"), "is not a time")),
    };
    let order = Spec {
        mode: mode_in(spec)?,
        goal: goal_in(spec)?,
        source_type: source_type_in(&spec.source_type)?,
        source: endpoint_in("spec.source", spec.source.as_ref())?,
        target: override_in(spec.target_override.as_ref(), defaults.endpoint)?,
        databases: databases_in(&spec.databases)?,
        selection: selection_in(spec.selection.as_ref())?,
        overwrite: spec.overwrite,
        migrate_roles: spec.migrate_roles,
        source_agent,
        target_agent: agent,
        setup_logical_replication: spec.setup_logical_replication,
        follow_schema_changes: spec.follow_schema_changes.unwrap_or(true),
        limits: limits_in(spec.limits.as_ref())?,
        window_start: time("window_start_time", &spec.window_start_time)?,
        window_end: time("window_end_time", &spec.window_end_time)?,
    };
    if let (Some(start), Some(end)) = (order.window_start, order.window_end)
        && end <= start
    {
        return Err(InvalidField::new("spec.window_end_time", "is not after window_start_time"));
    }
    Ok(order)
}

fn mode_in(spec: &v1::MigrationSpec) -> Result<Mode, InvalidField> {
    match v1::MigrationMode::try_from(spec.mode) {
        Ok(v1::MigrationMode::Unspecified | v1::MigrationMode::Offline) => Ok(Mode::Offline),
        Ok(v1::MigrationMode::Online) => Ok(Mode::Online),
        Err(_) => Err(InvalidField::new("spec.mode", "is not a mode: offline or online")),
    }
}

fn goal_in(spec: &v1::MigrationSpec) -> Result<Goal, InvalidField> {
    use v1::MigrationOption as Wire;
    match Wire::try_from(spec.option) {
        Ok(Wire::Unspecified | Wire::ValidateAndMigrate) => Ok(Goal::ValidateAndMigrate),
        Ok(Wire::Validate) => Ok(Goal::Validate),
        Ok(Wire::Migrate) => Ok(Goal::Migrate),
        Err(_) => Err(InvalidField::new(
            "spec.option",
            "is not an option: validate, migrate or validate-and-migrate",
        )),
    }
}

fn databases_in(databases: &[String]) -> Result<Vec<String>, InvalidField> {
    let refuse = |problem: String| Err(InvalidField::new("spec.databases", problem));
    if databases.is_empty() {
        return refuse("is empty: name at least one database".to_owned());
    }
    if databases.len() > DATABASES_MAX {
        return refuse(format!("has more than {DATABASES_MAX} names: make several migrations"));
    }
    for (index, database) in databases.iter().enumerate() {
        if database.is_empty() || database.len() > DATABASE_NAME_MAX || database.contains('\0') {
            return refuse(format!("{database:?} is not a database's name: 1 to 63 bytes"));
        }
        if databases[..index].contains(database) {
            return refuse(format!("{database:?} is named twice"));
        }
    }
    Ok(databases.to_vec())
}

fn selection_in(selection: Option<&v1::Selection>) -> Result<Selection, InvalidField> {
    let Some(selection) = selection else { return Ok(Selection::default()) };
    Ok(Selection {
        include_schemas: patterns_in(
            "include_schemas",
            &selection.include_schemas,
            Pattern::of_schema,
        )?,
        exclude_schemas: patterns_in(
            "exclude_schemas",
            &selection.exclude_schemas,
            Pattern::of_schema,
        )?,
        include_tables: patterns_in(
            "include_tables",
            &selection.include_tables,
            Pattern::of_table,
        )?,
        exclude_tables: patterns_in(
            "exclude_tables",
            &selection.exclude_tables,
            Pattern::of_table,
        )?,
    })
}

fn patterns_in(
    kind: &str,
    patterns: &[String],
    read: fn(&str) -> Result<Pattern, InvalidPattern>,
) -> Result<Vec<String>, InvalidField> {
    let refuse =
        |problem: String| Err(InvalidField::new(format!("spec.selection.{kind}"), problem));
    if patterns.len() > PATTERNS_MAX {
        return refuse(format!("has more than {PATTERNS_MAX} patterns: use wildcards"));
    }
    for pattern in patterns {
        if pattern.len() > PATTERN_BYTES {
            return refuse(format!("has a pattern of more than {PATTERN_BYTES} bytes"));
        }
        if pattern.contains('\0') {
            return refuse("has a pattern with a null character".to_owned());
        }
        if let Err(problem) = read(pattern) {
            return refuse(problem.to_string());
        }
    }
    Ok(patterns.to_vec())
}

/// The target's endpoint, with what the migration says otherwise.
fn override_in(over: Option<&v1::Endpoint>, base: &Endpoint) -> Result<Endpoint, InvalidField> {
    let mut endpoint = base.clone();
    let Some(over) = over else { return Ok(endpoint) };
    let field = "spec.target_override";
    if !over.host.is_empty() {
        endpoint.host.clone_from(&over.host);
    }
    if over.port != 0 {
        endpoint.port = port_in(field, over.port)?;
    }
    if !over.user.is_empty() {
        endpoint.user.clone_from(&over.user);
    }
    if let Some(password) = &over.password {
        endpoint.password = secret_in(&format!("{field}.password"), password)?;
    }
    if let Some(mode) = ssl_mode_in(field, over.ssl_mode)? {
        endpoint.ssl_mode = mode;
    }
    Ok(endpoint)
}
