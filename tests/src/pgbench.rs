//! pgbench: its tables, and its load.
use std::process::{Child, Command, Stdio};

use crate::{
    Context, Outcome,
    cluster::Cluster,
    installation::{output, stdout},
    wait,
};

const HISTORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/histories.sql");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/tpcb_histories.pgbench");

/// pgbench's tables with foreign keys, and histories with a key, with REPLICA IDENTITY FULL and with none.
///
/// # Errors
/// When pgbench fails.
pub fn create(cluster: &Cluster, database: &str, scale: u32) -> Outcome {
    let mut pgbench = cluster.client("pgbench", database)?;
    output(pgbench.args(["-i", "-q", "--foreign-keys", "-s", &scale.to_string()]))?;
    cluster.psql_file(database, HISTORIES.as_ref())
}

/// A running load of TPC-B with four clients. Dropped, it is ended.
pub struct Load(Child);

impl Load {
    /// Starts it.
    ///
    /// # Errors
    /// When pgbench can't be run, or commits nothing.
    pub fn start(cluster: &Cluster, database: &str) -> Outcome<Self> {
        let committed = || -> Outcome<i64> {
            Ok(cluster.psql(database, "select count(*) from history_none")?.parse()?)
        };
        let before = committed()?;
        let mut pgbench = cluster.client("pgbench", database)?;
        // It is stopped by a signal, long before. The rate leaves the machine to what is tested.
        pgbench.args(["-n", "-c", "4", "-T", "3600", "-R", "200", "-f", SCRIPT]);
        pgbench.stdout(Stdio::null()).stderr(Stdio::null());
        let mut load = Self(pgbench.spawn().context(|| "start pgbench")?);
        wait::until("pgbench's commits", || {
            crate::ensure!(load.0.try_wait()?.is_none(), "pgbench ended by itself");
            Ok((committed()? > before).then_some(()))
        })?;
        Ok(load)
    }

    /// Ends it; returns once the server has none of its sessions.
    ///
    /// # Errors
    /// When they stay.
    pub fn stop(mut self, cluster: &Cluster) -> Outcome {
        stdout(Command::new("kill").arg(self.0.id().to_string()))?;
        self.0.wait()?;
        let sessions = "select count(*) from pg_stat_activity where application_name = 'pgbench'";
        wait::until("the end of pgbench's sessions", || {
            Ok((cluster.psql("postgres", sessions)? == "0").then_some(()))
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It is gone already after `stop`.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
