//! Tables that somebody has taken out of our publications.
//!
//! What happened to such a table since is in no stream (pg_partman does that by itself to a partition that it has detached). So its
//! rows are copied again, once it is back. Where event triggers tell the schema's changes they tell that
//! too, and the stream stops for the copy at once.
use whimbrel_points::point;

use super::{Receiver, ledger::Ledger};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Answer, Ask, unexpected_answer},
};

impl Receiver {
    /// Puts every table of the source into the publication that it belongs in. What was in none, and is known here, waits for its copy
    /// from then on.
    ///
    /// # Errors
    /// The servers'; a newer epoch.
    pub(crate) async fn publish(&self, session: &mut Client, ledger: Ledger) -> Result<(), Fault> {
        let Answer::Unpublished(in_none) = self.caller.ask(Ask::Unpublished).await? else {
            return Err(unexpected_answer());
        };
        if !in_none.is_empty() {
            self.record_gap(session, ledger, &in_none).await?;
        }
        // Behind the record: whoever is cut here finds it, and once a table is back nothing tells that it was out.
        point!("gap.recorded");
        self.caller.ask(Ask::Publish { recorded: in_none }).await?;
        point!("gap.published");
        Ok(())
    }

    async fn record_gap(
        &self,
        session: &mut Client,
        ledger: Ledger,
        in_none: &[u32],
    ) -> Result<(), Fault> {
        let doing = "recording in the ledger that tables were not published";
        let tx = session.transaction().await.doing(doing)?;
        let waiting = tx
            .execute(
                "update whimbrel.relation set point = null where source_oid = any($1) and point is not null",
                &[&in_none],
            )
            .await
            .doing(doing)?;
        ledger.commit(tx, doing).await?;
        if waiting > 0 {
            tracing::warn!(
                tables = waiting,
                "somebody took tables out of our publications: they are copied again"
            );
        }
        Ok(())
    }
}
