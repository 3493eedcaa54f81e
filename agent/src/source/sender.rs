//! The sender: what it sends, and its sessions on the source.
use std::sync::Arc;

use tokio::sync::Mutex;
use whimbrel_proto::agent::v1::SourceObjects;

use super::{marker::Unstreamed, snapshot::Held};
use crate::{
    fault::Fault,
    postgres::{Client, Endpoint, Programs, connect},
    selection::Selected,
};

/// What the sender is to send.
#[derive(Debug, Clone)]
pub struct SenderSpec {
    /// The source server.
    pub endpoint: Endpoint,
    /// The database on it.
    pub database: String,
    /// Of the task: sessions of an older one are ended, and one of a newer one shows that this one is over.
    pub epoch: u64,
    /// What is made there, by name.
    pub objects: SourceObjects,
    /// Which of the database's objects.
    pub selected: Selected,
    /// Follow the source's schema by event triggers, where our role may make them.
    pub follow_schema_changes: bool,
    /// pg_dump, of every version that is here.
    pub programs: Arc<Programs>,
}

/// The sending end, shared by its answers.
#[derive(Debug)]
pub struct Sender {
    pub(super) spec: SenderSpec,
    /// The snapshot that copies are made under.
    pub(super) held: Mutex<Option<Arc<Held>>>,
    /// Markers that the server does not stream itself.
    pub(super) unstreamed: Unstreamed,
    /// For short statements; opened again when it was lost.
    control: Mutex<Option<Arc<Client>>>,
}

impl Sender {
    /// Connects to nothing yet.
    pub fn new(spec: SenderSpec) -> Arc<Self> {
        Arc::new(Self {
            spec,
            held: Mutex::new(None),
            unstreamed: Unstreamed::default(),
            control: Mutex::new(None),
        })
    }

    /// What it sends.
    pub fn spec(&self) -> &SenderSpec {
        &self.spec
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

    /// What a session is for, with whose it is: a newer epoch ends those of older ones, cleaning up those that are left.
    pub(super) fn purpose(&self, purpose: &str) -> String {
        format!("{purpose} {} {}", self.spec.objects.slot, self.spec.epoch)
    }
}
