//! Every other verb once, in every output form, and each field that the contract names.
use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;
use whimbrel_tests::{
    Outcome, cli, ensure,
    program::built,
    stage::{self, AGENT, Plan, Stage, TARGET},
};

use super::{act, details};
use crate::{create_bank, migrate_until_cutover};

/// Of `dbDetails.D`.
const COUNTERS: &[&str] = &[
    "fullLoadQueuedTables",
    "fullLoadErroredTables",
    "fullLoadLoadingTables",
    "fullLoadCompletedTables",
    "cdcInsertCounter",
    "cdcUpdateCounter",
    "cdcDeleteCounter",
    "appliedChanges",
    "incomingChanges",
    "latency",
    "lagBytes",
    "copiedBytes",
    "totalBytes",
    "copiedRows",
    "percent",
];

#[test]
fn show_what_the_contract_names() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        programs(stage)?;
        servers(stage)?;
        migrate_until_cutover(stage, "moved", "app")?;
        fields(stage)?;
        forms(stage)?;
        stage.migration("cutover", "moved", &["--max-latency", "30s", "--wait"])?;
        ends(stage)?;
        agents(stage)
    })
}

fn programs(stage: &Stage) -> Outcome {
    for name in ["whimbrel", "whimbrel-controller", "whimbrel-agent"] {
        for option in ["--help", "--version"] {
            let output = std::process::Command::new(built(name)?).arg(option).output()?;
            ensure!(output.status.success() && !output.stdout.is_empty(), "{name} {option}");
        }
    }
    stage.cli.refused(&["migration", "fly"], 2, &["fly"])?;
    stage.cli.ok(&["agent", "list", "-o", "JSON"])?;
    // It has the administrator's credential.
    let mode = fs::metadata(stage.folder().join("controller/admin.yaml"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "admin.yaml has mode {mode:o}");
    Ok(())
}

/// `source`, `target`.
fn servers(stage: &Stage) -> Outcome {
    let port = stage.source.port().to_string();
    let server = ["--agent", AGENT, "--host", "127.0.0.1", "--port", &port, "--user", "postgres"];
    let server = [&server[..], &["--password", "env:SOURCE_PASSWORD"]].concat();
    let test = stage.cli.json(&[&["source", "test"], &server[..]].concat())?;
    ensure!(test["ok"] == true && test["serverVersion"].is_string(), "{test:#}");
    let databases = stage.cli.json(&[&["source", "databases"], &server[..]].concat())?;
    let names = |key| databases.as_array().into_iter().flatten().map(move |one| one[key].clone());
    ensure!(names("name").any(|name| name == "app"), "{databases:#}");
    ensure!(names("name").all(|name| name != "template1"), "not a user's: {databases:#}");
    ensure!(names("sizeBytes").all(|size| size.as_u64() > Some(0)), "{databases:#}");

    let other = ["--host", "127.0.0.1", "--port", &port, "--user", "nobody"];
    let other = [&["target", "create", "other"], &other[..], &["--agent", AGENT]].concat();
    stage.cli.ok(&[&other[..], &["--password", "env:SOURCE_PASSWORD"]].concat())?;
    let again = [&other[..], &["--password", "env:SOURCE_PASSWORD"]].concat();
    stage.cli.refused(&again, 4, &["TargetNameTaken"])?;
    stage.cli.refused(&["target", "test", "other"], 1, &["AuthenticationFailed"])?;
    stage.cli.ok(&["target", "update", "other", "--user", "postgres", "--ssl-mode", "PREFER"])?;
    stage.cli.ok(&["target", "test", "other"])?;
    let shown = stage.cli.json(&["target", "show", "other"])?;
    ensure!(shown["user"] == "postgres" && shown["host"] == "127.0.0.1", "{shown:#}");
    ensure!(!shown.to_string().contains(stage.source.password()), "{shown:#}");
    let list = stage.cli.json(&["target", "list"])?;
    ensure!(list.as_array().is_some_and(|all| all.contains(&shown)), "a list of shows: {list:#}");
    // The source as its own target.
    let words = ["migration", "create", "self", "--target", "other", "--database", "app", "--wait"];
    let from = stage.from_source();
    let from: Vec<&str> = from[2..].iter().map(String::as_str).collect();
    stage.cli.refused(&[&words[..], &from].concat(), 1, &["SourceIsTarget"])?;
    stage.cli.ok(&["target", "delete", "other"])?;
    stage.cli.refused(&["target", "show", "other"], 3, &["TargetNotFound"]).map(drop)
}

fn fields(stage: &Stage) -> Outcome {
    let words = [&act("show", "moved")[..], &["--tables", "-o", "json"]].concat();
    let shown: Value = serde_json::from_str(&stage.cli.ok(&words)?)?;
    let text = |value: &Value, keys: &[&str]| -> Outcome {
        for key in keys {
            ensure!(value[*key].is_string(), "{key} is not told: {shown:#}");
        }
        Ok(())
    };
    let null = |value: &Value, keys: &[&str]| -> Outcome {
        for key in keys {
            ensure!(value.get(*key) == Some(&Value::Null), "{key} is not null: {shown:#}");
        }
        Ok(())
    };
    text(&shown, &["name", "target", "createdAt", "startedAt"])?;
    null(&shown, &["endedAt"])?;
    let properties = &shown["properties"];
    let told = ["migrationMode", "migrationOption", "sourceServer", "sourceUser", "sslMode"];
    text(properties, &[&told[..], &["agent", "sourceAgent"]].concat())?;
    ensure!(properties["overwriteDbsInTarget"] == false, "{shown:#}");
    null(&properties["currentStatus"], &["error", "hold"])?;

    let app = cli::database(&shown, "app");
    let told = ["databaseName", "migrationState", "migrationOperation", "startedOn"];
    text(app, &[&told[..], &["appliedLsn", "sourceLsn"]].concat())?;
    null(app, &["endedOn", "message", "hold"])?;
    ensure!(app.get("etaSeconds").is_some(), "{shown:#}");
    for key in COUNTERS {
        ensure!(app[*key].is_number(), "{key} is no number: {shown:#}");
    }
    ensure!(app["percent"] == 100.0 && app["copiedRows"].as_u64() > Some(0), "{shown:#}");
    let tables = app["tables"].as_array().map_or(0, Vec::len);
    ensure!(Some(tables as u64) == app["fullLoadCompletedTables"].as_u64(), "{shown:#}");
    let found = &details(&shown)["validationDetails"];
    text(found, &["status", "validationStartTimeInUtc", "validationEndTimeInUtc"])
}

/// `-o yaml` says what `-o json` says.
fn forms(stage: &Stage) -> Outcome {
    for verb in [&["agent", "list"][..], &["agent", "show", AGENT], &["target", "show", TARGET]] {
        let yaml = stage.cli.ok(&[verb, &["-o", "yaml"]].concat())?;
        let yaml: Value = serde_yaml_ng::from_str(&yaml)?;
        let json = stage.cli.json(verb)?;
        ensure!(same_keys(&yaml, &json), "{verb:?}: {yaml:#} is not {json:#}");
        ensure!(!stage.cli.ok(verb)?.trim().is_empty(), "{verb:?} prints nothing for people");
    }
    let token =
        stage.cli.json(&["agent", "token", "create", "--ttl", "1m", "--label", "zone=b"])?;
    ensure!(token["token"].is_string() && token["expiresAt"].is_string(), "no token");
    Ok(())
}

/// Values of an agent change with every heartbeat.
fn same_keys(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one.keys().eq(other.keys()),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_keys(a, b))
        }
        _ => false,
    }
}

