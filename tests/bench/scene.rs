//! Two durable servers, Whimbrel beside them, and what every case does with them.
use std::{
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use whimbrel_tests::{
    Context, Failure, Outcome,
    cluster::{Cluster, ClusterOptions},
    ensure,
    installation::{Installation, output},
    place::scratch,
    stage::{Plan, Stage},
};

use crate::meter::Meter;

/// The database that is moved, on both sides.
pub(crate) const DATABASE: &str = "app";

/// Servers as a careful person sets them up on a small machine: durable, with room for WAL between checkpoints, with no
/// wait (of 5 s) before native replication starts its worker again, and
/// with autovacuum asleep, so that it does not fall into one contender's run and not into another's.
const SETTINGS: &str = "
fsync = on
shared_buffers = 512MB
maintenance_work_mem = 256MB
max_wal_size = 8GB
checkpoint_timeout = 30min
autovacuum = off
max_replication_slots = 20
max_wal_senders = 20
wal_retrieve_retry_interval = 100ms
";

/// How long one run may take.
const RUN_BOUND: &str = "30m";

/// The stage, and a count of the migrations made on it.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    folder: TempDir,
    migrations: u32,
}

impl Scene {
    pub(crate) fn set_up() -> Outcome<Self> {
        let options = ClusterOptions { settings: SETTINGS.to_owned(), ..ClusterOptions::default() };
        let stage =
            Stage::set_up(&Plan { source: options.clone(), target: options, proxied: false })?;
        let folder = tempfile::Builder::new().prefix("whimbrel-bench-").tempdir_in(scratch())?;
        Ok(Self { stage, folder, migrations: 0 })
    }

    /// Whimbrel's own processes.
    pub(crate) fn daemons(&self) -> Outcome<Vec<u32>> {
        let programs = [&self.stage.agent, &self.stage.controller];
        let ids: Vec<u32> = programs.into_iter().flatten().map(|program| program.id()).collect();
        ensure!(ids.len() == 2, "the agent or the controller is not running");
        Ok(ids)
    }

    /// A measurement of Whimbrel, or (`ours` false) of what we start from here on.
    pub(crate) fn meter(&self, ours: bool) -> Outcome<Meter> {
        let servers = [self.stage.source.postmaster()?, self.stage.target.postmaster()?];
        let daemons = if ours { self.daemons()? } else { Vec::new() };
        Meter::begin(servers, &daemons)
    }

    /// Empties the target, and makes both servers write down what they hold: every run begins alike.
    pub(crate) fn level(&self) -> Outcome {
        self.stage.target.psql("postgres", "drop database if exists app with (force)")?;
        for server in [&self.stage.source, &self.stage.target] {
            server.psql("postgres", "checkpoint")?;
        }
        Ok(())
    }

    /// Runs a peer's script with `$SOURCE`, `$TARGET` and an empty folder `$WORK`.
    pub(crate) fn peer(&self, script: &str) -> Outcome {
        let work = tempfile::Builder::new().prefix("work-").tempdir_in(self.folder.path())?;
        let mut command = self.client_command("bash")?;
        command.args(["-c", script]).env("WORK", work.path());
        output(&mut command).map(drop)
    }

    /// A program with PostgreSQL's own in its PATH, and the connection strings in its environment.
    pub(crate) fn client_command(&self, program: &str) -> Outcome<Command> {
        let bin = Installation::find()?.bin().display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.env("PATH", format!("{bin}:{path}"));
        command.env("SOURCE", self.stage.source.url(DATABASE));
        command.env("TARGET", self.stage.target.url(DATABASE));
        Ok(command)
    }

    /// `migration create` of the database under a new name; gives the name.
    pub(crate) fn create(&mut self, words: &[&str]) -> Outcome<String> {
        self.migrations += 1;
        let name = format!("bench-{}", self.migrations);
        let common = ["--database", DATABASE, "--option", "migrate"];
        self.stage.create(&name, &[&common[..], words].concat())?;
        Ok(name)
    }

    /// Waits for a state or substate.
    pub(crate) fn wait_for(&self, name: &str, state: &str) -> Outcome {
        let words = ["--for", state, "--timeout", RUN_BOUND];
        self.stage.migration("wait", name, &words).map(drop)
    }

    /// Cancels a migration, and waits until the source is clean.
    pub(crate) fn cancel(&self, name: &str) -> Outcome {
        self.stage.migration("cancel", name, &[])?;
        self.wait_for(name, "Canceled")
    }

    /// Is `program` on the PATH?
    pub(crate) fn has(program: &str) -> bool {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        found.is_ok_and(|output| output.status.success())
    }

    /// Asks a server every few milliseconds until `sql` gives `t`.
    pub(crate) fn until(server: &Cluster, database: &str, sql: &str) -> Outcome {
        /// Short against what is measured, long against the question.
        const LOOK_EVERY: Duration = Duration::from_millis(10);
        const BOUND: Duration = Duration::from_secs(1_800);
        let mut client = server.connect(database)?;
        let begun = Instant::now();
        loop {
            let row = client.query_one(sql, &[]).context(|| sql.to_owned())?;
            if row.get(0) {
                return Ok(());
            }
            if begun.elapsed() > BOUND {
                return Err(Failure::new(format!("waited {BOUND:?} in vain: {sql}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
