//! How many may be at the doors, all together and from one address.
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes at once: each costs a signature, and 64 keep two cores busy for well under a second.
const HANDSHAKES_MAX: usize = 64;

/// Of one address: agents of one network can come behind a single one, and still others find room.
const HANDSHAKES_OF_ONE_MAX: usize = 48;

/// Connections that are accepted and have not shaken hands: as many as come back at once after a restart of the
/// controller, or so. A few kilobytes and a file descriptor each.
const WAITING_MAX: usize = 1_024;

/// Of one address.
const WAITING_OF_ONE_MAX: usize = 768;

/// Who is at the doors.
pub(super) struct Doors {
    handshakes: Arc<Semaphore>,
    waiting: Mutex<HashMap<IpAddr, Waiting>>,
}

struct Waiting {
    connections: usize,
    handshakes: Arc<Semaphore>,
}

/// One connection's place, until it is dropped.
pub(super) struct Door {
    doors: Arc<Doors>,
    from: IpAddr,
    handshakes: Arc<Semaphore>,
}

/// One handshake's place, until it is dropped.
pub(super) struct Handshake {
    _places: [Option<OwnedSemaphorePermit>; 2],
}

impl Doors {
    pub(super) fn new() -> Self {
        Self { handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)), waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<IpAddr, Waiting>> {
        // Each change is one call: what is there is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection; none when there are too many.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Door> {
        let mut waiting = self.waiting();
        let all: usize = waiting.values().map(|of_one| of_one.connections).sum();
        let of_one = waiting.get(&from).map_or(0, |of_one| of_one.connections);
        if all >= WAITING_MAX || of_one >= WAITING_OF_ONE_MAX {
            return None;
        }
        let of_one = waiting.entry(from).or_insert_with(|| Waiting {
            connections: 0,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_OF_ONE_MAX)),
        });
        of_one.connections += 1;
        let handshakes = Arc::clone(&of_one.handshakes);
        Some(Door { doors: Arc::clone(self), from, handshakes })
    }
}

impl Door {
    pub(super) fn from(&self) -> IpAddr {
        self.from
    }

    /// A place for its handshake, once there is one: first among those of its address.
    pub(super) async fn handshake(&self) -> Handshake {
        // Neither is ever closed.
        let of_one = Arc::clone(&self.handshakes).acquire_owned().await.ok();
        let of_all = Arc::clone(&self.doors.handshakes).acquire_owned().await.ok();
        Handshake { _places: [of_one, of_all] }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut waiting = self.doors.waiting();
        if let Some(of_one) = waiting.get_mut(&self.from) {
            of_one.connections -= 1;
            if of_one.connections == 0 {
                waiting.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_address_never_has_all_places() {
        let doors = Arc::new(Doors::new());
        let (near, far): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut many: Vec<Door> = std::iter::from_fn(|| doors.enter(near)).collect();
        assert_eq!(many.len(), WAITING_OF_ONE_MAX);
        let other = doors.enter(far).unwrap();
        let shaking: Vec<Handshake> =
            many.iter().map_while(|door| door.handshake().now_or_never()).collect();
        assert_eq!(shaking.len(), HANDSHAKES_OF_ONE_MAX);
        assert!(other.handshake().now_or_never().is_some());
        many.pop();
        assert!(doors.enter(near).is_some(), "who goes makes room");
        drop((shaking, many, other));
        assert!(doors.waiting().is_empty(), "nothing is kept of who is gone");
    }
}
