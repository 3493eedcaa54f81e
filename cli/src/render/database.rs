//! `dbDetails`: one database's state and progress.
use serde::Serialize;
use whimbrel_proto::{Lsn, v1};

use super::{filled, table::Table, time};
use crate::words;

/// One of `dbDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    pub(crate) database_name: String,
    pub(crate) migration_state: Option<&'static str>,
    pub(crate) migration_operation: Option<String>,
    started_on: Option<String>,
    ended_on: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) message_code: Option<String>,
    pub(crate) hold: Option<Hold>,
    pub(crate) full_load_queued_tables: u32,
    pub(crate) full_load_errored_tables: u32,
    pub(crate) full_load_loading_tables: u32,
    pub(crate) full_load_completed_tables: u32,
    pub(crate) cdc_insert_counter: u64,
    pub(crate) cdc_update_counter: u64,
    pub(crate) cdc_delete_counter: u64,
    pub(crate) applied_changes: u64,
    pub(crate) incoming_changes: u64,
    /// Seconds.
    pub(crate) latency: f64,
    pub(crate) lag_bytes: u64,
    pub(crate) copied_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) copied_rows: u64,
    pub(crate) percent: f64,
    pub(crate) eta_seconds: Option<f64>,
    pub(crate) applied_lsn: String,
    pub(crate) source_lsn: String,
    /// The stream runs, so that latency and lag mean something.
    #[serde(skip)]
    pub(crate) streams: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cutover_report: Option<CutoverReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tables: Option<Vec<Table>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) held_tables: Vec<HeldTable>,
}

/// `heldTables`: left out until `migration retry` copies them again.
#[derive(Debug, Serialize)]
pub(crate) struct HeldTable {
    pub(crate) table: String,
    pub(crate) code: String,
    pub(crate) message: String,
    since: Option<String>,
}

impl From<&v1::HeldTable> for HeldTable {
    fn from(held: &v1::HeldTable) -> Self {
        let v1::HeldTable { table, code, message, since } = held.clone();
        Self { table, code, message, since: time(since.as_ref()) }
    }
}

/// `hold`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hold {
    pub(crate) kind: &'static str,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) remedy: String,
    pub(crate) since: Option<String>,
}

/// `cutoverReport`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CutoverReport {
    started_on: Option<String>,
    ended_on: Option<String>,
    end_lsn: String,
    pub(crate) steps: Vec<CutoverStep>,
}

/// One numbered step.
#[derive(Debug, Serialize)]
pub(crate) struct CutoverStep {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) seconds: f64,
}

/// `None` for a hold that holds nothing.
pub(crate) fn hold(hold: Option<&v1::Hold>) -> Option<Hold> {
    let hold = hold?;
    Some(Hold {
        kind: words::hold_kind(hold.kind())?,
        code: hold.code.clone(),
        message: hold.message.clone(),
        remedy: hold.remedy.clone(),
        since: time(hold.since.as_ref()),
    })
}

impl From<&v1::DatabaseStatus> for Database {
    fn from(status: &v1::DatabaseStatus) -> Self {
        let progress = status.progress.unwrap_or_default();
        Self {
            database_name: status.database.clone(),
            migration_state: words::database_state(status.state()),
            migration_operation: filled(&status.operation),
            started_on: time(status.start_time.as_ref()),
            ended_on: time(status.end_time.as_ref()),
            message: message(status),
            message_code: filled(&status.message_code),
            hold: hold(status.hold.as_ref()),
            full_load_queued_tables: progress.queued_tables,
            full_load_errored_tables: progress.errored_tables,
            full_load_loading_tables: progress.loading_tables,
            full_load_completed_tables: progress.completed_tables,
            cdc_insert_counter: progress.inserts,
            cdc_update_counter: progress.updates,
            cdc_delete_counter: progress.deletes,
            applied_changes: progress.applied_changes,
            incoming_changes: progress.incoming_changes,
            latency: progress.latency_seconds.unwrap_or(0.0),
            lag_bytes: progress.lag_bytes.unwrap_or(0),
            copied_bytes: progress.copied_bytes,
            total_bytes: progress.total_bytes,
            copied_rows: progress.copied_rows,
            percent: progress.percent,
            eta_seconds: progress.eta_seconds,
            applied_lsn: Lsn(progress.applied_lsn).to_string(),
            source_lsn: Lsn(progress.source_lsn).to_string(),
            streams: progress.latency_seconds.is_some(),
            cutover_report: status.cutover.as_ref().map(Into::into),
            tables: None,
            held_tables: status.held_tables.iter().map(Into::into).collect(),
        }
    }
}

/// With its code in front, unless it says it: a script that reads only `message` still knows what it is.
fn message(status: &v1::DatabaseStatus) -> Option<String> {
    let (code, message) = (&status.message_code, &status.message);
    if message.is_empty() || message.contains(code.as_str()) {
        return filled(message);
    }
    Some(format!("{code}: {message}"))
}

impl From<&v1::CutoverReport> for CutoverReport {
    fn from(report: &v1::CutoverReport) -> Self {
        let step = |step: &v1::CutoverStepReport| CutoverStep {
            number: step.number,
            name: step.name.clone(),
            seconds: step.seconds,
        };
        Self {
            started_on: time(report.start_time.as_ref()),
            ended_on: time(report.end_time.as_ref()),
            end_lsn: Lsn(report.end_lsn).to_string(),
            steps: report.steps.iter().map(step).collect(),
        }
    }
}
