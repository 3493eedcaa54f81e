//! `migration show -o json`, and the line of `migration list`.
use std::collections::BTreeMap;

use serde::Serialize;
use whimbrel_proto::v1;

use super::{
    clock,
    database::{Database, Hold, hold},
    filled,
    selection::Selection,
    server::port,
    short, time,
    validation::ValidationDetails,
};
use crate::{
    screen::{Screen, table_text},
    words,
};

/// `migration show`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Migration {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) created_at: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) properties: Properties,
    /// Seconds from start to end, or to now.
    #[serde(skip)]
    pub(crate) duration: Option<f64>,
}

/// `properties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Properties {
    pub(crate) migration_mode: Option<&'static str>,
    pub(crate) migration_option: Option<&'static str>,
    pub(crate) source_type: Option<String>,
    pub(crate) source_server: Option<String>,
    pub(crate) source_user: Option<String>,
    pub(crate) ssl_mode: Option<&'static str>,
    pub(crate) dbs_to_migrate: Vec<String>,
    #[serde(flatten)]
    pub(crate) selection: Selection,
    pub(crate) overwrite_dbs_in_target: bool,
    pub(crate) migrate_roles: bool,
    pub(crate) agent: Option<String>,
    pub(crate) source_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_window_start_time_in_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_window_end_time_in_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_jobs: Option<u32>,
    /// Bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_rate_limit: Option<u64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_max_age: Option<i64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retained_wal: Option<u64>,
    pub(crate) current_status: Status,
}

/// `currentStatus`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) state: Option<&'static str>,
    pub(crate) error: Option<String>,
    pub(crate) hold: Option<Hold>,
    pub(crate) current_sub_state_details: SubStateDetails,
}

/// `currentSubStateDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubStateDetails {
    pub(crate) current_sub_state: Option<&'static str>,
    pub(crate) db_details: BTreeMap<String, Database>,
    pub(crate) validation_details: Option<ValidationDetails>,
}

impl From<&v1::Migration> for Migration {
    fn from(migration: &v1::Migration) -> Self {
        // `targets/{target}/migrations/{migration}`; a name of another form is shown as it is.
        let parts: Vec<&str> = migration.name.split('/').collect();
        let (target, name) = match parts[..] {
            ["targets", target, "migrations", name] => (target, name),
            _ => ("", migration.name.as_str()),
        };
        Self {
            name: name.to_owned(),
            target: target.to_owned(),
            created_at: time(migration.create_time.as_ref()),
            started_at: time(migration.start_time.as_ref()),
            ended_at: time(migration.end_time.as_ref()),
            duration: duration(migration),
            properties: Properties::of(migration),
        }
    }
}

/// `host:port`, as it may be given again.
fn address(endpoint: &v1::Endpoint, port: u32) -> String {
    let host = &endpoint.host;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Properties {
    fn of(migration: &v1::Migration) -> Self {
        let none = v1::MigrationSpec::default();
        let spec = migration.spec.as_ref().unwrap_or(&none);
        let source = spec.source.as_ref();
        let limits = spec.limits.unwrap_or_default();
        let server = |source: &v1::Endpoint| address(source, port(source));
        Self {
            migration_mode: words::mode(spec.mode()),
            migration_option: words::option(spec.option()),
            source_type: filled(&spec.source_type),
            source_server: source.map(server),
            source_user: source.and_then(|source| filled(&source.user)),
            ssl_mode: source.and_then(|source| words::ssl_mode(source.ssl_mode())),
            dbs_to_migrate: spec.databases.clone(),
            selection: spec.selection.as_ref().map(Into::into).unwrap_or_default(),
            overwrite_dbs_in_target: spec.overwrite,
            migrate_roles: spec.migrate_roles,
            agent: filled(short(&spec.agent)),
            source_agent: filled(short(&spec.source_agent)),
            migration_window_start_time_in_utc: time(spec.window_start_time.as_ref()),
            migration_window_end_time_in_utc: time(spec.window_end_time.as_ref()),
            copy_jobs: Some(limits.copy_jobs).filter(|jobs| *jobs > 0),
            copy_rate_limit: Some(limits.copy_bytes_per_second).filter(|bytes| *bytes > 0),
            snapshot_max_age: limits.snapshot_age.map(|age| age.seconds),
            max_retained_wal: Some(limits.retained_wal_bytes).filter(|bytes| *bytes > 0),
            current_status: Status::of(migration.status.as_ref()),
        }
    }
}

impl Status {
    fn of(status: Option<&v1::MigrationStatus>) -> Self {
        let none = v1::MigrationStatus::default();
        let status = status.unwrap_or(&none);
        let named = |database: &v1::DatabaseStatus| (database.database.clone(), database.into());
        Self {
            state: words::state(status.state()),
            error: filled(&status.error),
            hold: hold(status.hold.as_ref()),
            current_sub_state_details: SubStateDetails {
                current_sub_state: words::sub_state(status.sub_state()),
                db_details: status.databases.iter().map(named).collect(),
                validation_details: status.validation.as_ref().map(Into::into),
            },
        }
    }
}

impl Migration {
    /// Its current status.
    pub(crate) fn status(&self) -> &Status {
        &self.properties.current_status
    }

    /// Its databases, by name.
    pub(crate) fn databases(&self) -> &BTreeMap<String, Database> {
        &self.status().current_sub_state_details.db_details
    }

    /// Puts `tables[]` into each database.
    pub(crate) fn set_tables(&mut self, tables: &[v1::TableProgress]) {
        let details = &mut self.properties.current_status.current_sub_state_details.db_details;
        for database in details.values_mut() {
            let own = tables.iter().filter(|table| table.database == database.database_name);
            database.tables = Some(own.map(Into::into).collect());
        }
    }

    /// Not if it only checks.
    pub(crate) fn moves_rows(&self) -> bool {
        self.properties.migration_option != words::option(v1::MigrationOption::Validate)
    }

    /// "state / substate".
    pub(crate) fn where_it_is(&self) -> String {
        let status = self.status();
        let state = status.state.unwrap_or("unknown state");
        match status.current_sub_state_details.current_sub_state {
            Some(sub_state) if sub_state != state => format!("{state} / {sub_state}"),
            _ => state.to_owned(),
        }
    }
}

fn duration(migration: &v1::Migration) -> Option<f64> {
    let seconds =
        |time: &prost_types::Timestamp| jiff::Timestamp::new(time.seconds, time.nanos).ok();
    let start = seconds(migration.start_time.as_ref()?)?;
    let end = match migration.end_time.as_ref() {
        Some(end) => seconds(end)?,
        None => jiff::Timestamp::now(),
    };
    Some(end.duration_since(start).as_secs_f64())
}

/// A line a migration, in the contract's columns.
pub(crate) fn table(migrations: &[Migration], screen: &Screen) -> String {
    let mut table = screen.table(&[
        "Name",
        "Status",
        "Migration mode",
        "Migration type",
        "Source server",
        "Source server type",
        "Databases",
        "Duration",
        "Start time",
    ]);
    for migration in migrations {
        let properties = &migration.properties;
        let or_dash = |value: Option<&str>| value.unwrap_or("-").to_owned();
        table.add_row(vec![
            migration.name.clone(),
            or_dash(migration.status().state),
            or_dash(properties.migration_mode),
            or_dash(properties.migration_option),
            or_dash(properties.source_server.as_deref()),
            or_dash(properties.source_type.as_deref()),
            properties.dbs_to_migrate.join(","),
            migration.duration.map_or_else(|| "-".to_owned(), super::seconds),
            clock(migration.started_at.as_ref()),
        ]);
    }
    table_text(&table)
}
