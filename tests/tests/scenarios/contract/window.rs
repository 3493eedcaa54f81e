//! The migration's window: begun in it or not at all, and another one can be named.
use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, Plan, Stage},
    wait,
};

use super::{OLD_TABLE, act, assert_stands};
use crate::create_bank;

/// The source's clock, which is the controller's.
fn from_now(stage: &Stage, interval: &str) -> Outcome<String> {
    stage.source.psql(
        "postgres",
        &format!(
            "select to_char((now() + '{interval}') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        ),
    )
}

fn file(stage: &Stage, start: &str, end: &str) -> Outcome<String> {
    let file = stage.folder().join("window.yaml");
    let text =
        format!("migrationWindowStartTimeInUtc: {start}\nmigrationWindowEndTimeInUtc: {end}\n");
    std::fs::write(&file, text)?;
    Ok(file.display().to_string())
}

#[test]
fn has_an_end() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.target.create_database("app")?;
        stage.target.psql("app", OLD_TABLE)?;
        bad_windows(stage)?;

        // Confirmed when its window is over.
        let (start, end) = (from_now(stage, "-1 h")?, from_now(stage, "8 s")?);
        let words = ["--database", "app", "--properties", &file(stage, &start, &end)?];
        stage.create("late", &words)?;
        stage.wait_for("late", "WaitingForTargetDBOverwriteConfirmation")?;
        let over = format!("select now() > '{end}'::timestamptz");
        wait::until("the window's end", || {
            Ok((stage.source.psql("postgres", &over)? == "t").then_some(()))
        })?;
        stage.migration("confirm-overwrite", "late", &[])?;
        let shown = assert_stands(stage, "late", "InProgress", "WaitingForDataMigrationWindow")?;
        ensure!(
            shown["properties"]["currentStatus"]["hold"]["code"] == "WindowPassed",
            "{shown:#}"
        );
        ensure!(cli::database(&shown, "app")["startedOn"].is_null(), "{shown:#}");
        let wait = [&act("wait", "late")[..], &["--for", "Succeeded", "--timeout", "1m"]].concat();
        stage.cli.refused(&wait, 1, &["WindowPassed"])?;
        stage.cli.refused(&act("retry", "late"), 4, &["WindowPassed", "update"])?;
        stage.cli.refused(&act("resume", "late"), 4, &["NotPaused"])?;
        ensure!(super::has_old_table(&stage.target, "app")?, "begun after its window");

        stage.migration("update", "late", &["--window-start", "none", "--window-end", "none"])?;
        stage.wait_for("late", "Succeeded")?;
        stage.assert_same("app")
    })
}

/// Named, and nothing recorded.
fn bad_windows(stage: &Stage) -> Outcome {
    let (hour_ago, then) = (from_now(stage, "-1 h")?, from_now(stage, "1 h")?);
    let from = stage.from_source();
    let from: Vec<&str> = from.iter().map(String::as_str).collect();
    let create = [&["migration", "create", "bad", "--database", "app"], &from[..]].concat();
    let passed = file(stage, &from_now(stage, "-2 h")?, &hour_ago)?;
    let words = [&create[..], &["--properties", &passed]].concat();
    stage.cli.refused(&words, 2, &["WindowInvalid", "has passed"])?;
    let upside_down = file(stage, &from_now(stage, "2 h")?, &then)?;
    let words = [&create[..], &["--properties", &upside_down]].concat();
    stage.cli.refused(&words, 2, &["window_end_time"])?;
    let update = [&act("update", "bad")[..], &["--window-start", "soon"]].concat();
    stage.cli.refused(&update, 2, &["--window-start", "2026-01-31T22:00:00Z"])?;
    let update = [&act("update", "bad")[..], &["--window-start", &then]].concat();
    stage.cli.refused(&update, 3, &["MigrationNotFound"]).map(drop)
}
