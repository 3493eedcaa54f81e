//! What every task is given.
use std::sync::Arc;

use uuid::Uuid;

use crate::{postgres::Programs, secret::Secrets, wire::Exchange};

/// This agent's means.
#[derive(Debug)]
pub(super) struct Kit {
    /// Of this process: an epoch belongs to one of them.
    pub(super) life: Uuid,
    pub(super) secrets: Secrets,
    pub(super) programs: Arc<Programs>,
    pub(super) exchange: Exchange,
}
