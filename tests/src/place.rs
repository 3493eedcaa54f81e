//! Where the tests put what they start: folders and ports.
use std::{
    net::TcpListener,
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{Failure, Outcome};

/// Ports are looked for below the range that outgoing connections take theirs from (32768 on Linux).
const PORTS: Range<u16> = 20_000..32_000;

/// Where everything temporary goes: `WHIMBREL_TEST_DIR`, or the system's place.
#[must_use]
pub fn scratch() -> PathBuf {
    std::env::var_os("WHIMBREL_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

/// A port that nobody listens on now.
///
/// # Errors
/// When all of them are taken.
pub fn free_port() -> Outcome<u16> {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    // Processes that run at the same time begin at different places, and one asks for no port twice.
    let begin = std::process::id() as usize * 97;
    for _ in PORTS {
        let at = begin + ASKED.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + u16::try_from(at % PORTS.len())?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new(format!("no free port in {PORTS:?}")))
}
