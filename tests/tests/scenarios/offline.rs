//! Offline: one copy, no stream; so no `wal_level` of logical is asked for.
use whimbrel_tests::{
    Outcome, cli,
    cluster::ClusterOptions,
    ensure, fail,
    stage::{self, Plan, Stage},
    wait,
};

use crate::{create_bank, create_everything};

/// The source can't decode; it offers TLS.
fn plan() -> Plan {
    let plan = Plan::default();
    let source = ClusterOptions { wal_level: "replica", tls: true, ..plan.source };
    Plan { source, ..plan }
}

#[test]
fn a_quiet_database_moves_whole() -> Outcome {
    stage::play(&plan(), |stage| {
        create_everything(&stage.source, "app", 2)?;
        let from = stage.from_source();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let words = ["--database", "app", "--ssl-mode", "require", "--wait"];
        let said = stage.cli.ok(&[&["migration", "create", "quiet"], &from[..], &words].concat())?;
        // The last counts came before the word that it is over.
        ensure!(said.contains("0 queued, 0 loading"), "{said}");
        let shown = stage.cli.show("quiet")?;
        ensure!(shown["properties"]["migrationMode"] == "Offline", "offline is the default");
        ensure!(cli::state(&shown) == "Succeeded", "{shown:#}");
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        assert_events_have_no_gap(stage, "quiet")
    })
}

fn assert_events_have_no_gap(stage: &Stage, name: &str) -> Outcome {
    let text = stage.migration("events", name, &["-o", "json"])?;
    let events: Vec<serde_json::Value> =
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(events.len() > 3, "only {} events: {text}", events.len());
    for (at, event) in events.iter().enumerate() {
        ensure!(event["sequence"].as_u64() == Some(at as u64 + 1), "event {at}: {event}");
    }
    Ok(())
}

#[test]
fn only_validating_makes_nothing() -> Outcome {
    stage::play(&plan(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.create("look", &["--database", "app", "--option", "validate", "--wait"])?;
        let shown = stage.cli.show("look")?;
        let details = &shown["properties"]["currentStatus"]["currentSubStateDetails"];
        ensure!(cli::state(&shown) == "Succeeded", "{shown:#}");
        ensure!(details["validationDetails"]["status"] != "Failed", "{shown:#}");
        assert_databases(stage, "postgres")
    })
}

/// The target's databases, templates left out.
pub(crate) fn assert_databases(stage: &Stage, wanted: &str) -> Outcome {
    let found = stage.target.psql(
        "postgres",
        "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate",
    )?;
    ensure!(found == wanted, "the target has {found}, and should have {wanted}");
    Ok(())
}

#[test]
fn a_database_in_the_way_is_overwritten_only_when_allowed() -> Outcome {
    stage::play(&plan(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.target.create_database("app")?;
        stage.target.psql("app", "create table precious as select 42 as answer")?;

        stage.create("ask", &["--database", "app"])?;
        stage.wait_for("ask", "WaitingForTargetDBOverwriteConfirmation")?;
        let answer = stage.target.psql("app", "select answer from precious")?;
        ensure!(answer == "42", "it was asked, and touched all the same");
        stage.migration("confirm-overwrite", "ask", &[])?;
        stage.wait_for("ask", "Succeeded")?;
        stage.assert_same("app")?;

        stage.create("again", &["--database", "app", "--overwrite", "--wait"])?;
        stage.assert_same("app")?;
        assert_databases(stage, "app postgres")
    })
}

/// The switch verifies anew in a new life of the agent, and finds that somebody has drawn from a sequence. It was not made, so
/// the migration is neither past it nor stuck before it.
#[test]
fn a_switch_that_was_not_made_leaves_both_ways_open() -> Outcome {
    stage::play(&plan(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.source.psql("app", "create sequence drawn")?;
        for name in ["given-up", "mended"] {
            stage.kill_agent()?;
            stage.agent_points = "step.SWITCH.begin=kill".to_owned();
            stage.launch_agent(&[])?;
            stage.create(name, &["--database", "app", "--overwrite"])?;
            let agent = stage.agent.as_mut();
            let Some(agent) = agent else { fail!("no agent runs") };
            wait::until("the agent to come to the switch", || agent.has_ended())?;
            stage.source.psql("app", "select nextval('drawn')")?;
            stage.agent_points.clear();
            stage.start_agent(&[])?;
            stage.cli.shown_until(name, "the hold of the switch", |shown| {
                cli::database(shown, "app")["hold"]["code"] == "SourceStillWritten"
            })?;
            if name == "given-up" {
                stage.migration("cancel", name, &[])?;
                stage.wait_for(name, "Canceled")?;
            }
        }
        stage.migration("retry", "mended", &[])?;
        stage.wait_for("mended", "Succeeded")?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}
