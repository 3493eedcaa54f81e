//! Bad input is named, with its line where there is one; and every exit status means what the contract says.
use std::fs;

use whimbrel_tests::{
    Outcome, ensure,
    stage::{self, AGENT, Plan, Stage, TARGET},
};

use super::act;
use crate::{create_bank, migrate_until_cutover};

/// (name of the file, what is in it, what must be said)
const FILES: &[(&str, &str, &[&str])] = &[
    (
        "unknown.json",
        "{\n \"properties\": {\n  \"dbsToMigrat\": []\n }\n}",
        &["line 3", "dbsToMigrat"],
    ),
    (
        "level.yaml",
        "properties:\n  secretParameters:\n    sslMode: Prefer\n",
        &["line 3", "sslMode"],
    ),
    ("twice.json", "{\"sslMode\": \"Prefer\",\n\"SSLMODE\": \"Require\"}", &["line 2", "SSLMODE"]),
    ("type.json", "{\n\"dbsToMigrate\": \"app\"}", &["line 2", "dbsToMigrate", "a list"]),
    (
        "boolean.yaml",
        "sslMode: Prefer\noverwriteDbsInTarget: yes please\n",
        &["line 2", "overwriteDbsInTarget"],
    ),
    ("mode.json", "{\"migrationMode\": \"Sideways\"}", &["line 1", "Offline or Online"]),
    (
        "time.json",
        "{\"migrationWindowStartTimeInUtc\": \"soon\"}",
        &["line 1", "2026-01-31T22:00:00Z"],
    ),
    ("broken.json", "{\n\"sslMode\": \"Prefer\"\n\"sourceType\": \"AWS\"}", &["line 3", "JSON"]),
    ("broken.yaml", "sslMode: Prefer\n  sourceType: [AWS\n", &["YAML"]),
    (
        "element.yaml",
        "sslMode: Prefer\r\ndbsToMigrate:\r\n- app\r\n- 5\r\n",
        &["line 2", "dbsToMigrate[]"],
    ),
    ("two.yaml", "dbsToMigrate: [app]\n---\nsslMode: Prefer\n", &["line 2", "YAML"]),
    ("list.json", "[\"app\"]", &["an object"]),
    ("binary.json", "\u{0}\u{1}", &["YAML"]),
];

#[test]
fn is_named_and_exit_statuses_tell() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        files(stage)?;
        orders(stage)?;
        things_that_are_not_there(stage)?;
        states_and_times(stage)?;
        agents_that_are_away(stage)?;
        let all = stage.cli.json(&["migration", "list", "--filter", "all"])?;
        ensure!(all.as_array().map(Vec::len) == Some(1), "a refused one was recorded: {all:#}");
        nobody_there(stage)
    })
}

fn files(stage: &Stage) -> Outcome {
    for (name, content, says) in FILES {
        let file = stage.folder().join(name);
        fs::write(&file, content)?;
        let file = file.display().to_string();
        let words = [&act("create", "bad")[..], &["--properties", &file]].concat();
        stage.cli.refused(&words, 2, &[says, &[*name][..]].concat())?;
    }
    let absent = [&act("create", "bad")[..], &["--properties", "/nonexistent.json"]].concat();
    stage.cli.refused(&absent, 2, &["/nonexistent.json"]).map(drop)
}

/// Orders that make no sense: exit status 2, and which part it is.
fn orders(stage: &Stage) -> Outcome {
    let from = stage.from_source();
    let with = |more: &[&str], status: i32, says: &[&str]| -> Outcome {
        let mut words = vec!["migration", "create", "bad"];
        words.extend(from.iter().map(String::as_str));
        words.extend(more);
        stage.cli.refused(&words, status, says).map(drop)
    };
    with(&[], 2, &["database"])?;
    with(&["--database", ""], 2, &["database"])?;
    with(&["--database", "app", "--database", "app"], 2, &["twice"])?;
    with(&["--database", "app", "--mode", "sideways"], 2, &["offline", "online"])?;
    with(&["--database", "app", "--colour", "red"], 2, &["--colour"])?;
    with(&["--database", "app", "--source-type", "Toaster"], 2, &["source_type", "OnPremises"])?;
    with(&["--database", "app", "--agent", "nobody"], 3, &["AgentNotFound", "nobody"])?;
    with(&["--database", "app", "--source-agent", "nobody"], 3, &["AgentNotFound", "nobody"])?;
    // A password where a reference belongs is not repeated.
    let typed = [&act("create", "bad")[..], &["--source", "h@u", "--source-password", "hunter2"]];
    let said = stage.cli.refused(&typed.concat(), 2, &["--source-password", "env:VAR"])?;
    ensure!(!said.describe().contains("hunter2"), "{}", said.describe());
    let nowhere = [&act("create", "bad")[..], &["--database", "app"]].concat();
    stage.cli.refused(&nowhere, 2, &["source"])?;
    let cloud = [&act("create", "bad")[..], &["--source", "/subscriptions/1/x"]].concat();
    stage.cli.refused(&cloud, 2, &["HOST:PORT@USER"])?;
    let userless = [&act("create", "bad")[..], &["--source", "h:5432", "--database", "app"]];
    let userless = [&userless.concat()[..], &["--source-password", "pgpass"]].concat();
    stage.cli.refused(&userless, 2, &["user", "--source HOST:PORT@USER"])?;
    let wait = [&act("wait", "bad")[..], &["--for", "Done"]].concat();
    stage.cli.refused(&wait, 2, &["Done", "Succeeded"]).map(drop)
}

