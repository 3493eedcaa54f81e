//! Validate only: changes nothing on either side, can be repeated, and what it found stays readable.
use serde_json::Value;
use whimbrel_tests::{
    Outcome,
    cluster::{Cluster, ClusterOptions},
    ensure,
    installation::stdout,
    stage::{self, Plan, Stage, TARGET},
};

use super::{assert_stands, details};
use crate::create_bank;

/// Nothing of the servers' own may take a transaction id meanwhile.
fn quiet(options: ClusterOptions) -> ClusterOptions {
    ClusterOptions { settings: "autovacuum = off\n".to_owned(), ..options }
}

/// What a server is: roles and settings, every schema, what was ever written, what replicates.
#[derive(PartialEq, Debug)]
struct Likeness {
    globals: String,
    schemas: String,
    next_transaction: String,
    rows_written: String,
    replication: String,
}

impl Likeness {
    fn of(cluster: &Cluster) -> Outcome<Self> {
        let dump = |option| -> Outcome<String> {
            let text = stdout(cluster.client("pg_dumpall", "dbname=postgres")?.arg(option))?;
            // A random word, new in each dump.
            let lines = text.lines().filter(|line| !line.contains("restrict "));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        };
        let ask = |sql| cluster.psql("postgres", sql);
        Ok(Self {
            globals: dump("--globals-only")?,
            schemas: dump("--schema-only")?,
            // Whoever writes anything takes one.
            next_transaction: ask("select pg_snapshot_xmax(pg_current_snapshot())")?,
            rows_written: ask(
                "select string_agg(format('%s %s %s %s', datname, tup_inserted, tup_updated, tup_deleted), ', '
                                   order by datname) from pg_stat_database where datname is not null",
            )?,
            replication: ask(
                "select (select count(*) from pg_replication_slots), (select count(*) from pg_stat_replication),
                        (select count(*) from pg_publication), (select count(*) from pg_prepared_xacts)",
            )?,
        })
    }
}

fn validate(stage: &Stage, name: &str, database: &str, status: i32) -> Outcome {
    let from = stage.from_source();
    let mut words = vec!["migration", "create", name, "--database", database, "--wait"];
    words.extend(from.iter().map(String::as_str));
    words.extend(["--mode", "online", "--option", "Validate"]);
    let said = stage.cli.run(&words)?;
    ensure!(said.status == status, "{words:?}: {}", said.describe());
    Ok(())
}

/// Fails unless the findings have a status, times, and every check its type and state.
fn assert_findings(shown: &Value, database: &str, status: &str, code: &str) -> Outcome {
    let found = &details(shown)["validationDetails"];
    ensure!(found["status"] == status, "{shown:#}");
    for key in ["validationStartTimeInUtc", "validationEndTimeInUtc"] {
        ensure!(found[key].as_str().is_some_and(|time| time.ends_with('Z')), "{key}: {found:#}");
    }
    let server = found["serverLevelValidationDetails"].as_array();
    ensure!(server.is_some_and(|checks| checks.len() > 3), "few checks of the server: {found:#}");
    let databases = found["dbLevelValidationDetails"].as_array().cloned().unwrap_or_default();
    ensure!(databases.len() == 1 && databases[0]["databaseName"] == database, "{found:#}");
    for key in ["startedOn", "endedOn"] {
        ensure!(databases[0][key].is_string(), "{key}: {found:#}");
    }
    let summary = databases[0]["summary"].as_array().cloned().unwrap_or_default();
    for check in summary.iter().chain(server.into_iter().flatten()) {
        let kind = check["type"].as_str().unwrap_or_default();
        let named = kind.ends_with("Validation") || kind.ends_with("Report");
        ensure!(named && check["state"].is_string(), "{check:#}");
    }
    let messages = summary.iter().flat_map(|check| check["messages"].as_array()).flatten();
    let found = messages.filter(|message| message["code"] == code).collect::<Vec<_>>();
    ensure!(found.len() == 1, "{code} {} times: {shown:#}", found.len());
    let told = ["message", "object", "remedy"].iter().all(|key| found[0][key].is_string());
    ensure!(found[0]["state"] == status && told, "{found:#?}");
    Ok(())
}

