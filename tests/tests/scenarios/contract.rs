//! What scripts and people rely on (the service's own body files, the verbs, the states, the exit statuses), met with
//! the real programs.
mod bad_input;
mod bodies;
mod credentials;
mod neighbours;
mod set_up;
mod steering;
mod validation;
mod verbs;
mod window;

use serde_json::Value;
use whimbrel_tests::{
    Outcome, cli,
    cluster::Cluster,
    ensure,
    stage::{Stage, TARGET},
};

/// A table that no source has: where it is, nothing was replaced.
const OLD_TABLE: &str = "create table old_content (n int); insert into old_content values (1)";

/// `currentSubStateDetails` of what `migration show` gave.
fn details(shown: &Value) -> &Value {
    &shown["properties"]["currentStatus"]["currentSubStateDetails"]
}

/// Fails unless the migration is in this state and substate.
fn assert_stands(stage: &Stage, name: &str, state: &str, substate: &str) -> Outcome<Value> {
    let shown = stage.cli.show(name)?;
    ensure!(cli::state(&shown) == state && cli::substate(&shown) == substate, "{shown:#}");
    Ok(shown)
}

/// Fails unless one database of the migration is in this state.
fn assert_database(stage: &Stage, name: &str, database: &str, state: &str) -> Outcome {
    let shown = stage.cli.show(name)?;
    ensure!(cli::database(&shown, database)["migrationState"] == state, "{shown:#}");
    Ok(())
}

fn has_old_table(cluster: &Cluster, database: &str) -> Outcome<bool> {
    Ok(cluster.psql(database, "select to_regclass('public.old_content') is not null")? == "t")
}

/// `migration VERB NAME --target box`.
fn act<'a>(verb: &'a str, name: &'a str) -> Vec<&'a str> {
    vec!["migration", verb, name, "--target", TARGET]
}

/// The same, about one database.
fn act_on<'a>(verb: &'a str, name: &'a str, database: &'a str) -> Vec<&'a str> {
    [&act(verb, name)[..], &["--database", database]].concat()
}
