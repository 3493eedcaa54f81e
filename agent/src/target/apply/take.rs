//! One message of the stream: where a transaction begins and ends, what it changes of rows and of the schema.
use super::{
    applier::{Applier, Transaction, unreadable},
    change::Changes,
    older::{Sifted, Told},
    seen::Seen,
};
use crate::{
    fault::Fault,
    replication::pgoutput::{self, Message},
    target::progress::Kind,
    wire::{Change, DDL_PREFIX, MARKER_PREFIX, Marker, Note},
};
use whimbrel_proto::Lsn;

impl Applier<'_> {
    /// One message of the stream.
    pub(super) async fn change(&mut self, change: Change) -> Result<(), Fault> {
        self.clock.observe(change.sent_us);
        let message = pgoutput::decode(change.data, false)
            .map_err(|error| unreadable(&format!("a message can't be decoded: {error}")))?;
        match message {
            Message::Begin { final_lsn: commit, xid, .. } => {
                let first = change.at;
                self.transaction = Some(Transaction { commit, first, xid, marker: None });
                Ok(())
            }
            Message::Commit { end_lsn, commit_time, .. } => self.commit(end_lsn, commit_time).await,
            Message::Relation(relation) => self.relation(relation).await,
            Message::Message { prefix, content, lsn, .. } => {
                if prefix == MARKER_PREFIX
                    && let Some(transaction) = &mut self.transaction
                {
                    transaction.marker = Marker::parse(self.slot, &content);
                }
                if prefix == DDL_PREFIX && !content.is_empty() {
                    return self.schema_change(&content, lsn).await;
                }
                Ok(())
            }
            Message::Insert { .. }
            | Message::Update { .. }
            | Message::Delete { .. }
            | Message::Truncate { .. } => self.row_change(message).await,
            Message::Origin { .. } | Message::Type { .. } => Ok(()),
            _ => Err(unreadable("a message came that was not asked for (streamed or two-phase)")),
        }
    }

    async fn row_change(&mut self, message: Message) -> Result<(), Fault> {
        let Some(transaction) = &self.transaction else {
            return Err(unreadable("a row change came outside a transaction"));
        };
        let (first, commit) = (transaction.first, transaction.commit);
        if let Some(table) = self.changes.older_values(&message, (first, commit))
            && !self.at_marker()
        {
            self.open().await?;
            self.changes.write_rows_before().await?;
            self.changes.hold(table).await?;
            self.state.send_modify(|state| state.tables_wait = true);
        }
        for told in self.changes.told_and_unlike(&message, commit) {
            self.relation(told).await?;
        }
        let Some(about) = self.changes.concerned(&message, commit)? else {
            return Ok(());
        };
        if self.at_marker() {
            self.written_later(format!("a row of {} was changed", about.table.label));
            return Ok(());
        }
        let (message, bytes) = Changes::weigh(&about, message);
        if !self.changes.has_room(bytes) {
            self.send_run().await?;
        }
        self.group.open = true;
        self.group.changes += 1;
        self.progress.incoming(about.table.oid, kind(&message));
        self.changes.take_in(message, about, bytes);
        Ok(())
    }

    /// Nothing that comes behind a cutover's marker is applied.
    fn written_later(&self, what: String) {
        self.state.send_modify(|state| {
            state.written_later.get_or_insert(what);
        });
    }

    /// A table's columns. What no event trigger has told of them is asked now.
    async fn relation(&mut self, relation: pgoutput::Relation) -> Result<(), Fault> {
        let commit = self.transaction.as_ref().map_or(Lsn(0), |transaction| transaction.commit);
        let Err(fault) = self.changes.relation(&relation, commit) else { return Ok(()) };
        if self.at_marker() {
            let label = format!("{}.{}", relation.namespace, relation.name);
            self.written_later(format!("a row of {label} was changed"));
            self.changes.tables.is_gone(relation.id);
            return Ok(());
        }
        self.open().await?;
        self.changes.find_out(&relation, commit, fault).await?;
        if self.changes.altered.copy {
            self.state.send_modify(|state| state.tables_wait = true);
        }
        // It may have had a third name in between, which the stream says here: the rows are told by its OID.
        self.changes.relation(&self.changes.tables.as_it_is_named(relation), commit)
    }

    /// The source's event trigger tells what a command has made. `at`: where it has told it.
    async fn schema_change(&mut self, content: &[u8], at: Lsn) -> Result<(), Fault> {
        let note = Note::parse(self.slot, content).map_err(|error| {
            unreadable(&format!("a change of the schema can't be read: {error}"))
        })?;
        let (Some(note), Some(transaction)) = (note, &self.transaction) else { return Ok(()) };
        let (commit, xid) = (transaction.commit, transaction.xid);
        if self.at_marker() {
            self.state.send_modify(|state| {
                state.altered_later.get_or_insert_with(|| note.tag.clone());
            });
            self.written_later(format!("its schema was changed ({})", note.tag));
            return Ok(());
        }
        self.open().await?;
        let told = Told { at, commit, seen: Seen::by(&note, xid)? };
        let Sifted { note, changed } = self.changes.without_older(note, &told).await?;
        self.changes.carry(&note, commit).await?;
        self.changes.tell_when(&changed, &told).await?;
        if self.changes.altered.copy {
            self.state.send_modify(|state| state.tables_wait = true);
        }
        Ok(())
    }
}

fn kind(message: &Message) -> Kind {
    match message {
        Message::Insert { .. } => Kind::Insert,
        Message::Update { .. } => Kind::Update,
        Message::Delete { .. } => Kind::Delete,
        _ => Kind::Other,
    }
}
