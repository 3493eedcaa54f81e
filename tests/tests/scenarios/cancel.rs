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
