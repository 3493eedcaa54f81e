//! pg_dump: everything but rows, as an archive in custom format.
use std::{process::Stdio, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    postgres::{ChildEnvironment, Client},
    selection::{LeftOut, dump_options},
    wire::{Frame, FrameSender},
};

/// Bytes of the archive in one frame.
const FRAME_BYTES: usize = 256 << 10;

const ARGUMENTS: [&str; 6] = [
    "--format=custom",
    "--section=pre-data",
    "--section=post-data",
    "--no-subscriptions",
    "--exclude-schema=whimbrel",
    "--no-blobs",
];

/// It locks all tables, one after the other, and gives those that it has up before the server looks who ends a deadlock with the
/// application's transaction (see `patient.rs`; in milliseconds, of one statement).
const LOCK_WAIT: &str = "--lock-wait-timeout=700";

/// What its complaint ends with then, the query.
const LOCKING: &str = " IN ACCESS SHARE MODE";

/// For so long. Then it waits like any other pg_dump: a lock may be held for hours, or not be the cause at all.
const LOCK_TRIES: Duration = Duration::from_secs(30);

/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(250);

/// Of pg_dump's complaints only the end is told: its last lines say why it stopped.
const COMPLAINT_BYTES: usize = 2000;

/// Who we log in as, if that is a superuser: pg_dump's sessions stay one as ours do, whatever role a setting makes them.
async fn superuser(client: &Client) -> Result<Option<String>, Fault> {
    let sql = "select rolname::text from pg_roles where rolname = session_user and rolsuper";
    let row = client.query_opt(sql, &[]).await.doing("asking who we log in as")?;
    Ok(row.map(|row| row.get(0)))
}

impl Sender {
    pub(super) async fn dump(
        &self,
        target_major: u32,
        under_snapshot: bool,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        // Held until the end: the snapshot lives as long.
        let held = if under_snapshot { Some(self.held().await?) } else { None };
        let source_major = self.control().await?.server_major();
        let program = &self.spec.programs.dump_for(source_major, target_major)?.dump;
        let environment =
            ChildEnvironment::new(&self.spec.endpoint, &self.spec.database, &self.purpose("dump"))
                .map_err(|error| {
                    Fault::retry("PgDumpFailed", format!("writing its password file: {error}"))
                })?;
        let client = match &held {
            Some(_) => self.session_in_snapshot("selection").await?,
            None => self.session("selection").await?,
        };
        let left_out = LeftOut::read(&client, &self.spec.selected).await?;
        let role = superuser(&client).await?;
        drop(client);
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.extend(quoting(source_major, target_major).map(str::to_owned));
        arguments.extend(dump_options(&left_out)?);
        arguments.extend(role.map(|role| format!("--role={role}")));
        arguments.extend(held.as_ref().map(|held| format!("--snapshot={}", held.name())));
        let begun = Instant::now();
        loop {
            let is_patient = begun.elapsed() >= LOCK_TRIES;
            let mut command = Command::new(&program.path);
            environment.apply(&mut command);
            command
                .args(&arguments)
                .args((!is_patient).then_some(LOCK_WAIT))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true);
            let child = command.spawn().map_err(|error| {
                Fault::hold("PgDumpFailed", format!("starting {}: {error}", program.path.display()))
            })?;
            match send_output(child, reply).await {
                // Its tables are locked before anything is written.
                Err(fault) if !is_patient && fault.message.contains(LOCKING) => {
                    tracing::debug!(%fault, "a lock on the source is in pg_dump's way");
                    sleep(LOCK_PAUSE).await;
                }
                done => return done,
            }
        }
    }
}

/// The source's server writes definitions, and quotes what is a keyword to it: a parameter named json is none before 16.
fn quoting(source_major: u32, target_major: u32) -> Option<&'static str> {
    (source_major != target_major).then_some("--quote-all-identifiers")
}

async fn send_output(mut child: Child, reply: &FrameSender) -> Result<(), Fault> {
    let broken = |what: &str| Fault::retry("PgDumpFailed", format!("running pg_dump: {what}"));
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(broken("it has no output"));
    };
    let complaint = tokio::spawn(async move {
        let mut text = Vec::new();
        // What can't be read is not told; its exit status still is.
        stderr.read_to_end(&mut text).await.ok();
        text
    });
    let mut stdout = BufReader::with_capacity(FRAME_BYTES, stdout);
    loop {
        let mut frame = BytesMut::with_capacity(FRAME_BYTES);
        let read = stdout.read_buf(&mut frame).await.map_err(|e| broken(&e.to_string()))?;
        if read == 0 {
            break;
        }
        reply.send(Frame::Bytes(frame.freeze())).await?;
    }
    let status = child.wait().await.map_err(|e| broken(&e.to_string()))?;
    let complaint = complaint.await.unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&complaint);
    let start = text.len().saturating_sub(COMPLAINT_BYTES);
    let tail = text.get(start..).unwrap_or(&text);
    // Its connection may have been cut, or the snapshot lost: tried again a few times before a person is asked.
    Err(Fault::retry("PgDumpFailed", format!("pg_dump ended with {status}: {}", tail.trim()))
        .remedy("give the source's role the right to read every object, then retry"))
}
