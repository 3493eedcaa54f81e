//! Follows a migration through `WatchMigration`: reconnects, and resumes where it was, so that no event is lost when the
//! controller restarts.
use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use tonic::{Code, Status, Streaming};
use whimbrel_proto::v1::{Migration, WatchMigrationRequest, WatchMigrationResponse};

use crate::{
    client::Client,
    failure::{Failure, innermost},
    words,
};

/// A controller that restarts is back within seconds; one that stays away this long needs a person.
const AWAY_MAX: Duration = Duration::from_secs(120);

/// First pause before connecting again.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// Longest pause: often enough to notice a return soon, seldom enough not to load a controller that starts.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// The controller ends the watch once all of the final state was sent; this is for one that forgets to.
const END_MAX: Duration = Duration::from_secs(5);

/// A migration that is being followed.
pub(crate) struct Follower {
    client: Client,
    request: WatchMigrationRequest,
    stream: Option<Streaming<WatchMigrationResponse>>,
    /// The final state was seen: what still comes belongs to it.
    over: bool,
    met: bool,
    away_since: Option<Instant>,
    pause: Duration,
}

impl Follower {
    /// Follows `name` (`targets/{target}/migrations/{migration}`), with progress of tables if asked for.
    pub(crate) fn new(client: &Client, name: String, tables: bool) -> Self {
        Self {
            client: client.clone(),
            request: WatchMigrationRequest { name, tables, resume_token: String::new() },
            stream: None,
            over: false,
            met: false,
            away_since: None,
            pause: PAUSE_MIN,
        }
    }

    /// The next change; `None` after all of the final state.
    ///
    /// # Errors
    /// What the controller refuses; a controller that stays away for [`AWAY_MAX`].
    pub(crate) async fn next(&mut self) -> Result<Option<WatchMigrationResponse>, Failure> {
        loop {
            match self.step().await {
                Ok(Some(response)) => {
                    self.met = true;
                    self.away_since = None;
                    self.pause = PAUSE_MIN;
                    self.request.resume_token.clone_from(&response.resume_token);
                    self.over = response.migration.as_ref().is_some_and(is_over);
                    return Ok(Some(response));
                }
                Ok(None) if self.over => return Ok(None),
                Ok(None) => self.wait("the watch was closed".to_owned()).await?,
                // A controller that was never there is not waited for: the address may be wrong.
                Err(status) if self.met && is_passing(&status) => {
                    let cause =
                        status.source().map_or_else(|| status.message().to_owned(), innermost);
                    self.wait(cause).await?;
                }
                Err(status) => return Err(status.into()),
            }
        }
    }

    /// One message of the stream, which is opened if need be.
    async fn step(&mut self) -> Result<Option<WatchMigrationResponse>, Status> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let request = self.request.clone();
                let opened = self.client.migrations().watch_migration(request).await?;
                none.insert(opened.into_inner())
            }
        };
        if !self.over {
            return stream.message().await;
        }
        tokio::time::timeout(END_MAX, stream.message()).await.unwrap_or(Ok(None))
    }

    async fn wait(&mut self, cause: String) -> Result<(), Failure> {
        self.stream = None;
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() > AWAY_MAX {
            return Err(Failure::Unreachable { address: self.client.address.clone(), cause });
        }
        tracing::info!(cause, "lost the watch, connecting again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// The migration's state is final.
pub(crate) fn is_over(migration: &Migration) -> bool {
    migration.status.as_ref().is_some_and(|status| words::is_final(status.state()))
}

/// Trying again may help: the connection broke, or the controller is starting.
fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded)
        // A status of our own transport's making has a source; one that the controller sent has none.
        || status.source().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_final_and_a_broken_connection_is_not() {
        assert!(is_passing(&Status::unavailable("restarting")));
        assert!(is_passing(&Status::cancelled("connection closed")));
        assert!(is_passing(&Status::from_error(Box::new(std::io::Error::other("reset")))));
        assert!(!is_passing(&Status::not_found("no such migration")));
        assert!(!is_passing(&Status::unauthenticated("no token")));
        assert!(!is_passing(&Status::internal("a bug")));
    }
}
