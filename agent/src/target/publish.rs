//! Our publications, which somebody else has been at.
//!
//! What happened to a table while it was in none is in no stream (pg_partman takes a partition that it has detached out of all that
//! there are). So its rows are copied again, once it is back. Where event triggers tell the schema's changes they tell that too, and
//! the stream stops for the copy at once; elsewhere the ledger knows by which OID each table was in, which is another one when it has
//! been out. A publication that was altered itself leaves no table to be sure of: a new slot is made, as for one that is lost.
use std::collections::HashMap;

use whimbrel_points::point;

use super::{Receiver, ledger::Ledger};
use crate::{
    fault::{Doing, Fault, Policy, RESYNC},
    postgres::Client,
    wire::{Answer, Ask, Published, unexpected_answer},
};

/// A ledger of an earlier version does not have it. `source_oid` 0: the publications themselves.
const MAKE: &str = "create table if not exists whimbrel.published (source_oid oid primary key, mark text not null)";

/// In the place of a table's OID.
const PUBLICATIONS: u32 = 0;

/// Whatever the target's default is: what is recorded here must outlive its crash, for the source is altered behind it.
const DURABLE: &str = "set local synchronous_commit = on";

const RECORDING: &str = "recording in the ledger what is published";

impl Receiver {
    /// Puts every table of the source into the publication that it belongs in. What was in none, and is known here, waits for its copy
    /// from then on.
    ///
    /// # Errors
    /// The servers'; a newer epoch; `PublicationAltered`.
    pub(crate) async fn publish(&self, session: &mut Client, ledger: Ledger) -> Result<(), Fault> {
        let known = known(session).await?;
        let before = self.published().await?;
        check_publications(&known, &before)?;
        let mut gap = self.tables(Ask::Unpublished).await?;
        let followed = self.is_followed().await?;
        if !followed {
            gap.extend(been_out(&known, &before));
        }
        if !gap.is_empty() {
            self.record_gap(session, ledger, &gap).await?;
        }
        // Behind the record: whoever is cut here finds it, and once a table is back nothing tells that it was out.
        point!("gap.recorded");
        let put = self.tables(Ask::Publish(gap.clone())).await?;
        point!("gap.published");
        let after = if put.is_empty() { before } else { self.published().await? };
        // Of a table that nobody should have moved what was known stays: the next look finds it.
        let is_ours = |table: &u32| followed || put.contains(table) || gap.contains(table);
        let mut seen = marks(after);
        seen.retain(|table, mark| match known.get(table) {
            Some(known) => known != mark && is_ours(table),
            None => true,
        });
        self.record_published(session, ledger, seen, false).await
    }

    /// Of a slot that was just made: what is published from its start on.
    ///
    /// # Errors
    /// The servers'; a newer epoch.
    pub(super) async fn publish_anew(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<(), Fault> {
        let seen = marks(self.published().await?);
        self.record_published(session, ledger, seen, true).await
    }

    async fn record_published(
        &self,
        session: &mut Client,
        ledger: Ledger,
        marks: HashMap<u32, String>,
        anew: bool,
    ) -> Result<(), Fault> {
        if marks.is_empty() && !anew {
            return Ok(());
        }
        let (tables, marks): (Vec<u32>, Vec<String>) = marks.into_iter().unzip();
        let tx = session.transaction().await.doing(RECORDING)?;
        tx.batch_execute(DURABLE).await.doing(RECORDING)?;
        tx.batch_execute(MAKE).await.doing(RECORDING)?;
        if anew {
            tx.batch_execute("delete from whimbrel.published").await.doing(RECORDING)?;
        }
        tx.execute(
            "insert into whimbrel.published select * from unnest($1::oid[], $2::text[]) \
             on conflict (source_oid) do update set mark = excluded.mark",
            &[&tables, &marks],
        )
        .await
        .doing(RECORDING)?;
        ledger.commit(tx, RECORDING).await
    }

    async fn published(&self) -> Result<Published, Fault> {
        match self.caller.ask(Ask::Published).await? {
            Answer::Published(published) => Ok(published),
            _ => Err(unexpected_answer()),
        }
    }

    async fn tables(&self, ask: Ask) -> Result<Vec<u32>, Fault> {
        match self.caller.ask(ask).await? {
            Answer::Tables(tables) => Ok(tables),
            _ => Err(unexpected_answer()),
        }
    }

    async fn record_gap(
        &self,
        session: &mut Client,
        ledger: Ledger,
        in_none: &[u32],
    ) -> Result<(), Fault> {
        let doing = "recording in the ledger that tables were not published";
        let tx = session.transaction().await.doing(doing)?;
        tx.batch_execute(DURABLE).await.doing(doing)?;
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

/// What was published when it was last seen; nothing in a ledger of an earlier version.
async fn known(session: &Client) -> Result<HashMap<u32, String>, Fault> {
    let doing = "reading in the ledger what is published";
    let made = "select to_regclass('whimbrel.published') is not null";
    if !session.query_one(made, &[]).await.doing(doing)?.get::<_, bool>(0) {
        return Ok(HashMap::new());
    }
    let rows = session.query("select source_oid, mark from whimbrel.published", &[]).await;
    Ok(rows.doing(doing)?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn check_publications(known: &HashMap<u32, String>, now: &Published) -> Result<(), Fault> {
    match known.get(&PUBLICATIONS) {
        Some(then) if *then != now.publications => Err(Fault::new(
            Policy::Resync,
            "PublicationAltered",
            "somebody has altered, dropped or made again one of our publications on the source: what was written meanwhile may not be in the stream",
        )
        .remedy(RESYNC)),
        _ => Ok(()),
    }
}

/// Tables that are in by another OID than they were: they have been out.
fn been_out(known: &HashMap<u32, String>, now: &Published) -> Vec<u32> {
    let is_another = |table: &u32, mark: &String| known.get(table).is_some_and(|then| then != mark);
    let tables = now.tables.iter().filter(|(table, mark)| is_another(table, mark));
    tables.map(|(table, _)| *table).collect()
}

fn marks(published: Published) -> HashMap<u32, String> {
    let Published { publications, mut tables } = published;
    tables.insert(PUBLICATIONS, publications);
    tables
}
