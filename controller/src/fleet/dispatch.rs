//! From the outbox to the agent, in order, at least once.
use std::time::Duration;

use whimbrel_points::point;
use whimbrel_proto::agent::v1 as link;

use super::{Fleet, registry::Session};
use crate::{store::StoreError, translate::link_command};

/// Commands read at once: a migration of many databases starts with two each.
const BATCH: usize = 64;

/// After a read that failed: the disk may be full for longer, an agent's patience is longer too.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl Fleet {
    /// Sends what is in the outbox for the session's agent, and whatever comes into it, until the session ends.
    pub(super) async fn dispatch(&self, session: &Session) {
        let mut position = 0;
        loop {
            match self.send_batch(session, position).await {
                Ok(Sent::All(last)) => {
                    position = last;
                    session.wake.notified().await;
                }
                Ok(Sent::More(last)) => position = last,
                Ok(Sent::Ended) => return,
                Err(error) => {
                    tracing::error!(agent = session.agent, %error, "commands could not be sent");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn send_batch(&self, session: &Session, after: u64) -> Result<Sent, StoreError> {
        let batch = self.store.outbox(&session.agent, after, BATCH).await?;
        let full = batch.len() == BATCH;
        let mut last = after;
        for entry in batch {
            last = entry.position;
            let Some(record) = self.store.migration(&entry.migration_uid).await? else { continue };
            let Some(command) = link_command(&entry, &record.migration, self.term) else {
                tracing::error!(command = entry.id, "a command of a database that is not there");
                continue;
            };
            tracing::debug!(
                agent = session.agent,
                command = entry.id,
                database = entry.command.database,
                epoch = entry.command.epoch,
                "sending a command"
            );
            point!("command.sending");
            if !session.send(link::controller_message::Kind::Command(command)).await {
                return Ok(Sent::Ended);
            }
        }
        Ok(if full { Sent::More(last) } else { Sent::All(last) })
    }
}

/// How far a batch went: the last position sent.
enum Sent {
    All(u64),
    More(u64),
    Ended,
}
