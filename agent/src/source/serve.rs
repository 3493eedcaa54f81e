//! Takes asks as they come, answers each beside the others.
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{changed::Window, position::Position, sender::Sender};
use crate::{
    fault::Fault,
    wire::{Answer, Ask, Call, Frame, FrameSender, Listener},
};

/// Answers under way at once: two copies for each of sixteen workers, the stream, and a few short ones. More wait in the pipe.
const ANSWERS: usize = 40;

impl Sender {
    /// Answers until the receiver ends.
    pub async fn serve(self: Arc<Self>, mut listener: Listener) {
        let mut answers = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = answers.join_next(), if !answers.is_empty() => {}
                call = listener.next(), if answers.len() < ANSWERS => match call {
                    Some(call) => {
                        let sender = Arc::clone(&self);
                        answers.spawn(async move { sender.answer(call).await });
                    }
                    None => break,
                },
            }
        }
        answers.shutdown().await;
        self.release().await;
    }

    async fn answer(&self, call: Call) {
        let Call { ask, reply } = call;
        let last = match self.carry_out(ask, &reply).await {
            Ok(Some(answer)) => Frame::Answer(Box::new(answer)),
            Ok(None) => Frame::End,
            Err(fault) => Frame::Failed(fault),
        };
        if reply.send(last).await.is_err() {
            tracing::debug!("the receiver did not wait for the answer");
        }
    }

    async fn carry_out(&self, ask: Ask, reply: &FrameSender) -> Result<Option<Answer>, Fault> {
        match ask {
            Ask::Snapshot { kind, known } => {
                self.take_snapshot(kind, known).await.map(Answer::Snapshot).map(Some)
            }
            Ask::Release => {
                self.release().await;
                Ok(Some(Answer::Done))
            }
            Ask::Database => self.read_database().await.map(Answer::Database).map(Some),
            Ask::DatabaseSettings => {
                self.read_database_settings().await.map(Answer::Statements).map(Some)
            }
            Ask::Roles => self.read_roles().await.map(Answer::Roles).map(Some),
            Ask::Catalog => self.read_catalog().await.map(Answer::Catalog).map(Some),
            Ask::Shape { under_snapshot } => {
                self.read_shape(under_snapshot).await.map(Answer::Shape).map(Some)
            }
            Ask::Dump { target_major, under_snapshot } => {
                self.dump(target_major, under_snapshot, reply).await.map(|()| None)
            }
            Ask::Copy(copy) => self.copy_out(copy, reply).await.map(|()| None),
            Ask::CopyKeys { copy, key, keys, pages } => {
                self.copy_keys(&copy, &key, &keys, &pages, reply).await.map(|()| None)
            }
            Ask::ChangedKeys { tables, to, known } => {
                self.changed_keys(&tables, Window { to, known }, reply).await.map(|()| None)
            }
            Ask::Follow { from, known, last } => {
                self.follow(Position { from, known }, last, reply).await.map(|()| None)
            }
            Ask::Structures { relations, under_snapshot } => {
                self.structures(&relations, under_snapshot, reply).await.map(|()| None)
            }
            Ask::Rights { under_snapshot } => {
                self.read_rights(under_snapshot).await.map(Answer::Statements).map(Some)
            }
            Ask::Traits => self.read_traits().await.map(Answer::Traits).map(Some),
            Ask::Followed => self.is_followed().await.map(Answer::Followed).map(Some),
            Ask::Published => self.published().await.map(Answer::Published).map(Some),
            Ask::Unpublished => self.unpublished().await.map(Answer::Tables).map(Some),
            Ask::Publish(tables) => self.publish(&tables).await.map(Answer::Tables).map(Some),
            Ask::ExtensionTables { under_snapshot } => {
                self.extension_tables(under_snapshot).await.map(Answer::ExtensionTables).map(Some)
            }
            Ask::ExtensionRows(table) => self.extension_rows(&table, reply).await.map(|()| None),
            Ask::ExtensionChecksum { table, under_snapshot } => {
                let sum = self.extension_checksum(&table, under_snapshot).await;
                sum.map(Answer::Checksum).map(Some)
            }
            Ask::LargeObjects { after, digests, under_snapshot } => {
                let found = self.large_objects(after, digests, under_snapshot).await;
                found.map(Answer::LargeObjects).map(Some)
            }
            Ask::LargeObjectContents { oids } => {
                self.large_object_contents(&oids, reply).await.map(|()| None)
            }
            Ask::Blockers => self.slot_waits_for().await.map(Answer::Blockers).map(Some),
            Ask::Load => self.others_at_work().await.map(Answer::Load).map(Some),
            Ask::Sequences => self.read_sequences().await.map(Answer::Sequences).map(Some),
            Ask::Files { under_snapshot } => {
                self.files(under_snapshot).await.map(Answer::Files).map(Some)
            }
            Ask::Checksum { name, columns, under_snapshot } => {
                self.checksum(&name, &columns, under_snapshot).await.map(Answer::Checksum).map(Some)
            }
            Ask::Probe { probe } => self.probe(&probe).await.map(|_| Some(Answer::Done)),
            Ask::Quiet { probe } => self.quiet(&probe).await.map(Answer::Quiet).map(Some),
        }
    }
}
