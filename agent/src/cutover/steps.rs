//! What the target's steps act on.
use tokio::sync::{mpsc, watch};

use super::order::StepResult;
use crate::target::{Control, Copied, Receiver, StreamState};

/// What the steps before the switch act on.
pub struct Steps<'a> {
    /// The receiving end.
    pub receiver: &'a Receiver,
    /// What it has copied.
    pub copied: &'a Copied,
    /// Where the change stream is; none in an offline migration.
    pub stream: Option<watch::Receiver<StreamState>>,
    /// How the stream is told which markers count; none in an offline migration.
    pub control: Option<mpsc::Sender<Control>>,
    /// Where the steps' results go.
    pub results: mpsc::Sender<StepResult>,
}
