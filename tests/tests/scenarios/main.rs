//! What an operator does, done with the real programs on real servers.
mod again;
mod cancel;
mod certificates;
mod compare;
mod contract;
mod dial;
mod fencing;
mod hand_over;
mod mutants;
mod objects;
mod offline;
mod online;
mod points;
mod recovery;
mod refusals;
mod restored;
mod secrets;
mod selection;
mod storm;
mod versions;

use std::time::Duration;

use whimbrel_tests::{
    Outcome,
    cluster::Cluster,
    pgbench,
    stage::Stage,
    workload::{self, Application},
};

const EVERY_TYPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/every_type.sql");

/// A writer's pause between two transactions: a busy application, on a machine that has more to do.
const PAUSE: Duration = Duration::from_millis(5);

/// A database with a bank.
fn create_bank(cluster: &Cluster, database: &str) -> Outcome {
    cluster.create_database(database)?;
    workload::create(&mut cluster.connect(database)?, 200)
}

/// A database with a bank, pgbench's tables and a table of every type.
fn create_everything(cluster: &Cluster, database: &str, scale: u32) -> Outcome {
    create_bank(cluster, database)?;
    pgbench::create(cluster, database, scale)?;
    cluster.psql_file(database, EVERY_TYPE.as_ref())
}

fn start_bank(cluster: &Cluster, database: &str) -> Application {
    Application::start(&cluster.url(database), 3, PAUSE)
}

/// An online migration, up to where the cutover may begin.
fn migrate_until_cutover(stage: &Stage, name: &str, database: &str) -> Outcome {
    stage.create(name, &["--database", database, "--mode", "online"])?;
    stage.wait_for(name, "WaitingForCutoverTrigger")
}
