//! A password that is missing, or no longer right, is a hold that `migration update` mends.
use serde_json::Value;
use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, AGENT, Plan, Stage},
};

use super::act;
use crate::{create_bank, migrate_until_cutover};

#[test]
fn are_asked_for_and_mended() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        never_there(stage)?;
        changed_on_the_way(stage)
    })
}

fn assert_held(stage: &Stage, name: &str, code: &str) -> Outcome<Value> {
    let wait = [&act("wait", name)[..], &["--for", "Succeeded", "--timeout", "2m"]].concat();
    let said = stage.cli.refused(&wait, 1, &["NeedsCredentials", code])?;
    ensure!(said.describe().contains("migration update"), "no remedy: {}", said.describe());
    let shown = stage.cli.show(name)?;
    let hold = &shown["properties"]["currentStatus"]["hold"];
    ensure!(hold["kind"] == "NeedsCredentials" && hold["code"] == code, "{shown:#}");
    for key in ["message", "remedy", "since"] {
        ensure!(hold[key].is_string(), "{key}: {shown:#}");
    }
    Ok(shown)
}

/// A reference that the agent can't resolve: its own words, and the state stays what it was.
fn never_there(stage: &Stage) -> Outcome {
    let port = stage.source.port().to_string();
    let server = ["--host", "127.0.0.1", "--port", &port, "--user", "postgres"];
    let test = ["source", "test", "--agent", AGENT, "--password", "env:NOT_SET_ANYWHERE"];
    let words = [&test[..], &server].concat();
    stage.cli.refused(&words, 1, &["SecretNotResolvable", "NOT_SET_ANYWHERE"])?;

    let mut words: Vec<String> = act("create", "unset").into_iter().map(str::to_owned).collect();
    words.extend(stage.from_source().split_off(2));
    words.extend(["--database", "app"].map(str::to_owned));
    let words: Vec<&str> = words
        .iter()
        .map(|word| if word == "env:SOURCE_PASSWORD" { "env:NOT_SET_ANYWHERE" } else { word })
        .collect();
    stage.cli.ok(&words)?;
    let shown = assert_held(stage, "unset", "SecretNotResolvable")?;
    ensure!(cli::state(&shown) == "InProgress", "{shown:#}");
    ensure!(shown.to_string().contains("NOT_SET_ANYWHERE"), "which one? {shown:#}");
    stage.cli.refused(&act("update", "unset"), 2, &["--source-password"])?;

    // Another reference that leads nowhere is the same hold again; a good one goes on by itself.
    stage.migration("update", "unset", &["--source-password", "file:/nonexistent/password"])?;
    stage.cli.shown_until("unset", "the next hold", |shown| {
        shown["properties"]["currentStatus"]["hold"].to_string().contains("/nonexistent/password")
    })?;
    stage.migration("update", "unset", &["--source-password", "env:SOURCE_PASSWORD"])?;
    stage.wait_for("unset", "Succeeded")?;
    stage.assert_same("app")?;
    stage.target.psql("postgres", "drop database app with (force)").map(drop)
}

/// The source's password changes while changes flow; a new one, sealed, mends it.
fn changed_on_the_way(stage: &Stage) -> Outcome {
    migrate_until_cutover(stage, "changed", "app")?;
    stage.source.psql("postgres", "alter role postgres password 'another one'")?;
    stage.source.psql(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where client_port > 0",
    )?;
    stage.source.psql("app", "update bank.accounts set owner = 'meanwhile' where id = 1")?;
    let shown = assert_held(stage, "changed", "AuthenticationFailed")?;
    ensure!(cli::database(&shown, "app")["hold"]["kind"] == "NeedsCredentials", "{shown:#}");
    let words = [&act("update", "changed")[..], &["--source-password", "stdin"]].concat();
    stage.cli.ok_with_stdin(&words, "another one\n")?;
    stage.wait_for("changed", "WaitingForCutoverTrigger")?;
    stage.migration("cutover", "changed", &["--wait"])?;
    stage.assert_same("app")?;
    stage.assert_source_clean("app")
}
