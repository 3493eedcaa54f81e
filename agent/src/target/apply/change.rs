//! Row changes, from the stream's message to a statement on its way.
use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use tokio_postgres::{Statement, types::PgLsn};
use whimbrel_points::is_broken;
use whimbrel_proto::Lsn;

use super::{
    by_key::by_key,
    carry::Altered,
    chunk::{Chunk, Ready},
    older::Others,
    pipeline::{Expected, Otherwise, Pipeline},
    run::Run,
    statement::{self, Change},
    table::{Table, Tables},
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, Programs},
    replication::pgoutput::{self, Message},
    selection::Selected,
    target::{Receiver, ledger::FENCE},
    wire::{Caller, LastCommit},
};

/// Prepared statements that are kept: a table has a few shapes (which columns came, which are null). Past it all are
/// forgotten at once, which costs a round trip each.
const STATEMENTS: usize = 4096;

/// Positions of the target's own WAL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wal {
    /// Everything that was committed is before this.
    pub(super) inserted: Lsn,
    /// Everything before this is on the disk.
    pub(super) flushed: Lsn,
}

/// The table that a change is about; a truncate is about several.
#[derive(Debug)]
pub(super) struct About {
    pub(super) table: Arc<Table>,
    others: Vec<Arc<Table>>,
}

impl About {
    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Table>> {
        std::iter::once(&self.table).chain(&self.others)
    }
}

/// Turns row changes into statements.
pub(in crate::target) struct Changes {
    pub(super) client: Arc<Client>,
    /// The source, for what a table is made of when no event trigger tells it.
    pub(super) caller: Caller,
    /// They take a dump apart.
    pub(super) programs: Arc<Programs>,
    /// What is moved.
    pub(super) selected: Selected,
    /// What a change lacks may be looked for in a dump of the source.
    pub(super) may_dump: bool,
    pub(super) tables: Tables,
    /// What the stream said last of each table.
    told: HashMap<u32, pgoutput::Relation>,
    /// Changes of the schema in the group.
    pub(super) altered: Altered,
    /// By the stream's own number, which is the source's OID.
    streamed: HashMap<u32, Arc<Table>>,
    prepared: HashMap<String, Statement>,
    pub(super) pipeline: Pipeline,
    /// Changes that have not been written yet.
    pub(super) chunk: Chunk,
    /// Those that are to be sent next.
    pub(super) ready: Option<Ready>,
    /// Those that the server is writing set-wise, kept until it has.
    pub(super) on_its_way: Option<Run>,
    /// Who had changed objects last before the transaction that is told now.
    pub(super) others: Others,
}

impl Changes {
    pub(in crate::target) fn new(client: Arc<Client>, receiver: &Receiver, tables: Tables) -> Self {
        Self {
            client,
            caller: receiver.caller.clone(),
            programs: Arc::clone(&receiver.spec.programs),
            selected: receiver.spec.selected.clone(),
            may_dump: true,
            tables,
            told: HashMap::new(),
            altered: Altered::default(),
            streamed: HashMap::new(),
            prepared: HashMap::new(),
            pipeline: Pipeline::default(),
            chunk: Chunk::default(),
            ready: None,
            on_its_way: None,
            others: Others::default(),
        }
    }

    /// A table's columns came: new, or changed.
    pub(super) fn relation(
        &mut self,
        relation: &pgoutput::Relation,
        commit: Lsn,
    ) -> Result<(), Fault> {
        match self.tables.resolve(relation) {
            Ok(table) => self.streamed.insert(relation.id, Arc::new(table)),
            // Its changes are left out, whatever form they have.
            Err(_) if self.tables.leaves_out(relation.id, commit) => {
                self.streamed.remove(&relation.id)
            }
            Err(fault) => return Err(fault),
        };
        self.told.insert(relation.id, relation.clone());
        Ok(())
    }

    /// The session whose transaction the group is.
    pub(super) fn session(&self) -> &tokio_postgres::Client {
        &self.client
    }

    /// A text's lines for this server's version.
    pub(super) fn chosen(&self, sql: &str) -> String {
        self.client.sql(sql).into_owned()
    }

    pub(super) fn server_major(&self) -> u32 {
        self.client.server_major()
    }

