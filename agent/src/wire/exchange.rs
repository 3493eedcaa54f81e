//! Joins the two ends of a pipeline that both run in this agent.
use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::{sync::oneshot, time::timeout};

use super::{Caller, Listener, pipe};
use crate::fault::Fault;

/// How long one end waits for the other. Both commands leave the controller together; a minute covers an agent that
/// has just reconnected.
const PEER_WAIT: Duration = Duration::from_secs(60);

/// Which pipeline: the same three at both ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PipeKey {
    /// The migration's uid.
    pub migration: String,
    /// The database's name.
    pub database: String,
    /// An older epoch's end never meets a newer one's.
    pub epoch: u64,
}

/// The ends that wait for their peer.
#[derive(Debug, Default)]
pub struct Exchange {
    waiting: Mutex<HashMap<PipeKey, Waiting>>,
}

#[derive(Debug)]
enum Waiting {
    Receiver(oneshot::Sender<Caller>),
    Sender(oneshot::Sender<Listener>),
}

impl Exchange {
    /// The receiver's end, once the sender is there.
    ///
    /// # Errors
    /// `PeerMissing` after [`PEER_WAIT`].
    pub async fn caller(&self, key: &PipeKey) -> Result<Caller, Fault> {
        let arrival = {
            let mut waiting = self.lock();
            match waiting.remove(key) {
                Some(Waiting::Sender(peer)) => {
                    let (caller, listener) = pipe();
                    if peer.send(listener).is_ok() {
                        return Ok(caller);
                    }
                }
                Some(Waiting::Receiver(_)) | None => {}
            }
            let (tell, arrival) = oneshot::channel();
            waiting.insert(key.clone(), Waiting::Receiver(tell));
            arrival
        };
        self.wait(key, arrival, "sending").await
    }

    /// The sender's end, once the receiver is there.
    ///
    /// # Errors
    /// `PeerMissing` after [`PEER_WAIT`].
    pub async fn listener(&self, key: &PipeKey) -> Result<Listener, Fault> {
        let arrival = {
            let mut waiting = self.lock();
            match waiting.remove(key) {
                Some(Waiting::Receiver(peer)) => {
                    let (caller, listener) = pipe();
                    if peer.send(caller).is_ok() {
                        return Ok(listener);
                    }
                }
                Some(Waiting::Sender(_)) | None => {}
            }
            let (tell, arrival) = oneshot::channel();
            waiting.insert(key.clone(), Waiting::Sender(tell));
            arrival
        };
        self.wait(key, arrival, "receiving").await
    }

    async fn wait<T>(
        &self,
        key: &PipeKey,
        arrival: oneshot::Receiver<T>,
        peer: &str,
    ) -> Result<T, Fault> {
        match timeout(PEER_WAIT, arrival).await {
            Ok(Ok(end)) => Ok(end),
            // Replaced by a second end of the same side.
            Ok(Err(_)) => Err(missing(key, peer)),
            Err(_) => {
                self.lock().remove(key);
                Err(missing(key, peer))
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PipeKey, Waiting>> {
        // A panic while the lock is held leaves the map whole: every change to it is one call.
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn missing(key: &PipeKey, peer: &str) -> Fault {
    Fault::retry(
        "PeerMissing",
        format!("the {peer} end for database {:?} did not come to this agent", key.database),
    )
    .remedy("name one agent that reaches both servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(epoch: u64) -> PipeKey {
        PipeKey { migration: "m".into(), database: "d".into(), epoch }
    }

    #[tokio::test]
    async fn the_ends_meet_whoever_comes_first() {
        for receiver_first in [true, false] {
            let exchange = Exchange::default();
            let key = key(1);
            let (caller, listener) = if receiver_first {
                tokio::join!(exchange.caller(&key), exchange.listener(&key))
            } else {
                let (listener, caller) =
                    tokio::join!(exchange.listener(&key), exchange.caller(&key));
                (caller, listener)
            };
            assert!(caller.is_ok() && listener.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn epochs_never_meet() {
        let exchange = Exchange::default();
        let (one, two) = (key(1), key(2));
        let (caller, listener) = tokio::join!(exchange.caller(&one), exchange.listener(&two));
        assert_eq!(caller.unwrap_err().code, "PeerMissing");
        assert!(listener.is_err());
    }
}
