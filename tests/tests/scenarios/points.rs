//! Killed at every point: each numbered step of the cutover, each commit, acknowledgement and change of epoch, before it and
//! behind it. One migration goes through all of them, one process after the other, while the application writes.
use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use whimbrel_tests::{
    Outcome, cli, ensure, fail, pgbench,
    program::Program,
    stage::{self, Plan, Stage, TARGET},
    wait, workload,
};

use crate::{create_bank, start_bank};

/// In the order in which a migration comes to them.
const BEFORE_THE_CUTOVER: &[&str] = &[
    "prepare.created",
    "prepare.made",
    "prepare.renamed",
    "epoch.installing",
    "epoch.installed",
    "snapshot.taken",
    "ledger.committing",
    "ledger.committed",
    "copy.committing",
    "copy.committed",
    "entry.committing",
    "stream.recording",
    "follow.beginning",
    "apply.committing",
    "apply.committed",
    "slot.acknowledging",
    "slot.acknowledged",
];

const CUTOVER: &[&str] = &[
    "step.MARK.begin",
    "step.MARK.done",
    "step.SETTLE.begin",
    "step.SETTLE.done",
    "step.MARK_END.begin",
    "step.MARK_END.done",
    "step.DRAIN.begin",
    "step.DRAIN.done",
    "step.COMPLETE.begin",
    "step.COMPLETE.done",
    "step.SEQUENCES.begin",
    "sequences.proved",
    "step.SEQUENCES.done",
    "step.VERIFY.begin",
    "step.VERIFY.done",
    "step.SWITCH.begin",
    "switch.committing",
    "switch.committed",
    "step.SWITCH.done",
    "step.REMOVE_SOURCE.begin",
    "clean.slot_dropped",
    "step.REMOVE_SOURCE.done",
    "step.REMOVE_LEDGER.begin",
    "step.REMOVE_LEDGER.done",
];

/// A point that a process does not come to in this time is one that the migration does not pass.
const POINT_BOUND: Duration = Duration::from_secs(60);

fn killed_itself(program: Option<&mut Program>, point: &str) -> Outcome {
    let Some(program) = program else { fail!("nothing runs") };
    let what = format!("the process to come to {point}");
    let status = wait::until_within(POINT_BOUND, &what, || program.has_ended())?;
    ensure!(status.signal() == Some(9), "at {point} it ended with {status}");
    Ok(())
}

#[test]
fn the_agent_is_killed_at_each() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 2)?;
        stage.kill_agent()?;
        stage.create("tough", &["--database", "app", "--mode", "online"])?;
        let bank = start_bank(&stage.source, "app");
        for point in BEFORE_THE_CUTOVER {
            agent_dies(stage, point)?;
        }
        stage.agent_points.clear();
        stage.start_agent(&[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        bank.stop()?;
        stage.kill_agent()?;
        stage.migration("cutover", "tough", &[])?;
        for point in CUTOVER {
            agent_dies(stage, point)?;
        }
        stage.agent_points.clear();
        stage.start_agent(&[])?;
        stage.wait_for("tough", "Succeeded")?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}

/// Nothing but the ledger tells that a table was taken out of our publication, once it is in again.
#[test]
fn the_agent_is_killed_about_a_table_that_is_published_again() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let password = stage.source.password().replace('\'', "''");
        stage.source.psql(
            "postgres",
            &format!("create role mover login replication password '{password}'"),
        )?;
        stage.target.psql("postgres", "create role mover")?;
        stage.source.psql("postgres", "create database app owner mover")?;
        stage.source.psql(
            "app",
            "set role mover; create table t (id int primary key); insert into t values (1)",
        )?;
        let from = format!("127.0.0.1:{}@mover", stage.source.port());
        let words = ["migration", "create", "tough", "--target", TARGET, "--source", &from];
        let more = ["--source-password", "env:SOURCE_PASSWORD", "--database", "app"];
        stage.cli.ok(&[&words[..], &more[..], &["--mode", "online"]].concat())?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.kill_agent()?;
        stage.source.psql(
            "app",
            "do $$ declare p name; begin
                 for p in select pubname from pg_publication_tables where tablename = 't' loop
                     execute format('alter publication %I drop table t', p);
                 end loop; end $$",
        )?;
        stage.source.psql("app", "insert into t values (2)")?;
        for point in ["gap.recorded", "gap.published"] {
            agent_dies(stage, point)?;
        }
        stage.agent_points.clear();
        stage.start_agent(&[])?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")
    })
}

