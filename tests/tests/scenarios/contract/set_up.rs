//! `setupLogicalReplicationOnSourceDbIfNeeded`: what needs no restart is set, is told, and is not set by a run that only
//! validates.
use std::fs;

use whimbrel_tests::{
    Outcome,
    cluster::ClusterOptions,
    ensure,
    stage::{self, Plan, Stage},
};

use super::details;
use crate::create_bank;

const BODY: &str = r#"{"properties": {"migrationMode": "Online", "setupLogicalReplicationOnSourceDbIfNeeded": "True"}}"#;

fn timeout_of_role(stage: &Stage) -> Outcome<String> {
    let sql = "select coalesce(array_to_string(rolconfig, ' '), 'none') from pg_roles where rolname = 'postgres'";
    stage.source.psql("postgres", sql)
}

#[test]
fn of_the_source_is_asked_for_and_told() -> Outcome {
    let plan = Plan::default();
    let settings = "wal_sender_timeout = '3s'\n".to_owned();
    let source = ClusterOptions { settings, ..plan.source };
    stage::play(&Plan { source, ..plan }, |stage| {
        create_bank(&stage.source, "app")?;
        let file = stage.folder().join("set-up.json");
        fs::write(&file, BODY)?;
        let file = file.display().to_string();
        let words = ["--database", "app", "--properties", &file];

        stage.create("look", &[&words[..], &["--option", "Validate", "--wait"]].concat())?;
        let found = details(&stage.cli.show("look")?).to_string();
        ensure!(found.contains("WalSenderTimeoutShort"), "{found}");
        ensure!(timeout_of_role(stage)? == "none", "a validation has set it");

        stage.create("move", &words)?;
        stage.wait_for("move", "WaitingForCutoverTrigger")?;
        let found = details(&stage.cli.show("move")?).to_string();
        ensure!(!found.contains("WalSenderTimeoutShort"), "{found}");
        ensure!(timeout_of_role(stage)? == "wal_sender_timeout=60s", "it was not set");
        let events = stage.migration("events", "move", &[])?;
        ensure!(
            events.contains("SourceSetUp") && events.contains("reset wal_sender_timeout"),
            "{events}"
        );
        stage.migration("cutover", "move", &["--wait"])?;
        stage.assert_same("app")
    })
}
