//! One side's part of a comparison: documents of its objects, a list of its tables, sums of their rows' hashes.
//!
//! Each question is about one server and changes nothing; the controller asks both sides and compares. What always holds:
//! an answer has no row and no value of one, and each question is bounded in work (a page, a range of pages of a heap) and
//! in time, so that a comparison that nobody waits for any more ends with the question that is being answered.
mod objects;
mod sums;
mod tables;

pub use objects::{ObjectsWanted, list_objects};
pub use sums::{SumsWanted, sum_rows};
pub use tables::list_tables;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, Endpoint, connect},
    selection::Selected,
};

/// A session that only looks. A question is a page of a catalog or some 256 MB of rows: one that takes ten minutes waits
/// for a lock or for a server that is in trouble.
const SETTINGS: &str = "set default_transaction_read_only = on; set statement_timeout = '600s'; set lock_timeout = '30s'";

/// Which objects.
#[derive(Debug, Default)]
pub struct Scope {
    /// Of those, these: what was asked for.
    pub selected: Selected,
    /// All that are moved.
    pub migrated: Selected,
}

async fn open(endpoint: &Endpoint, database: &str) -> Result<Client, Fault> {
    let client = connect(endpoint, database, "compare").await?;
    client.batch_execute(SETTINGS).await.doing("preparing the session of a comparison")?;
    Ok(client)
}
