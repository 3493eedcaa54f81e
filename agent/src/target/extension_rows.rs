//! Rows in tables of extensions that the extension declares to be the user's (`pg_extension_config_dump`).
//!
//! They are settings: few, and in no change stream, for the tables are the extension's. They are copied with the base copy,
//! and compared and carried again in the cutover. What the extension put there itself stays as it is on the target.
use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use tokio_postgres::Transaction;

use super::{can_be_replica, ledger::Ledger, receive::Receiver};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    verify::checksum_where,
    wire::{Answer, Ask, ExtensionTable, Frame, unexpected, unexpected_answer},
};

const DOING: &str = "carrying rows of yours in tables of extensions";

impl Receiver {
    /// Makes those rows what the held snapshot of the source shows, all in one transaction; the tables that differed.
    pub(crate) async fn carry_extension_rows(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<Vec<String>, Fault> {
        let tables = self.differing_extension_tables(session, true).await?;
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        // A foreign key that refers to such a row must neither refuse nor delete.
        let as_replica = can_be_replica(session).await;
        let tx = session.transaction().await.doing(DOING)?;
        if as_replica {
            tx.batch_execute("set local session_replication_role = replica").await.doing(DOING)?;
        }
        for table in tables.iter().rev() {
            let name = qualified(&table.schema, &table.name);
            tx.batch_execute(&format!("delete from only {name} {}", table.condition))
                .await
                .doing(format!("{DOING}: emptying {}", table.label()))?;
        }
        for table in &tables {
            self.fill_extension_table(&tx, table).await?;
        }
        ledger.commit(tx, DOING).await?;
        Ok(tables.iter().map(ExtensionTable::label).collect())
    }

    /// Tables whose rows differ, those that others refer to first.
    pub(crate) async fn differing_extension_tables(
        &self,
        session: &Client,
        under_snapshot: bool,
    ) -> Result<Vec<ExtensionTable>, Fault> {
        let ask = Ask::ExtensionTables { under_snapshot };
        let Answer::ExtensionTables(tables) = self.caller.ask(ask).await? else {
            return Err(unexpected_answer());
        };
        if tables.is_empty() {
            return Ok(tables);
        }
        let version = self.catalog(session).await?.server_version;
        let mut differing = Vec::new();
        for table in tables {
            let ExtensionTable { schema, name, columns, condition } = &table;
            let here = checksum_where(session, (schema, name), columns, condition, version).await?;
            let ask = Ask::ExtensionChecksum { table: table.clone(), under_snapshot };
            let Answer::Checksum(source) = self.caller.ask(ask).await? else {
                return Err(unexpected_answer());
            };
            if source != here {
                differing.push(table);
            }
        }
        Ok(differing)
    }

    async fn fill_extension_table(
        &self,
        tx: &Transaction<'_>,
        table: &ExtensionTable,
    ) -> Result<(), Fault> {
        let doing = format!("{DOING}: filling {}", table.label());
        let mut frames = self.caller.open(Ask::ExtensionRows(table.clone())).await?;
        let columns: Vec<String> = table.columns.iter().map(|name| identifier(name)).collect();
        let name = qualified(&table.schema, &table.name);
        let statement = format!("copy {name} ({}) from stdin", columns.join(", "));
        let sink = tx.copy_in::<_, Bytes>(&statement).await.doing(&doing)?;
        pin_mut!(sink);
        loop {
            match frames.next().await {
                Some(Frame::Bytes(rows)) => sink.send(rows).await.doing(&doing)?,
                Some(Frame::End) => break,
                Some(Frame::Failed(fault)) => return Err(fault),
                Some(other) => return Err(unexpected(&other)),
                None => return Err(Fault::retry("PeerGone", "the rows of an extension were cut")),
            }
        }
        sink.finish().await.doing(&doing).map(drop)
    }
}
