//! How much of a stream the kernel may hold for us: little, where the walsender is near.
//!
//! A walsender flushes each message by itself. While there is room here, each goes as a packet of its own and is acknowledged
//! by itself, which costs the source's processor as much again as decoding does. Where there is no room they wait on its
//! side, and go together. (400,000 transactions with an INSERT each: 2.6 s of the walsender's processor time, and 5.0 s with
//! a buffer that the kernel lets grow; 2.9 s and 5.6 s until they are applied.) Over a longer way the buffer has to grow: it bounds
//! what is under way there (tcp(7), `tcp_rmem`).
//!
//! That needs a reader who leaves the buffer full (`source/pace.rs`). Until it is full the messages come one by one, so a larger one
//! costs more: of 400,000 transactions with an UPDATE each over packets of 1,500 bytes, 2.5 s with this, 3.8 s with twice, 5.0 s with
//! four times of it. Half of it holds so little that the server waits for the reader: 4.0 s. Bounding the window itself
//! (`TCP_WINDOW_CLAMP`) below half of what it was at first makes a server of the same machine wait for its persist timer: 200 ms at
//! a time.
use std::time::{Duration, Instant};

use super::{connection::ReplicationConnection, error::ReplicationError};

/// What the buffer is set to then; the kernel takes twice of it, which is what it begins with by itself.
const SMALL_BYTES: usize = 64 << 10;
/// So long there and back is near: a small buffer lets at least 64 MB a second pass, more than a walsender decodes.
const NEAR: Duration = Duration::from_millis(1);
/// So long is far, however busy the server may be: it is not asked again.
const FAR: Duration = Duration::from_millis(50);
/// A server that is busy may answer late; the shortest of so many answers tells the way.
const ASKED_MAX: u32 = 8;

/// Keeps the buffer small where the server is on this machine, or one of a few answers comes soon enough.
pub(super) async fn bound(connection: &mut ReplicationConnection) -> Result<(), ReplicationError> {
    if connection.frames.wire().is_same_machine() || is_near(connection).await? {
        connection.frames.wire().bound_receive_buffer(SMALL_BYTES);
    }
    Ok(())
}

async fn is_near(connection: &mut ReplicationConnection) -> Result<bool, ReplicationError> {
    for _ in 0..ASKED_MAX {
        let asked = Instant::now();
        connection.query("show server_version_num", "asking how far the server is").await?;
        match asked.elapsed() {
            took if took <= NEAR => return Ok(true),
            took if took >= FAR => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}
