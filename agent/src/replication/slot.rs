//! Slots: made with a snapshot, dropped.
use whimbrel_proto::Lsn;

use super::{connection::ReplicationConnection, error::ReplicationError, query::Rows};
use crate::postgres::{identifier, literal};

/// How long a slot lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotLife {
    /// Until it is dropped.
    Permanent,
    /// As long as the connection, or until an error on it.
    Temporary,
}

/// What becomes of the snapshot that a slot is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// Exported: usable by `set transaction snapshot` until this connection's *next command*, or its end.
    Export,
    /// None.
    Nothing,
}

/// A slot that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedSlot {
    /// Its name.
    pub name: String,
    /// Changes of transactions that commit from here on are streamed.
    pub consistent_point: Lsn,
    /// The exported snapshot's name.
    pub snapshot: Option<String>,
}

/// `IDENTIFY_SYSTEM`'s answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemIdentity {
    /// The cluster's identifier: the same on all its physical copies.
    pub system_id: String,
    /// The current timeline.
    pub timeline: u32,
    /// The current flushed WAL position.
    pub wal_position: Lsn,
    /// The connection's database.
    pub database: String,
}

/// `pg_replication_slots` says `WAIT` is known from PostgreSQL 10 on; the parenthesised options from 15 on.
const OPTIONS_IN_PARENTHESES_FROM: u32 = 150_000;

impl ReplicationConnection {
    /// Who the server is and where its WAL is.
    ///
    /// # Errors
    /// [`ReplicationError`].
    pub async fn identify_system(&mut self) -> Result<SystemIdentity, ReplicationError> {
        const DOING: &str = "identifying the system";
        let rows = self.query("IDENTIFY_SYSTEM", DOING).await?;
        let row = Answer::one(DOING, rows)?;
        Ok(SystemIdentity {
            system_id: row.text(0, "no system identifier")?,
            timeline: row.parsed(1, "no timeline")?,
            wal_position: row.parsed(2, "no WAL position")?,
            database: row.text(3, "no database")?,
        })
    }

    /// The history of a timeline: where each one before it ended. That of the first is empty.
    ///
    /// # Errors
    /// [`ReplicationError`].
    pub async fn timeline_history(&mut self, timeline: u32) -> Result<String, ReplicationError> {
        if timeline <= 1 {
            return Ok(String::new());
        }
        let doing = format!("reading the history of timeline {timeline}");
        let rows = self.query(&format!("TIMELINE_HISTORY {timeline}"), &doing).await?;
        Answer::one(&doing, rows)?.text(1, "no history")
    }

    /// Makes a logical slot for pgoutput. Waits for every transaction that is open in the *cluster* to end, so it has no
    /// bound of its own: cancel it by dropping the connection.
    ///
    /// # Errors
    /// [`ReplicationError`]; SQLSTATE 42710 when there is one of that name, 53400 when all slots are taken.
    pub async fn create_slot(
        &mut self,
        name: &str,
        life: SlotLife,
        snapshot: Snapshot,
    ) -> Result<CreatedSlot, ReplicationError> {
        let doing = format!("making the replication slot {name}");
        let sql = create_slot_sql(self.server_version_num(), name, life, snapshot);
        let rows = self.query(&sql, &doing).await?;
        let row = Answer::one(&doing, rows)?;
        Ok(CreatedSlot {
            name: row.text(0, "no slot name")?,
            consistent_point: row.parsed(1, "no consistent point")?,
            snapshot: match snapshot {
                Snapshot::Export => Some(row.text(2, "no snapshot")?),
                Snapshot::Nothing => None,
            },
        })
    }

    /// Drops a slot, and waits until nobody holds it.
    ///
    /// # Errors
    /// [`ReplicationError`]; SQLSTATE 42704 when there is none.
    pub async fn drop_slot(&mut self, name: &str) -> Result<(), ReplicationError> {
        let sql = format!("DROP_REPLICATION_SLOT {} WAIT", identifier(name));
        self.query(&sql, &format!("dropping the replication slot {name}")).await.map(drop)
    }
}

fn create_slot_sql(version: u32, name: &str, life: SlotLife, snapshot: Snapshot) -> String {
    let name = identifier(name);
    let temporary = match life {
        SlotLife::Permanent => "",
        SlotLife::Temporary => " TEMPORARY",
    };
    let options = match (snapshot, version >= OPTIONS_IN_PARENTHESES_FROM) {
        (Snapshot::Export, true) => format!("(SNAPSHOT {})", literal("export")),
        (Snapshot::Nothing, true) => format!("(SNAPSHOT {})", literal("nothing")),
        (Snapshot::Export, false) => "EXPORT_SNAPSHOT".to_owned(),
        (Snapshot::Nothing, false) => "NOEXPORT_SNAPSHOT".to_owned(),
    };
    format!("CREATE_REPLICATION_SLOT {name}{temporary} LOGICAL pgoutput {options}")
}

struct Answer<'a> {
    doing: &'a str,
    row: Vec<Option<String>>,
}

impl<'a> Answer<'a> {
    fn one(doing: &'a str, rows: Rows) -> Result<Self, ReplicationError> {
        let problem = "the answer is not one row";
        let refuse = || ReplicationError::Answer { doing: doing.to_owned(), problem };
        let [row] = <[_; 1]>::try_from(rows).map_err(|_| refuse())?;
        Ok(Self { doing, row })
    }

    fn text(&self, column: usize, problem: &'static str) -> Result<String, ReplicationError> {
        let text = self.row.get(column).cloned().flatten();
        text.ok_or_else(|| ReplicationError::Answer { doing: self.doing.to_owned(), problem })
    }

    fn parsed<T: std::str::FromStr>(
        &self,
        column: usize,
        problem: &'static str,
    ) -> Result<T, ReplicationError> {
        let refuse = |_| ReplicationError::Answer { doing: self.doing.to_owned(), problem };
        self.text(column, problem)?.parse().map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_follows_the_version() {
        let sql = |version| create_slot_sql(version, "a\"b", SlotLife::Temporary, Snapshot::Export);
        assert_eq!(
            sql(150_000),
            "CREATE_REPLICATION_SLOT \"a\"\"b\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')"
        );
        assert_eq!(
            sql(140_000),
            "CREATE_REPLICATION_SLOT \"a\"\"b\" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
        );
    }
}
