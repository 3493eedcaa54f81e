//! An agent that is lost, with its disk, costs what it had in its hands and nothing else: another one goes on.
use std::fs;

use serde_json::Value;
use whimbrel_tests::{
    Outcome, cli, ensure, pgbench,
    stage::{self, AGENT, Hand, Plan, Stage, TARGET},
    wait, workload,
};

use crate::{create_bank, migrate_until_cutover, start_bank};

/// `kill -9`, and its disk is gone.
fn lose(stage: &Stage, mut hand: Hand) -> Outcome {
    hand.program.kill()?;
    Ok(fs::remove_dir_all(stage.folder().join(&hand.name))?)
}

fn lose_first(stage: &mut Stage) -> Outcome {
    stage.kill_agent()?;
    Ok(fs::remove_dir_all(stage.folder().join("agent"))?)
}

fn update(stage: &Stage, words: &[&str], stdin: &str) -> Outcome {
    let all = [&["migration", "update", "tough", "--target", TARGET], words].concat();
    stage.cli.ok_with_stdin(&all, stdin).map(drop)
}

/// As a password that is typed is: sealed to one agent.
fn create_sealed(stage: &Stage) -> Outcome {
    let from = stage.from_source();
    let mut words = vec!["migration", "create", "tough", "--database", "app", "--mode", "online"];
    words.extend(from.iter().map(|word| match word.as_str() {
        "env:SOURCE_PASSWORD" => "stdin",
        other => other,
    }));
    stage.cli.ok_with_stdin(&words, stage.source.password()).map(drop)
}

fn copied_parts(stage: &Stage) -> Outcome<i64> {
    let there = stage.target.psql("app", "select to_regclass('whimbrel.part') is not null");
    if there.ok().as_deref() != Some("t") {
        return Ok(0);
    }
    Ok(stage.target.psql("app", "select count(*) from whimbrel.part")?.parse()?)
}

fn agent(shown: &Value) -> &str {
    shown["properties"]["agent"].as_str().unwrap_or_default()
}

#[test]
fn lost_in_copy_and_stream_with_its_disk() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 10)?;
        create_sealed(stage)?;
        let bank = start_bank(&stage.source, "app");
        wait::until("a part to be copied", || Ok((copied_parts(stage)? > 0).then_some(())))?;
        lose_first(stage)?;
        let kept = copied_parts(stage)?;

        // The password that was typed opens for the lost one only: the new one says so, and is told it.
        let second = stage.hire("second", "")?;
        update(stage, &["--agent", "second"], "")?;
        let held = stage.cli.shown_until("tough", "the hold of the new agent", |shown| {
            shown["properties"]["currentStatus"]["hold"]["code"] == "SealedForOtherKey"
        })?;
        let kind = &held["properties"]["currentStatus"]["hold"]["kind"];
        ensure!(kind == "NeedsCredentials" && agent(&held) == "second", "{held:#}");
        update(stage, &["--source-password", "stdin"], stage.source.password())?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        ensure!(kept > 0 && copied_parts(stage)? >= kept, "parts that were there are gone");

        lose(stage, second)?;
        let commits = bank.commits();
        let _third = stage.hire("third", "")?;
        let words = ["--agent", "third", "--source-password", "stdin"];
        update(stage, &words, stage.source.password())?;
        wait::until("more commits", || Ok((bank.commits() > commits + 20).then_some(())))?;
        bank.stop()?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}

#[test]
fn a_cancel_whose_agent_is_lost_is_cleaned_up_by_another() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "tough", "app")?;
        lose_first(stage)?;
        stage.migration("cancel", "tough", &[])?;
        let shown = stage.cli.show("tough")?;
        ensure!(cli::state(&shown) == "CleaningUp", "{shown:#}");
        update_refusals(stage)?;
        let _second = stage.hire("second", "")?;
        update(stage, &["--agent", "second"], "")?;
        stage.wait_for("tough", "Cancelled")?;
        stage.assert_source_clean("app")?;
        let words = ["migration", "update", "tough", "--target", TARGET, "--agent", "second"];
        stage.cli.refused(&words, 4, &["Canceled"]).map(drop)
    })
}

/// Who may not have it.
fn update_refusals(stage: &Stage) -> Outcome {
    let words = |option, agent| ["migration", "update", "tough", "--target", TARGET, option, agent];
    stage.cli.refused(&words("--agent", "nobody"), 3, &["nobody"])?;
    let gone = stage.hire("gone", "")?;
    stage.cli.refused(&words("--source-agent", "gone"), 4, &[AGENT, "gone"])?;
    stage.cli.ok(&["agent", "drain", "gone"])?;
    stage.cli.refused(&words("--agent", "gone"), 4, &["draining"])?;
    stage.cli.ok(&["agent", "revoke", "gone"])?;
    stage.cli.refused(&words("--agent", "gone"), 4, &["revoked"])?;
    drop(gone);
    Ok(())
}