#[test]
fn changes_nothing_can_be_repeated_and_stays_readable() -> Outcome {
    let plan = Plan::default();
    let plan = Plan { source: quiet(plan.source), target: quiet(plan.target), ..plan };
    stage::play(&plan, |stage| {
        create_bank(&stage.source, "app")?;
        stage.source.psql("app", "create table keyless (n int); insert into keyless values (1)")?;
        create_bank(&stage.source, "objects")?;
        stage.source.psql("objects", "create view information_schema.mine as select 1")?;
        create_bank(&stage.target, "app")?;

        let before = (Likeness::of(&stage.source)?, Likeness::of(&stage.target)?);
        validate(stage, "look", "app", 0)?;
        validate(stage, "look-again", "app", 0)?;
        validate(stage, "objects", "objects", 1)?;
        validate(stage, "absent", "no_such_db", 1)?;
        let after = (Likeness::of(&stage.source)?, Likeness::of(&stage.target)?);
        ensure!(before.0 == after.0, "the source was {:#?}, is {:#?}", before.0, after.0);
        ensure!(before.1 == after.1, "the target was {:#?}, is {:#?}", before.1, after.1);

        // The same name once more, after the first is forgotten.
        stage.migration("delete", "look", &[])?;
        validate(stage, "look", "app", 0)?;
        assert_told(stage)?;
        // What was found outlives the process.
        stage.kill_controller()?;
        stage.start_controller()?;
        assert_told(stage)
    })
}

fn assert_told(stage: &Stage) -> Outcome {
    for name in ["look", "look-again"] {
        let shown = assert_stands(stage, name, "Succeeded", "Completed")?;
        assert_findings(&shown, "app", "Warning", "TableWithoutReplicaIdentity")?;
    }
    let shown = assert_stands(stage, "objects", "ValidationFailed", "Failed")?;
    assert_findings(&shown, "objects", "Failed", "ObjectInSystemSchema")?;
    // The same code in the events, and for whoever waits.
    let events = stage.migration("events", "objects", &["-o", "json"])?;
    let told = events.lines().any(|event| event.contains(r#""code":"ObjectInSystemSchema""#));
    ensure!(told, "no event with the code: {events}");
    let wait = ["migration", "wait", "objects", "--target", TARGET, "--for", "Succeeded"];
    stage.cli.refused(&wait, 1, &["ValidationFailed", "ObjectInSystemSchema"])?;

    // A validate-only run has one bad end, and keeps what the first look found.
    let shown = assert_stands(stage, "absent", "ValidationFailed", "Failed")?;
    let found = details(&shown)["validationDetails"].to_string();
    ensure!(found.contains("DatabaseDoesNotExist"), "{shown:#}");
    Ok(())
}

/// Neither a prerequisite that is not met nor a server that is not reached hides what else can be seen.
#[test]
fn tells_everything_at_once() -> Outcome {
    let plan = Plan::default();
    let source = ClusterOptions { wal_level: "replica", ..plan.source.clone() };
    stage::play(&Plan { source, ..plan }, |stage| {
        create_bank(&stage.source, "app")?;
        stage.source.psql("app", "create table keyless (n int); create role stranger; alter table keyless owner to stranger")?;
        let from = stage.from_source();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let create = |name, more: &[&str]| {
            let words =
                ["migration", "create", name, "--mode", "online", "--wait", "--database", "app"];
            stage.cli.refused(&[&words[..], &from, more].concat(), 1, &["WalLevelNotLogical"])
        };
        create("all", &["--database", "no_such_db"])?;
        let shown = assert_stands(stage, "all", "ValidationFailed", "Failed")?;
        let found = details(&shown).to_string();
        for code in [
            "WalLevelNotLogical",
            "DatabaseDoesNotExist",
            "TableWithoutReplicaIdentity",
            "RolesMissing",
        ] {
            ensure!(found.contains(code), "nothing of {code}: {shown:#}");
        }

        // The target can't be logged in to: the source's findings are told all the same.
        let file = stage.folder().join("wrong-password");
        std::fs::write(&file, "wrong\n")?;
        let wrong = format!("file:{}", file.display());
        stage.cli.ok(&["target", "update", TARGET, "--password", &wrong])?;
        create("apart", &[])?;
        let shown = assert_stands(stage, "apart", "Failed", "Failed")?;
        let found = details(&shown).to_string();
        for code in ["WalLevelNotLogical", "AuthenticationFailed", "TableWithoutReplicaIdentity"] {
            ensure!(found.contains(code), "nothing of {code}: {shown:#}");
        }
        Ok(())
    })
}
