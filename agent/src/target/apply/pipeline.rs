//! Statements on their way to the target, in order, without waiting for each.
use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc, task::Poll};

use futures_util::poll;

use crate::fault::{Fault, Policy};

/// Statements on their way. One round trip is shared by this many; their replies are a few bytes each.
const IN_FLIGHT: usize = 512;

/// Bytes of values on their way: tokio-postgres copies them, and a row can have hundreds of megabytes. A larger one
/// travels alone.
const IN_FLIGHT_BYTES: usize = 4 << 20;

type Reply = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send>>;

/// The queue of replies that are still to come.
#[derive(Default)]
pub(super) struct Pipeline {
    replies: VecDeque<(Reply, Expected)>,
    bytes: usize,
}

/// What a reply must say.
pub(super) struct Expected {
    /// What was being done, for an error.
    pub(super) doing: Arc<str>,
    /// How many rows; `None`: any number.
    pub(super) rows: Option<u64>,
    /// Of the statement's values.
    pub(super) bytes: usize,
    /// What it means when they are other.
    pub(super) otherwise: Otherwise,
    /// The table that it is about, alone.
    pub(super) table: Option<Arc<str>>,
    /// It only begins or ends something: it fails with what was before it, or not at all.
    pub(super) bracket: bool,
}

/// What another number of rows means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// The row change met no row, or several.
    RowMissing,
    /// Another epoch owns the ledger.
    Fenced,
}

impl Pipeline {
    /// Sends a statement: tokio-postgres hands it to the connection when its future is first polled, so polling it here
    /// keeps the order. Waits when too many are on their way.
    pub(super) async fn send(
        &mut self,
        statement: impl Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'static,
        expected: Expected,
    ) -> Result<(), Fault> {
        let mut reply: Reply = Box::pin(statement);
        match poll!(&mut reply) {
            Poll::Ready(result) => check(result, &expected)?,
            Poll::Pending => {
                self.bytes += expected.bytes;
                self.replies.push_back((reply, expected));
            }
        }
        if self.replies.len() >= IN_FLIGHT {
            self.wait(IN_FLIGHT / 2).await?;
        }
        while self.bytes > IN_FLIGHT_BYTES && !self.replies.is_empty() {
            self.wait(self.replies.len() / 2).await?;
        }
        Ok(())
    }

    /// Waits until no change is on its way; what only begins or ends something may be.
    pub(super) async fn settle_changes(&mut self) -> Result<(), Fault> {
        let last = self.replies.iter().rposition(|(_, expected)| !expected.bracket);
        match last {
            Some(last) => self.wait(self.replies.len() - 1 - last).await,
            None => Ok(()),
        }
    }

    /// Waits until at most `left` replies are to come.
    pub(super) async fn wait(&mut self, left: usize) -> Result<(), Fault> {
        while self.replies.len() > left {
            let Some((reply, expected)) = self.replies.pop_front() else { break };
            self.bytes -= expected.bytes;
            check(reply.await, &expected)?;
        }
        Ok(())
    }
}

impl Pipeline {
    /// After an error: what is still to come is of a transaction that has failed, and says nothing new.
    pub(super) async fn abandon(&mut self) {
        while let Some((reply, _)) = self.replies.pop_front() {
            if let Err(error) = reply.await {
                tracing::trace!(code = ?error.code(), "a statement behind one that failed");
            }
        }
        self.bytes = 0;
    }
}

fn check(result: Result<u64, tokio_postgres::Error>, expected: &Expected) -> Result<(), Fault> {
    let doing = &expected.doing;
    let rows = result.map_err(|error| blame(Fault::sql(doing, &error), &error, expected))?;
    match expected.rows {
        Some(wanted) if wanted != rows => Err(match expected.otherwise {
            Otherwise::Fenced => Fault::fenced(doing),
            Otherwise::RowMissing => Fault::new(
                Policy::Hold,
                "RowMissing",
                format!("{doing}: it met {rows} rows on the target, not {wanted}"),
            )
            .remedy(
                "something else writes to the target, or hides rows from us (row security): stop it, then `whimbrel migration retry --table`",
            )
            .of_table(expected.table.as_deref()),
        }),
        _ => Ok(()),
    }
}

/// What the rows of one table did not let through is that table's alone. A constraint that is checked at the commit names
/// its table too.
fn blame(fault: Fault, error: &tokio_postgres::Error, expected: &Expected) -> Fault {
    if !["ConstraintViolated", "InvalidData"].contains(&&*fault.code) {
        return fault;
    }
    let named =
        error.as_db_error().and_then(|db| Some(format!("{}.{}", db.schema()?, db.table()?)));
    fault.of_table(expected.table.as_deref().or(named.as_deref()))
}
