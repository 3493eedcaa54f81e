//! Reads of the source's catalog that lock tables: what a view selects is told under ACCESS SHARE on all that it reads, up to the end
//! of the statement.
//!
//! While such a read waits for a table that the application's transaction alters, that transaction may want one that the read has
//! locked already. PostgreSQL ends one of the two by then, and it is the application's that looks first. So a read gives up its locks
//! before anybody looks (`deadlock_timeout`, 1 s by default), and begins anew, for as long as it takes (DESIGN.md, law 5).
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// The shorter, the less often anybody looks just then.
const LOCK_TIMEOUT: &str = "set lock_timeout = '20ms'";

/// As a fault ends that is the server's word.
const LOCK_NOT_AVAILABLE: &str = "(SQLSTATE 55P03)";

/// Until it begins anew.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a long wait is told.
const TELL_EVERY: Duration = Duration::from_secs(30);

impl Sender {
    /// A session that waits for no lock of the application's: see [`Patience`].
    pub(super) async fn impatient_session(
        &self,
        purpose: &str,
        under_snapshot: bool,
    ) -> Result<Client, Fault> {
        let client = match under_snapshot {
            true => self.session_in_snapshot(purpose).await?,
            false => self.session(purpose).await?,
        };
        client.batch_execute(LOCK_TIMEOUT).await.doing("setting lock_timeout on the source")?;
        Ok(client)
    }
}

/// What a read that met a lock waits with, before it begins anew.
#[derive(Debug)]
pub(super) struct Patience {
    told: Instant,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { told: Instant::now() }
    }

    /// Waits for a moment where a lock was in the way.
    ///
    /// # Errors
    /// Any other fault.
    pub(super) async fn bear(&mut self, fault: Fault) -> Result<(), Fault> {
        if !fault.message.ends_with(LOCK_NOT_AVAILABLE) {
            return Err(fault);
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            tracing::warn!(%fault, "a lock on the source is waited for");
        }
        sleep(PAUSE).await;
        Ok(())
    }
}