/// What follows a migration ends with it.
fn ends(stage: &Stage) -> Outcome {
    let lines = stage.cli.ok(&act("watch", "moved"))?;
    ensure!(lines.contains("Succeeded") && !lines.contains('\u{1b}'), "not plain: {lines:?}");
    let follow = [&act("events", "moved")[..], &["--follow", "-o", "json"]].concat();
    let followed = stage.cli.ok(&follow)?;
    let listed = stage.migration("events", "moved", &["-o", "json"])?;
    ensure!(followed == listed, "{followed}\nis not\n{listed}");
    let last: Value = serde_json::from_str(listed.lines().last().unwrap_or_default())?;
    ensure!(last["type"] == "MigrationSucceeded", "{last:#}");
    let shown = stage.cli.show("moved")?;
    ensure!(shown["endedAt"].is_string(), "{shown:#}");
    ensure!(cli::database(&shown, "app")["endedOn"].is_string(), "{shown:#}");
    stage.assert_same("app")
}

/// Drained, it takes nothing new; revoked, it is never heard again.
fn agents(stage: &mut Stage) -> Outcome {
    stage.cli.ok(&["agent", "drain", AGENT])?;
    let shown = stage.cli.json(&["agent", "show", AGENT])?;
    ensure!(shown["state"] == "Draining", "{shown:#}");
    let from = stage.from_source();
    let from: Vec<&str> = from.iter().map(String::as_str).collect();
    let create = [&["migration", "create", "more", "--database", "app"], &from[..]].concat();
    stage.cli.refused(&create, 4, &["AgentDraining", AGENT])?;
    stage.cli.ok(&["agent", "revoke", AGENT])?;
    stage.cli.refused(&create, 4, &["AgentRevoked", AGENT])?;
    let Some(agent) = &mut stage.agent else { whimbrel_tests::fail!("there is no agent") };
    let status = agent.ended()?;
    ensure!(!status.success(), "a revoked agent ended with {status}");
    Ok(())
}