    /// After a change of the schema: what the stream said before may no longer fit, and is said again then.
    pub(super) fn resolve_again(&mut self) {
        self.streamed.clear();
        for (oid, relation) in &self.told {
            if let Ok(table) = self.tables.resolve(relation) {
                self.streamed.insert(*oid, Arc::new(table));
            }
        }
    }

    pub(super) fn rename_told(&mut self, from: &str, to: &str) {
        for relation in self.told.values_mut().filter(|relation| relation.namespace == from) {
            to.clone_into(&mut relation.namespace);
        }
    }

    /// Statements were prepared for the columns of before.
    pub(super) fn prepared_forget(&mut self) {
        self.prepared.clear();
    }

    /// Tables that the stream has told, and that have another form here by now: it came with another table's, from the catalog of a
    /// later moment. The stream tells them once.
    pub(super) fn told_and_unlike(
        &self,
        message: &Message,
        commit: Lsn,
    ) -> Vec<pgoutput::Relation> {
        let unlike = relations(message).iter().filter(|relation| {
            !self.streamed.contains_key(relation) && !self.tables.leaves_out(**relation, commit)
        });
        unlike.filter_map(|relation| self.told.get(relation).cloned()).collect()
    }

    /// What a message changes at `commit`; tables whose copy has the change already are left out, and with all of them the
    /// message is.
    pub(super) fn concerned(&self, message: &Message, commit: Lsn) -> Result<Option<About>, Fault> {
        let mut about: Option<About> = None;
        for relation in relations(message) {
            let Some(table) = self.table_of(*relation, commit)? else { continue };
            match &mut about {
                Some(about) => about.others.push(table),
                None => about = Some(About { table, others: Vec::new() }),
            }
        }
        Ok(about)
    }

    fn table_of(&self, relation: u32, commit: Lsn) -> Result<Option<Arc<Table>>, Fault> {
        if self.tables.leaves_out(relation, commit) {
            return Ok(None);
        }
        let table = self.streamed.get(&relation).ok_or_else(|| {
            Fault::hold(
                "StreamUnreadable",
                format!("a change came of table {relation}, whose columns did not come before"),
            )
        })?;
        let newer = crate::wire::Relation::is_newer(table.point, commit);
        Ok(newer.then(|| Arc::clone(table)))
    }

    /// Sends one change by itself.
    pub(super) async fn alone(&mut self, message: Message, about: &About) -> Result<(), Fault> {
        let table = &about.table;
        let mut rows = Some(1);
        let message = match table.full_identity && table.keyed {
            true => by_key(table, message),
            false => message,
        };
        let (verb, change) = match message {
            Message::Insert { new, .. } => {
                rows = rows.filter(|_| !table.conflicts);
                ("an insert into", statement::insert(table, new)?)
            }
            Message::Update { old, new, .. } => {
                ("an update of", statement::update(table, old, new)?)
            }
            Message::Delete { old, .. } => ("a delete from", statement::delete(table, old)?),
            Message::Truncate { .. } => return self.truncate(about).await,
            _ => return Ok(()),
        };
        self.send(table, verb, change, rows).await
    }

    /// Sends a statement that must meet as many rows as are said.
    pub(super) async fn send(
        &mut self,
        table: &Table,
        verb: &str,
        change: Change,
        rows: Option<u64>,
    ) -> Result<(), Fault> {
        let doing: Arc<str> = format!("applying {verb} {}", table.label).into();
        let statement = self.prepare(&change.sql, &doing).await?;
        let client = Arc::clone(&self.client);
        let bytes =
            change.values.iter().map(|value| value.bytes.as_ref().map_or(0, Bytes::len)).sum();
        let run = async move { client.execute_raw(&statement, change.values).await };
        let expected = Expected {
            doing,
            rows,
            bytes,
            otherwise: Otherwise::RowMissing,
            table: Some(Arc::clone(&table.label)),
            bracket: false,
        };
        self.pipeline.send(run, expected).await
    }

