//! `dbDetails.D.tables[]`: one table's progress.
use serde::Serialize;
use whimbrel_proto::v1;

use super::filled;
use crate::words;

/// One of `tables[]`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) state: Option<&'static str>,
    pub(crate) copied_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) percent: f64,
    pub(crate) copied_rows: u64,
    pub(crate) cdc_insert_counter: u64,
    pub(crate) cdc_update_counter: u64,
    pub(crate) cdc_delete_counter: u64,
    pub(crate) message: Option<String>,
}

impl From<&v1::TableProgress> for Table {
    fn from(table: &v1::TableProgress) -> Self {
        Self {
            schema: table.schema.clone(),
            table: table.table.clone(),
            state: words::table_state(table.state()),
            copied_bytes: table.copied_bytes,
            total_bytes: table.total_bytes,
            percent: percent(table),
            copied_rows: table.copied_rows,
            cdc_insert_counter: table.inserts,
            cdc_update_counter: table.updates,
            cdc_delete_counter: table.deletes,
            message: filled(&table.message),
        }
    }
}

/// Of the copy; the total is an estimate, so only a table that is past it says 100.
pub(crate) fn percent(table: &v1::TableProgress) -> f64 {
    use v1::table_progress::State;
    match table.state() {
        State::Completed | State::Indexing => 100.0,
        _ if table.total_bytes == 0 => 0.0,
        _ => {
            // A percentage: what an f64 loses is not shown.
            #[allow(clippy::cast_precision_loss)]
            let part = table.copied_bytes as f64 / table.total_bytes as f64;
            (part * 100.0).min(99.9)
        }
    }
}
