//! MARK and MARK_END: markers in the source's WAL.
use std::sync::Arc;

use whimbrel_proto::agent::v1::OpenTransaction;

use super::order::StepDone;
use crate::{
    fault::{Doing, Fault},
    source::Sender,
    wire::Marker,
};

/// Marker 1, then who is open: whoever is, and was not at the marker, has begun after it.
pub(super) async fn begin(sender: &Arc<Sender>, attempt: u32) -> Result<StepDone, Fault> {
    let lsn = sender.emit(&Marker::Begin(attempt)).await?;
    let open = open_transactions(sender).await?;
    Ok(StepDone { lsn, open, ..StepDone::default() })
}

/// Marker 2. The stream is applied up to its commit, and no further.
pub(super) async fn end(sender: &Arc<Sender>, attempt: u32) -> Result<StepDone, Fault> {
    let lsn = sender.emit(&Marker::End(attempt)).await?;
    Ok(StepDone { lsn, ..StepDone::default() })
}

/// Every transaction of the database that is open now.
pub(super) async fn open_transactions(sender: &Arc<Sender>) -> Result<Vec<OpenTransaction>, Fault> {
    let client = sender.control().await?;
    let rows = client
        .query(include_str!("open_transactions.sql"), &[])
        .await
        .doing("asking which transactions are open on the source")?;
    Ok(rows
        .iter()
        .map(|row| OpenTransaction {
            id: row.get(0),
            prepared: row.get(1),
            pid: u32::try_from(row.get::<_, i32>(2)).unwrap_or_default(),
            user: row.get(3),
            application: row.get(4),
        })
        .collect())
}
