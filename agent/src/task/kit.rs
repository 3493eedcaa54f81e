//! What every task is given.
use std::sync::Arc;

use crate::{postgres::Programs, secret::Secrets, wire::Exchange};

/// This agent's means.
#[derive(Debug)]
pub(super) struct Kit {
    pub(super) secrets: Secrets,
    pub(super) programs: Arc<Programs>,
    pub(super) exchange: Exchange,
}
