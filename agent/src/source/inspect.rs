//! Short looks at the source: sequences, checksums, who writes.
use whimbrel_points::point;
use whimbrel_proto::Lsn;

use super::{publication::check_published, sender::Sender};
use crate::{
    fault::{Doing, Fault, Policy},
    verify,
    wire::{Marker, Quiet, SequenceValue, TableChecksum},
};

impl Sender {
    pub(super) async fn read_sequences(&self) -> Result<Vec<SequenceValue>, Fault> {
        verify::sequence_values(&*self.control().await?, &self.spec.selected).await
    }

    pub(super) async fn checksum(
        &self,
        name: &(String, String),
        columns: &[String],
        under_snapshot: bool,
    ) -> Result<TableChecksum, Fault> {
        let client = if under_snapshot {
            self.session_in_snapshot("checksum").await?
        } else {
            self.session("checksum").await?
        };
        let version = client.server_version_num();
        let sum = verify::table_checksum(&client, (&name.0, &name.1), columns, version).await;
        sum.map_err(Fault::again_if_gone)
    }

    /// The files of tables now, or as the snapshot sees them, by OID: see `Relation::file`.
    pub(super) async fn files(&self, under_snapshot: bool) -> Result<Vec<(u32, u32)>, Fault> {
        let sql = "select oid, relfilenode from pg_class where relkind = 'r' and oid >= 16384";
        let doing = "looking for tables that were truncated or rewritten";
        let rows = if under_snapshot {
            self.session_in_snapshot("files").await?.query(sql, &[]).await.doing(doing)?
        } else {
            self.control().await?.query(sql, &[]).await.doing(doing)?
        };
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Sessions of others that the server works for at this moment.
    pub(super) async fn others_at_work(&self) -> Result<u32, Fault> {
        let client = self.control().await?;
        let row = client
            .query_one(include_str!("sql/load.sql"), &[])
            .await
            .doing("asking how busy the source is")?;
        Ok(u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX))
    }

    /// Transactions of this database that have written and are open.
    pub(super) async fn writers(&self) -> Result<Vec<String>, Fault> {
        let client = self.control().await?;
        let rows = client
            .query(include_str!("sql/writers.sql"), &[])
            .await
            .doing("asking who writes on the source")?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Transactions that a slot which is being made waits for: of any database of the server.
    pub(super) async fn slot_waits_for(&self) -> Result<Vec<String>, Fault> {
        let client = self.control().await?;
        let rows = client
            .query(include_str!("sql/slot_waits_for.sql"), &[])
            .await
            .doing("asking what the slot waits for on the source")?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Nothing else is asked: before COMPLETE a table may be new, and in no publication yet.
    pub(super) async fn probe(&self, probe: &str) -> Result<Lsn, Fault> {
        self.emit(&Marker::Probe(probe.to_owned())).await
    }

    pub(super) async fn quiet(&self, probe: &str) -> Result<Quiet, Fault> {
        let client = self.control().await?;
        point!("quiet.beginning");
        check_published(&client, &self.spec).await.map_err(for_a_person)?;
        // Who is open first: one that commits after this look commits before the probe, and is seen in the stream.
        let writers = self.writers().await?;
        let probe = self.probe(probe).await?;
        Ok(Quiet { writers, probe })
    }
}

/// Nothing makes the publications again at this point: a person must know. A source that is away comes back.
fn for_a_person(fault: Fault) -> Fault {
    if fault.code == "TableNotPublished" { Fault { policy: Policy::Hold, ..fault } } else { fault }
}
