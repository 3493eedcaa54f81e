//! Stages take turns: more of them at once would only be slow together.
use std::sync::{Condvar, Mutex, PoisonError};

/// Stages at once: each has two servers and a migration, and a machine of two cores carries two of them.
const STAGES_MAX: usize = 2;

/// One of [`STAGES_MAX`] places on the machine.
pub(super) struct Turn;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Turn {
    pub(super) fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREED
            .wait_while(taken, |taken| *taken >= STAGES_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