fn agent_dies(stage: &mut Stage, point: &str) -> Outcome {
    stage.agent_points = format!("{point}=kill");
    stage.launch_agent(&[])?;
    killed_itself(stage.agent.as_mut(), point)
}

/// Each at its second visit too: the first is often a report that comes again.
const CONTROLLER: &[&str] = &[
    "commit.begin=kill",
    "commit.done=kill",
    "command.sending=kill",
    "report.noted=kill",
    "commit.begin=kill:2",
    "commit.done=kill:2",
    "command.sending=kill:2",
    "report.noted=kill:2",
];

#[test]
fn the_controller_is_killed_at_each() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.create("tough", &["--database", "app", "--mode", "online"])?;
        let bank = start_bank(&stage.source, "app");
        // Something to commit, to send and to note at any time: the operator pauses and resumes.
        for (number, points) in CONTROLLER.iter().enumerate() {
            stage.kill_controller()?;
            stage.controller_points = (*points).to_owned();
            stage.launch_controller()?;
            stir_until_it_dies(stage, points, number)?;
        }
        calm(stage)?;
        stage.cli.run(&["migration", "resume", "tough", "--target", TARGET])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        bank.stop()?;
        stage.migration("cutover", "tough", &[])?;
        for points in CONTROLLER {
            stage.kill_controller()?;
            stage.controller_points = (*points).to_owned();
            stage.launch_controller()?;
            if is_over_before_it_dies(stage)? {
                break;
            }
        }
        calm(stage)?;
        stage.wait_for("tough", "Succeeded")?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}

fn calm(stage: &mut Stage) -> Outcome {
    stage.kill_controller()?;
    stage.controller_points.clear();
    stage.start_controller()
}

fn has_died(stage: &mut Stage) -> Outcome<bool> {
    let Some(program) = stage.controller.as_mut() else { return Ok(true) };
    let ended = program.has_ended()?;
    if let Some(status) = ended {
        ensure!(status.signal() == Some(9), "the controller ended with {status}");
    }
    Ok(ended.is_some())
}

fn stir_until_it_dies(stage: &mut Stage, points: &str, number: usize) -> Outcome {
    wait::until_within(POINT_BOUND, &format!("the controller to die at {points}"), || {
        if has_died(stage)? {
            return Ok(Some(()));
        }
        // Refused, or cut off in the middle: as it is in life.
        for verb in ["pause", "resume"] {
            stage.cli.run(&["migration", verb, "tough", "--target", TARGET])?;
        }
        let ready = ["--for", "WaitingForCutoverTrigger", "--timeout", "5s"];
        stage
            .cli
            .run(&[&["migration", "wait", "tough", "--target", TARGET], &ready[..]].concat())?;
        Ok(has_died(stage)?.then_some(()))
    })
    .map_err(|failure| whimbrel_tests::Failure::new(format!("life {number}: {failure}")))
}

fn is_over_before_it_dies(stage: &mut Stage) -> Outcome<bool> {
    wait::until_within(POINT_BOUND, "the controller's end, or the migration's", || {
        if has_died(stage)? {
            return Ok(Some(false));
        }
        let said =
            stage.cli.run(&["migration", "show", "tough", "--target", TARGET, "-o", "json"])?;
        if said.status != 0 {
            return Ok(None);
        }
        let shown = serde_json::from_str(&said.stdout)?;
        Ok((cli::state(&shown) == "Succeeded").then_some(true))
    })
}
