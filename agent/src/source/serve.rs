//! The sender: takes asks as they come, answers each beside the others.
use std::sync::Arc;

use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;
use whimbrel_proto::agent::v1::SourceObjects;

use super::snapshot::Held;
use crate::{
    fault::Fault,
    postgres::{Client, Endpoint, Programs, connect},
    wire::{Answer, Ask, Call, Frame, FrameSender, Listener},
};

/// Answers under way at once: the copies of eight workers, the stream, and a few short ones. More wait in the pipe.
const ANSWERS: usize = 16;

/// What the sender is to send.
#[derive(Debug, Clone)]
pub struct SenderSpec {
    /// The source server.
    pub endpoint: Endpoint,
    /// The database on it.
    pub database: String,
    /// What is made there, by name.
    pub objects: SourceObjects,
    /// pg_dump, of every version that is here.
    pub programs: Arc<Programs>,
}

/// The sending end, shared by its answers.
#[derive(Debug)]
pub struct Sender {
    pub(super) spec: SenderSpec,
    /// The snapshot that copies are made under.
    pub(super) held: Mutex<Option<Arc<Held>>>,
    /// For short statements; opened again when it was lost.
    control: Mutex<Option<Arc<Client>>>,
}

impl Sender {
    /// Connects to nothing yet.
    pub fn new(spec: SenderSpec) -> Arc<Self> {
        Arc::new(Self { spec, held: Mutex::new(None), control: Mutex::new(None) })
    }

    /// What it sends.
    pub fn spec(&self) -> &SenderSpec {
        &self.spec
    }

    /// Answers until the receiver ends or `cancel` is called.
    pub async fn serve(self: Arc<Self>, mut listener: Listener, cancel: CancellationToken) {
        let mut answers = JoinSet::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
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
        self.held.lock().await.take();
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
            Ask::Snapshot(kind) => self.take_snapshot(kind).await.map(Answer::Snapshot).map(Some),
            Ask::Release => {
                self.held.lock().await.take();
                Ok(Some(Answer::Done))
            }
            Ask::Database => self.read_database().await.map(Answer::Database).map(Some),
            Ask::DatabaseSettings => {
                self.read_database_settings().await.map(Answer::Statements).map(Some)
            }
            Ask::Catalog => self.read_catalog().await.map(Answer::Catalog).map(Some),
            Ask::Shape { under_snapshot } => {
                self.read_shape(under_snapshot).await.map(Answer::Shape).map(Some)
            }
            Ask::Dump { target_major } => self.dump(target_major, reply).await.map(|()| None),
            Ask::Copy { table, name, columns, pages, format } => {
                let copy = super::copy_out::Copy { table, name, columns, pages, format };
                self.copy_out(copy, reply).await.map(|()| None)
            }
            Ask::Follow { from, system } => self.follow(from, system, reply).await.map(|()| None),
            Ask::Sequences => self.read_sequences().await.map(Answer::Sequences).map(Some),
            Ask::Checksum { name } => self.checksum(&name).await.map(Answer::Checksum).map(Some),
            Ask::Quiet { probe } => self.quiet(&probe).await.map(Answer::Quiet).map(Some),
        }
    }

    /// A session for short statements.
    pub(crate) async fn control(&self) -> Result<Arc<Client>, Fault> {
        let mut control = self.control.lock().await;
        if let Some(client) = control.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.session("control").await?);
        *control = Some(Arc::clone(&client));
        Ok(client)
    }

    /// A session of its own.
    pub(super) async fn session(&self, purpose: &str) -> Result<Client, Fault> {
        Ok(connect(&self.spec.endpoint, &self.spec.database, &self.purpose(purpose)).await?)
    }

    /// What a session is for, with whose it is: cleaning up ends those that are left.
    pub(super) fn purpose(&self, purpose: &str) -> String {
        format!("{purpose} {}", self.spec.objects.slot)
    }
}
