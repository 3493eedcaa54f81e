//! Cancel, at any moment until the switch, leaves the source as it was found.
use whimbrel_tests::{
    Outcome, cli, ensure, pgbench,
    stage::{self, Plan, Stage, TARGET},
};

use crate::{create_bank, migrate_until_cutover, start_bank};

/// Cancels, and fails unless the source is clean and can be used as before.
fn cancel(stage: &Stage, name: &str) -> Outcome {
    stage.migration("cancel", name, &[])?;
    stage.wait_for(name, "Cancelled")?;
    stage.assert_source_clean("app")?;
    // A publication of ours that stayed would refuse this: the table has no replica identity.
    stage.source.psql("app", "create table keyless (n int); insert into keyless values (1)")?;
    stage.source.psql("app", "update keyless set n = 2; drop table keyless")?;
    let words = ["migration", "cancel", name, "--target", TARGET];
    stage.cli.refused(&words, 4, &["Canceled"]).map(drop)
}

#[test]
fn in_the_copy_and_while_waiting_for_the_cutover() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 10)?;
        let bank = start_bank(&stage.source, "app");

        stage.create("copying", &["--database", "app", "--mode", "online"])?;
        stage.cli.shown_until("copying", "rows being copied", |shown| {
            cli::database(shown, "app")["copiedRows"].as_u64() > Some(0)
        })?;
        cancel(stage, "copying")?;

        stage.create("waiting", &["--database", "app", "--mode", "online", "--overwrite"])?;
        stage.wait_for("waiting", "WaitingForCutoverTrigger")?;
        cancel(stage, "waiting")?;
        bank.end().map(drop)
    })
}

#[test]
fn in_the_cutover_before_the_switch() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "half", "app")?;
        let mut client = stage.source.connect("app")?;
        let mut open = client.transaction()?;
        open.batch_execute("update bank.accounts set owner = 'open' where id = 1")?;
        stage.migration("cutover", "half", &[])?;
        stage.cli.shown_until("half", "the cutover's wait for open transactions", |shown| {
            let operation = cli::database(shown, "app")["migrationOperation"].as_str();
            operation.is_some_and(|words| words.to_lowercase().contains("settle"))
        })?;
        cancel(stage, "half")?;
        open.commit()?;
        let owner = stage.source.psql("app", "select owner from bank.accounts where id = 1")?;
        ensure!(owner == "open", "the application's transaction suffered");
        Ok(())
    })
}

/// Waits until taking our things off the source has failed, then ends without that.
fn leave_source(stage: &Stage, name: &str, end: &str) -> Outcome {
    let words = ["migration", "leave-source", name, "--target", TARGET];
    stage.cli.shown_until(name, "the source to be missed", |shown| {
        cli::database(shown, "app")["messageCode"] == "ConnectionRefused"
    })?;
    let screen = stage.migration("show", name, &[])?;
    ensure!(screen.contains("whimbrel migration leave-source"), "no way out is told: {screen}");
    stage.migration("leave-source", name, &[])?;
    stage.wait_for(name, end)?;
    let events = stage.migration("events", name, &[])?;
    ensure!(
        events.contains("SourceLeft") && events.contains("pg_drop_replication_slot"),
        "{events}"
    );
    stage.cli.refused(&words, 4, &[]).map(drop)
}

#[test]
fn a_source_that_is_gone_for_good_keeps_nothing_from_its_end() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "given-up", "app")?;
        let words = ["migration", "leave-source", "given-up", "--target", TARGET];
        stage.cli.refused(&words, 4, &["cancel first"])?;
        stage.source.stop("immediate")?;
        stage.migration("cancel", "given-up", &[])?;
        leave_source(stage, "given-up", "Cancelled")?;

        // What is left there is another migration's business only if it has the same names.
        stage.source.start_again()?;
        let mut hand = stage.hire("hand", "switch.committed=freeze")?;
        let words = ["--database", "app", "--mode", "online", "--overwrite", "--agent", "hand"];
        stage.create("moved", &words)?;
        stage.wait_for("moved", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "moved", &[])?;
        hand.frozen()?;
        stage.source.stop("immediate")?;
        hand.wake()?;
        leave_source(stage, "moved", "Succeeded")?;
        let left = stage
            .target
            .psql("app", "select count(*) from pg_namespace where nspname = 'whimbrel'")?;
        ensure!(left == "0", "the ledger is left");
        Ok(())
    })
}
