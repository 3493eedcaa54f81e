//! Documents of the objects as they are, for the receiver's ledger.
use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::sleep;
use tokio_postgres::{Row, RowStream, error::SqlState, types::ToSql};

use super::super::{catalog::read, patient::Patience, publication, sender::Sender};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    verify,
    wire::{Frame, FrameSender},
};

/// Everything of the database, and single relations.
const ALL: &str = "with recursive touched as (
    select row_number() over () as place, class, oid from (
        select 'pg_namespace'::regclass::oid as class, oid from pg_namespace
        union all select 'pg_extension'::regclass, oid from pg_extension
        union all select 'pg_type'::regclass, oid from pg_type where typtype <> 'c'
        union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace <> 'pg_catalog'::regnamespace
        union all select 'pg_class'::regclass, oid from pg_class where relkind in ('r', 'p', 'v', 'm', 'c', 'f', 'S')
    ) as everything
    where cardinality($1::oid[]) = 0 or class = 'pg_class'::regclass and oid = any($1)
),";

const READING: &str = "reading what the source's objects are made of";

/// How long an open writer of a table is waited for.
const WRITERS_WAIT: Duration = Duration::from_secs(5);

/// Between two looks.
const WRITERS_PAUSE: Duration = Duration::from_millis(200);

const PUBLISHING: &str = "keeping the publications as the tables are";

impl Sender {
    /// Sends the documents of all objects, or of `relations` only, one in a frame.
    pub(in crate::source) async fn structures(
        &self,
        relations: &[u32],
        under_snapshot: bool,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let mut patience = Patience::new();
        // The session is there as long as its rows come.
        let (_session, mut next, mut rows) = loop {
            match self.read_structures(relations, under_snapshot).await {
                Ok(read) => break read,
                Err(fault) => patience.bear(fault).await?,
            }
        };
        while let Some(row) = next {
            let document: String = read(&row, 0, READING)?;
            reply.send(Frame::Bytes(Bytes::from(document))).await?;
            next = rows.next().await.transpose().doing(READING)?;
        }
        Ok(())
    }

    /// The first one, and the others as they come: they are ordered, so that by the first one all are read, and all locks were had.
    async fn read_structures(
        &self,
        relations: &[u32],
        under_snapshot: bool,
    ) -> Result<(Client, Option<Row>, Pin<Box<RowStream>>), Fault> {
        let client = self.impatient_session("structure", under_snapshot).await?;
        // One that is asked for by its OID is in the stream, whatever its name is by now.
        let followed = if relations.is_empty() { "false" } else { "true" };
        let sql = format!(
            "{ALL}\n{}\nselect document::text from documents order by place, depth",
            verify::structure_sql(&self.spec.selected, followed)
        );
        let rows = client.query_raw(&*client.sql(&sql), [relations]).await.doing(READING)?;
        let mut rows = Box::pin(rows);
        let first = rows.next().await.transpose().doing(READING)?;
        Ok((client, first, rows))
    }

    /// The OIDs of tables that are in none of the publications, and belong in one.
    pub(in crate::source) async fn unpublished(&self) -> Result<Vec<u32>, Fault> {
        let client = self.session("publication").await?;
        let rows = self.to_publish(&client).await?;
        let in_none = rows.iter().filter(|row| row.get(2));
        Ok(in_none.map(|row| row.get(1)).collect())
    }

    /// Puts every table into the publication that it belongs in, and out of the other; of those that are in none, `recorded` alone.
    /// The OIDs of those that were put.
    pub(in crate::source) async fn publish(&self, recorded: &[u32]) -> Result<Vec<u32>, Fault> {
        let client = self.session("publication").await?;
        let rows = self.to_publish(&client).await?;
        client.batch_execute(publication::LOCK_TIMEOUT).await.doing(PUBLISHING)?;
        let mut put = Vec::new();
        for row in
            rows.iter().filter(|row| !row.get::<_, bool>(2) || recorded.contains(&row.get(1)))
        {
            // Each by itself: none is locked while another one is waited for (`source/patient.rs`).
            let altered = match forgets_publishing(client.server_version_num()) {
                true => publish_between_writers(&client, row.get(0), row.get(3)).await,
                false => client.batch_execute(row.get(0)).await.doing(PUBLISHING),
            };
            match altered.map_err(Fault::again_if_gone) {
                Ok(()) => put.push(row.get(1)),
                // It has another name since it was looked at, or is gone: the next look finds it.
                Err(fault) if fault.code == "CatalogChanges" => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(put)
    }

    /// Statements, each with the table's OID, whether it is in none, and its name.
    async fn to_publish(&self, client: &Client) -> Result<Vec<Row>, Fault> {
        let objects = &self.spec.objects;
        let sql = self.spec.selected.sql(include_str!("publish.sql"));
        let names: [&(dyn ToSql + Sync); 2] = [&objects.publication, &objects.keyless_publication];
        client.query(&*client.sql(&sql), &names).await.doing(PUBLISHING)
    }
}

/// Whether logical decoding goes on, for ever, leaving a table out that was published while a transaction that had written to it
/// was open and wrote to it again ("Distribute invalidations", commit 4909b38af0 of May 2025; of 13 it mends a part).
fn forgets_publishing(version: u32) -> bool {
    let mended = match version / 10_000 {
        14 => 18,
        15 => 13,
        16 => 9,
        17 => 5,
        major => return major <= 13,
    };
    version % 10_000 < mended
}

/// Publishes the table while no transaction that has written to it is open. Writers that come meanwhile wait for no longer than one
/// look takes.
async fn publish_between_writers(
    client: &Client,
    statement: &str,
    table: &str,
) -> Result<(), Fault> {
    let begun = Instant::now();
    loop {
        let sql = format!(
            "begin; set local lock_timeout = '20ms'; lock table only {table} in share mode; \
             set local lock_timeout = '5s'; {statement}; commit"
        );
        let Err(error) = client.batch_execute(&sql).await else { return Ok(()) };
        client.batch_execute("rollback").await.doing(PUBLISHING)?;
        let is_locked = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        if !is_locked || begun.elapsed() >= WRITERS_WAIT {
            return Err(Fault::sql(PUBLISHING, &error));
        }
        sleep(WRITERS_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::forgets_publishing;

    #[test]
    fn later_releases_tell_open_transactions_what_is_published() {
        assert!([100_023, 130_023, 140_017, 150_012, 170_004].into_iter().all(forgets_publishing));
        assert!(![140_018, 150_018, 160_009, 170_005, 180_000].into_iter().any(forgets_publishing));
    }
}
