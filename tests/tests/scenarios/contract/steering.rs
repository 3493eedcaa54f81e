//! A migration of two databases, each steered by itself, and what is said of the whole at each point.
use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, Plan, Stage},
};

use super::{act, act_on, assert_database, assert_stands};
use crate::create_bank;

const NAME: &str = "both";

#[test]
fn each_database_by_itself() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        for database in ["one", "two"] {
            create_bank(&stage.source, database)?;
        }
        let words = ["--database", "one", "--database", "two", "--mode", "online"];
        stage.create(NAME, &words)?;
        both_wait(stage)?;
        pause_and_resume(stage)?;
        stage.cli.refused(&act_on("cutover", NAME, "three"), 2, &["DatabaseNotInMigration"])?;

        stage.migration("cutover", NAME, &["--database", "one", "--wait"])?;
        assert_database(stage, NAME, "one", "Succeeded")?;
        assert_database(stage, NAME, "two", "WaitingForCutoverTrigger")?;
        assert_stands(stage, NAME, "WaitingForUserAction", "WaitingForCutoverTrigger")?;
        stage.assert_same("one")?;
        stage.assert_source_clean("one").err().map_or_else(
            || whimbrel_tests::fail!("the other database's slot is gone"),
            |_| Ok(()),
        )?;
        stage.cli.refused(&act_on("cancel", NAME, "one"), 4, &["PastTheSwitch"])?;
        stage.cli.refused(&act_on("pause", NAME, "one"), 4, &["DatabaseIsOver", "Succeeded"])?;

        cancel_the_other(stage)
    })
}

fn both_wait(stage: &Stage) -> Outcome {
    stage.cli.shown_until(NAME, "both waiting", |shown| {
        let waits =
            |name| cli::database(shown, name)["migrationState"] == "WaitingForCutoverTrigger";
        waits("one") && waits("two")
    })?;
    assert_stands(stage, NAME, "WaitingForUserAction", "WaitingForCutoverTrigger").map(drop)
}

fn pause_and_resume(stage: &Stage) -> Outcome {
    stage.cli.refused(&act("resume", NAME), 4, &["NotHeld"])?;
    stage.migration("pause", NAME, &["--database", "one"])?;
    // A hold stands beside the state, never in its place.
    let shown = assert_stands(stage, NAME, "WaitingForUserAction", "WaitingForCutoverTrigger")?;
    ensure!(cli::database(&shown, "one")["hold"]["kind"] == "Paused", "{shown:#}");
    ensure!(cli::database(&shown, "two")["hold"].is_null(), "{shown:#}");
    ensure!(shown["properties"]["currentStatus"]["hold"]["kind"] == "Paused", "{shown:#}");
    let wait = [&act("wait", NAME)[..], &["--for", "Succeeded", "--timeout", "2m"]].concat();
    stage.cli.refused(&wait, 1, &["Paused", "resume"])?;
    stage.cli.refused(&act_on("pause", NAME, "one"), 4, &["AlreadyPaused"])?;
    stage.cli.refused(&act_on("cutover", NAME, "one"), 4, &["DatabaseHeld"])?;
    stage.cli.refused(&act_on("retry", NAME, "one"), 4, &["NotHeld"])?;

    // What is written meanwhile is not lost.
    stage.source.psql("one", "update bank.accounts set owner = 'meanwhile' where id = 1")?;
    stage.migration("resume", NAME, &["--database", "one"])?;
    let shown = stage.cli.show(NAME)?;
    ensure!(cli::database(&shown, "one")["hold"].is_null(), "{shown:#}");
    both_wait(stage)
}

fn cancel_the_other(stage: &Stage) -> Outcome {
    stage.migration("cancel", NAME, &["--database", "two"])?;
    let shown = stage.cli.show(NAME)?;
    let stands = (cli::state(&shown), cli::substate(&shown));
    let known = [("CleaningUp", "CancelingRequestedDBMigrations"), ("Succeeded", "Completed")];
    ensure!(known.contains(&stands), "{shown:#}");
    // One was moved, so the whole did not end Canceled.
    stage.wait_for(NAME, "Succeeded")?;
    assert_database(stage, NAME, "two", "Canceled")?;
    assert_database(stage, NAME, "one", "Succeeded")?;
    for database in ["one", "two"] {
        stage.assert_source_clean(database)?;
    }
    for verb in ["cutover", "cancel", "pause", "resume", "retry", "confirm-overwrite"] {
        stage.cli.refused(&act(verb, NAME), 4, &["Succeeded"])?;
    }
    // Each of them can be moved by another migration now.
    stage.create("again", &["--database", "two", "--overwrite", "--wait"])?;
    stage.assert_same("two")
}
