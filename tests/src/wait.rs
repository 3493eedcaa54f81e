//! Waiting for a cause, never for a time.
use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, Outcome};

/// Long enough for a slow machine that does something else too; a test that needs more is broken.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How often a cause is looked for: short against what is waited for, long against a look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until `look` finds something, at most [`PATIENCE`].
///
/// # Errors
/// When `look` fails, or has found nothing in time; `what` says what was waited for.
pub fn until<T>(what: &str, look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    until_within(PATIENCE, what, look)
}

/// [`until`], with a bound of its own.
///
/// # Errors
/// As [`until`].
pub fn until_within<T>(
    bound: Duration,
    what: &str,
    mut look: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let end = Instant::now() + bound;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= end {
            return Err(Failure::new(format!("waited {bound:?} in vain for {what}")));
        }
        thread::sleep(LOOK_EVERY);
    }
}
