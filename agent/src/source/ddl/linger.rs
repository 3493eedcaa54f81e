//! Waits, once the triggers are gone, for the commands that may have looked them up before.
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// At the longest. A command that had looked a trigger up already calls its function within microseconds, so this is enough however
/// long the command then runs, and for sessions that we can't look into.
const LINGER: Duration = Duration::from_millis(200);

/// Between the looks: most commands take less.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// After it nobody calls the function any more: it would fail without it. Every command that began before has ended, or has
/// had [`LINGER`].
pub(super) async fn linger(client: &Client) -> Result<(), Fault> {
    let doing = "waiting for commands that may still call our event trigger on the source";
    let end = Instant::now() + LINGER;
    let now = client.query_one("select clock_timestamp()::text", &[]).await.doing(doing)?;
    let now: String = now.get(0);
    while Instant::now() < end {
        let row = client.query_one(include_str!("linger.sql"), &[&now]).await.doing(doing)?;
        if !row.get::<_, bool>(0) {
            return Ok(());
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}