    async fn prepare(&mut self, sql: &str, doing: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= STATEMENTS {
            self.prepared.clear();
        }
        // An error of an earlier statement is the cause when this one fails.
        self.pipeline.wait(0).await?;
        let statement = self.client.prepare(sql).await.doing(doing)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// All in one statement, as on the source, and not further: the stream names every table that was truncated, and one
    /// that it does not name was copied later. Where such a one (or an unlogged one) refers to them, the server would
    /// refuse; the rows are deleted then.
    async fn truncate(&mut self, about: &About) -> Result<(), Fault> {
        let names: Vec<&str> = about.all().map(|table| table.name.as_str()).collect();
        let labels: Vec<&str> = about.all().map(|table| &*table.label).collect();
        let doing: Arc<str> = format!("applying a truncate of {}", labels.join(", ")).into();
        self.pipeline.wait(0).await?;
        let referred =
            self.client.query_one(include_str!("referred.sql"), &[&names]).await.doing(&doing)?;
        let statements = if referred.get(0) {
            names.iter().map(|name| format!("delete from only {name}")).collect()
        } else {
            let names: Vec<String> = names.iter().map(|name| format!("only {name}")).collect();
            vec![format!("truncate {}", names.join(", "))]
        };
        for statement in statements {
            self.command(statement, Arc::clone(&doing)).await?;
        }
        Ok(())
    }

    /// Sends a statement without values or rows. Changes that wait come after it.
    pub(super) async fn command(&mut self, sql: String, doing: Arc<str>) -> Result<(), Fault> {
        self.send_text(sql, doing, false).await
    }

    /// As [`Changes::command`], of one that only begins or ends something.
    pub(super) async fn bracket(&mut self, sql: &str, doing: &str) -> Result<(), Fault> {
        self.send_text(sql.to_owned(), doing.into(), true).await
    }

    async fn send_text(
        &mut self,
        sql: String,
        doing: Arc<str>,
        bracket: bool,
    ) -> Result<(), Fault> {
        let client = Arc::clone(&self.client);
        let run = async move { client.batch_execute(&sql).await.map(|()| 0) };
        let otherwise = Otherwise::RowMissing;
        let expected = Expected { doing, rows: None, bytes: 0, otherwise, table: None, bracket };
        self.pipeline.send(run, expected).await
    }

    /// Commits, if something is begun, and tells where the target's WAL is then.
    pub(super) async fn commit(&mut self, begun: bool) -> Result<Wal, Fault> {
        if begun {
            self.command("commit".to_owned(), "committing the group".into()).await?;
        }
        let wal = self.wal().await;
        self.pipeline.wait(0).await?;
        wal
    }

    /// Where the target's WAL is, behind all that was sent.
    pub(super) async fn wal(&mut self) -> Result<Wal, Fault> {
        let doing = "asking how far the target has flushed";
        let statement = self.prepare(include_str!("wal.sql"), doing).await?;
        let row = self.client.query_one(&statement, &[]).await.doing(doing)?;
        let lsn = |column| Lsn(row.get::<_, PgLsn>(column).into());
        Ok(Wal { inserted: lsn(0), flushed: lsn(1) })
    }

    /// Whether commits wait for the target's disk from here on.
    pub(super) async fn wait_for_flush(&mut self, wait: bool) -> Result<(), Fault> {
        let sql = format!("set synchronous_commit = {}", if wait { "on" } else { "off" });
        self.command(sql, "setting synchronous_commit on the target".into()).await
    }

    /// Sends the ledger's guarded UPDATE, behind all that was settled; with a cutover attempt when the position is its marker 2.
    pub(super) async fn position(
        &mut self,
        position: Lsn,
        last: Option<LastCommit>,
        marker: Option<u32>,
        epoch: i64,
    ) -> Result<(), Fault> {
        let doing: Arc<str> = "writing the position to the ledger".into();
        let statement = self.prepare(include_str!("position.sql"), &doing).await?;
        let client = Arc::clone(&self.client);
        let lsn = PgLsn::from(position.0);
        let marker = marker.and_then(|attempt| i32::try_from(attempt).ok());
        let (end, time) = last.map(|last| (PgLsn::from(last.end.0), last.time)).unzip();
        let run =
            async move { client.execute(&statement, &[&lsn, &epoch, &marker, &end, &time]).await };
        let rows = (!is_broken(FENCE)).then_some(1);
        let otherwise = Otherwise::Fenced;
        let expected = Expected { doing, rows, bytes: 0, otherwise, table: None, bracket: false };
        self.pipeline.send(run, expected).await
    }
}

/// The tables that a row change is of.
fn relations(message: &Message) -> &[u32] {
    match message {
        Message::Insert { relation, .. }
        | Message::Update { relation, .. }
        | Message::Delete { relation, .. } => std::slice::from_ref(relation),
        Message::Truncate { relations, .. } => relations,
        _ => &[],
    }
}
