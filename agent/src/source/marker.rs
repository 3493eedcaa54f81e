//! Puts markers into the source's WAL.
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    wire::{MARKER_PREFIX, Marker},
};

impl Sender {
    /// Puts a message into the WAL; where it is. Its transaction's commit ends a little later.
    pub(crate) async fn emit(&self, marker: &Marker) -> Result<Lsn, Fault> {
        let client = self.control().await?;
        let row = client
            .query_one(
                "select pg_logical_emit_message(true, $1, $2)",
                &[&MARKER_PREFIX, &marker.content(&self.spec.objects.slot)],
            )
            .await
            .doing("putting a marker into the source's WAL")?;
        Ok(Lsn(row.get::<_, PgLsn>(0).into()))
    }
}
