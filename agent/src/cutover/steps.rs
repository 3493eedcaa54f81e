//! What the target's steps act on.
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::{order::StepResult, verify::Verified};
use crate::target::{Control, Copied, Plan, Receiver, StreamState};

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
    /// The attempt that was last found in order, and when: what was true then may not be at the switch.
    pub verified: Mutex<Option<Verified>>,
    /// The entries of a dump that was taken again, for the source's schema had changed.
    again: Mutex<Option<Arc<Plan>>>,
    /// Where the steps' results go.
    pub results: mpsc::Sender<StepResult>,
}

impl<'a> Steps<'a> {
    /// For one running receiver.
    pub fn new(
        receiver: &'a Receiver,
        copied: &'a Copied,
        stream: Option<watch::Receiver<StreamState>>,
        control: Option<mpsc::Sender<Control>>,
        results: mpsc::Sender<StepResult>,
    ) -> Self {
        Self {
            receiver,
            copied,
            stream,
            control,
            verified: Mutex::new(None),
            again: Mutex::new(None),
            results,
        }
    }

    /// The entries of the newest dump.
    pub(super) fn plan(&self) -> Arc<Plan> {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.clone().unwrap_or_else(|| Arc::clone(&self.copied.plan))
    }

    pub(super) fn keep_plan(&self, plan: Arc<Plan>) {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
    }
}
