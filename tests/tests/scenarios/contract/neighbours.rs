//! Several migrations to one target: at once, in their windows, each asking for itself; never two at one database.
use std::fs;

use serde_json::Value;
use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, AGENT, Plan, Stage, TARGET},
};

use super::{OLD_TABLE, act, assert_stands, has_old_table};
use crate::create_bank;

/// How far ahead the window begins: long enough for the checks before it on a slow machine.
const AHEAD: &str = "25 s";

#[test]
fn move_side_by_side() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        for database in ["a", "b", "c"] {
            create_bank(&stage.source, database)?;
        }
        stage.target.create_database("b")?;
        stage.target.psql("b", OLD_TABLE)?;

        let start = create_for_later(stage, "later", "a")?;
        stage.wait_for("later", "WaitingForDataMigrationWindow")?;
        assert_stands(stage, "later", "InProgress", "WaitingForDataMigrationWindow")?;
        let from = stage.from_source();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let shares = ["migration", "create", "shares", "--database", "c", "--database", "a"];
        let shares = [&shares[..], &from].concat();
        stage.cli.refused(&shares, 4, &["DatabaseBusy", "later"])?;

        stage.create("asks", &["--database", "b"])?;
        stage.wait_for("asks", "WaitingForTargetDBOverwriteConfirmation")?;
        // The two others move while changes of this one flow.
        stage.create("now", &["--database", "c", "--mode", "online"])?;
        stage.wait_for("now", "WaitingForCutoverTrigger")?;
        under_another_name(stage)?;
        confirmed(stage)?;
        in_its_window(stage, &start)?;
        lists(stage)?;
        stage.migration("cutover", "now", &["--wait"])?;
        stage.assert_same("c")?;
        only_what_is_over_is_deleted(stage)?;
        ensure!(stage.cli.json(&["migration", "list"])? == Value::Array(Vec::new()), "not over");
        Ok(())
    })
}

/// A migration whose window begins a little later; gives the moment.
fn create_for_later(stage: &Stage, name: &str, database: &str) -> Outcome<String> {
    let start = stage.source.psql(
        "postgres",
        &format!(
            "select to_char((now() + '{AHEAD}') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        ),
    )?;
    let file = stage.folder().join("window.json");
    fs::write(
        &file,
        format!(r#"{{"properties": {{"migrationWindowStartTimeInUtc": "{start}"}}}}"#),
    )?;
    let file = file.display().to_string();
    stage.create(name, &["--database", database, "--properties", &file])?;
    let shown = stage.cli.show(name)?;
    ensure!(shown["properties"]["migrationWindowStartTimeInUtc"] == start.as_str(), "{shown:#}");
    Ok(start)
}

/// A second target that is the same server: its databases are as busy.
fn under_another_name(stage: &Stage) -> Outcome {
    let port = stage.target.port().to_string();
    let server = ["--host", "127.0.0.1", "--port", &port, "--user", "postgres"];
    let create =
        ["target", "create", "alias", "--agent", AGENT, "--password", "env:TARGET_PASSWORD"];
    stage.cli.ok(&[&create[..], &server].concat())?;
    let from = stage.from_source();
    let from: Vec<&str> = from[2..].iter().map(String::as_str).collect();
    let words = ["migration", "create", "twice", "--target", "alias", "--database", "c"];
    let words = [&words[..], &from, &["--overwrite"]].concat();
    stage.cli.refused(&words, 4, &["DatabaseBusy", "now"])?;
    stage.cli.ok(&["target", "delete", "alias"]).map(drop)
}

/// More than the eight that the service takes.
#[test]
fn nine_databases_in_one_migration() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let databases: Vec<String> = (1..=9).map(|n| format!("db{n}")).collect();
        let mut words = vec!["--wait"];
        for database in &databases {
            stage.source.create_database(database)?;
            stage.source.psql(database, "create table t as select generate_series(1, 10) n")?;
            words.extend(["--database", database]);
        }
        stage.create("nine", &words)?;
        databases.iter().try_for_each(|database| stage.assert_same(database))
    })
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

fn lists(stage: &Stage) -> Outcome {
    let active = stage.cli.json(&["migration", "list", "--target", TARGET])?;
    ensure!(names(&active) == ["now"], "{active:#}");
    let same = stage.cli.json(&["migration", "list", "--filter", "Active"])?;
    ensure!(names(&same) == ["now"], "{same:#}");
    let all = stage.cli.json(&["migration", "list", "--filter", "ALL"])?;
    ensure!(names(&all) == ["now", "asks", "later"], "newest first: {all:#}");
    // An element of the list is what `show` gives.
    ensure!(all[1] == stage.cli.show("asks")?, "{:#}", all[1]);

    let table = stage.cli.ok(&["migration", "list", "--filter", "all"])?;
    let header = table.lines().next().unwrap_or_default();
    let columns = [
        "Name",
        "Status",
        "Migration mode",
        "Migration type",
        "Source server",
        "Source server type",
        "Databases",
        "Duration",
        "Start time",
    ];
    let mut rest = header.to_lowercase();
    for column in columns {
        let at = rest.find(&column.to_lowercase());
        ensure!(at.is_some(), "no column {column} where it belongs: {header}");
        rest = rest.split_off(at.unwrap_or_default() + column.len());
    }
    Ok(())
}

fn only_what_is_over_is_deleted(stage: &Stage) -> Outcome {
    stage.cli.refused(&act("check-name", "now"), 4, &[])?;
    stage.migration("delete", "now", &[])?;
    stage.cli.refused(&act("show", "now"), 3, &["MigrationNotFound"])?;
    stage.cli.refused(&act("delete", "now"), 3, &["MigrationNotFound"])?;
    stage.cli.ok(&act("check-name", "now")).map(drop)
}

fn confirmed(stage: &Stage) -> Outcome {
    stage.cli.refused(&act("delete", "asks"), 4, &["MigrationNotOver", "cancel"])?;
    stage.cli.refused(&act("confirm-overwrite", "now"), 4, &["NoConfirmationAwaited"])?;
    ensure!(has_old_table(&stage.target, "b")?, "replaced before it was confirmed");
    stage.migration("confirm-overwrite", "asks", &[])?;
    stage.wait_for("asks", "Succeeded")?;
    ensure!(!has_old_table(&stage.target, "b")?, "the old database is still there");
    stage.assert_same("b")
}

fn in_its_window(stage: &Stage, start: &str) -> Outcome {
    stage.wait_for("later", "Succeeded")?;
    stage.assert_same("a")?;
    let shown = stage.cli.show("later")?;
    let began = cli::database(&shown, "a")["startedOn"].as_str().unwrap_or_default().to_owned();
    let after = stage
        .source
        .psql("postgres", &format!("select '{began}'::timestamptz >= '{start}'::timestamptz"))?;
    ensure!(after == "t", "began at {began}, before its window at {start}");
    Ok(())
}