fn things_that_are_not_there(stage: &Stage) -> Outcome {
    for verb in [
        "show",
        "watch",
        "events",
        "cutover",
        "cancel",
        "pause",
        "resume",
        "retry",
        "delete",
        "confirm-overwrite",
    ] {
        stage.cli.refused(&act(verb, "nobody"), 3, &["MigrationNotFound", "nobody"])?;
    }
    // Programs are told in the form that they asked for.
    let said =
        stage.cli.refused(&[&act("show", "nobody")[..], &["-o", "json"]].concat(), 3, &[])?;
    let error: serde_json::Value = serde_json::from_str(&said.stderr)?;
    let error = &error["error"];
    ensure!(error["code"] == "MigrationNotFound" && error["exitStatus"] == 3, "{error:#}");
    let there = ["migration", "show", "m", "--target", "nowhere"];
    stage.cli.refused(&there, 3, &["nowhere"])?;
    let create = ["migration", "create", "m", "--target", "nowhere", "--source", "h@u"];
    let create = [&create[..], &["--source-password", "pgpass", "--database", "app"]].concat();
    stage.cli.refused(&create, 3, &["TargetNotFound", "nowhere"])?;
    stage.cli.refused(&["migration", "list", "--target", "nowhere"], 3, &["TargetNotFound"])?;
    let there = ["migration", "check-name", "m", "--target", "nowhere"];
    stage.cli.refused(&there, 3, &["TargetNotFound", "nowhere"])?;
    stage.cli.refused(&["target", "show", "nowhere"], 3, &["TargetNotFound"])?;
    stage.cli.refused(&["target", "test", "nowhere"], 3, &["TargetNotFound"])?;
    stage.cli.refused(&["agent", "show", "nobody"], 3, &["AgentNotFound"])?;
    stage.cli.refused(&["agent", "drain", "nobody"], 3, &["AgentNotFound"]).map(drop)
}

/// One migration for 0, 1, 4 and 6.
fn states_and_times(stage: &Stage) -> Outcome {
    migrate_until_cutover(stage, "one", "app")?;
    let wait =
        |state, bound| [&act("wait", "one")[..], &["--for", state, "--timeout", bound]].concat();
    stage.cli.ok(&wait("waitingForUserAction", "1m"))?;
    stage.cli.refused(&wait("Succeeded", "5s"), 6, &["WaitingForCutoverTrigger"])?;
    stage.cli.refused(&act("resume", "one"), 4, &["NotHeld", "cutover"])?;
    stage.cli.refused(&["target", "delete", TARGET], 4, &["TargetBusy", "one"])?;
    let latency = [&act("cutover", "one")[..], &["--max-latency", "soon"]].concat();
    stage.cli.refused(&latency, 2, &["--max-latency"])?;
    stage.migration("cancel", "one", &[])?;
    stage.cli.ok(&wait("Cancelled", "1m"))?;
    stage.cli.refused(&wait("Succeeded", "1m"), 1, &["Canceled"])?;
    stage.cli.refused(&act("cutover", "one"), 4, &["MigrationIsOver", "delete"]).map(drop)
}

fn agents_that_are_away(stage: &mut Stage) -> Outcome {
    stage.kill_agent()?;
    let port = stage.source.port().to_string();
    let words = ["source", "test", "--agent", AGENT, "--host", "127.0.0.1", "--port", &port];
    let words = [&words[..], &["--user", "postgres", "--password", "env:SOURCE_PASSWORD"]].concat();
    stage.cli.refused(&words, 4, &["AgentNotConnected", AGENT])?;
    stage.cli.refused(&["target", "test", TARGET], 4, &["AgentNotConnected", AGENT]).map(drop)
}

fn nobody_there(stage: &mut Stage) -> Outcome {
    let wrong = stage.folder().join("wrong.yaml");
    let context = fs::read_to_string(stage.folder().join("controller/admin.yaml"))?;
    let lines = context.lines().map(|line| match line.starts_with("token:") {
        true => "token: wrong",
        false => line,
    });
    fs::write(&wrong, lines.collect::<Vec<_>>().join("\n"))?;
    stage.cli.with_context(&wrong).refused(&["migration", "list"], 5, &["NotAuthenticated"])?;
    stage.kill_controller()?;
    stage.cli.refused(&["migration", "list"], 6, &[&stage.address()]).map(drop)
}
