//! Bad input: refused with a message that says why, and nothing done.
mod credentials;
mod full_disk;
mod sources;

use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, Plan, Stage, TARGET},
    wait,
};

use crate::{create_bank, migrate_until_cutover, start_bank};

/// The words of `migration create NAME` with another source than the stage's.
fn create_from(name: &str, source: &str, password: &str, more: &[&str]) -> Vec<String> {
    let words = ["migration", "create", name, "--target", TARGET, "--source", source];
    let all = [&words[..], &["--source-password", password], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn refused(stage: &Stage, words: &[String], status: i32, says: &[&str]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    stage.cli.refused(&words, status, says).map(drop)
}

#[test]
fn names() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.create("taken", &["--database", "app", "--option", "validate", "--wait"])?;
        let source = format!("127.0.0.1:{}@postgres", stage.source.port());
        let create =
            |name| create_from(name, &source, "env:SOURCE_PASSWORD", &["--database", "app"]);
        refused(stage, &create("taken"), 4, &["MigrationNameTaken"])?;
        for bad in ["has_underscore", "has space", "", "ä", &"x".repeat(64)] {
            refused(stage, &create(bad), 2, &[])?;
        }
        let check = |name| ["migration", "check-name", name, "--target", TARGET];
        stage.cli.refused(&check("taken"), 4, &[])?;
        stage.cli.refused(&check("has_underscore"), 2, &[])?;
        stage.cli.ok(&check("free"))?;
        let all = stage.cli.json(&["migration", "list", "--filter", "all"])?;
        ensure!(all.as_array().is_some_and(|list| list.len() == 1), "{all:#}");
        Ok(())
    })
}

#[test]
fn acts_in_the_wrong_state() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        let act = |verb, name| ["migration", verb, name, "--target", TARGET];
        stage.cli.refused(&act("cutover", "nobody"), 3, &["nobody"])?;

        stage.create("over", &["--database", "app", "--wait"])?;
        stage.cli.refused(&act("cutover", "over"), 4, &["Succeeded"])?;
        stage.cli.refused(&act("cancel", "over"), 4, &["Succeeded"])?;

        // Held up by an operator's open lock, so that it is certainly still before the cutover.
        let mut client = stage.source.connect("app")?;
        let mut lock = client.transaction()?;
        lock.batch_execute("lock table bank.accounts in access exclusive mode")?;
        let words = ["--database", "app", "--mode", "online", "--overwrite"];
        stage.create("early", &words)?;
        stage.cli.refused(&act("cutover", "early"), 4, &["InProgress"])?;
        stage.cli.refused(&act("delete", "early"), 4, &[])?;
        lock.rollback()?;

        stage.wait_for("early", "WaitingForCutoverTrigger")?;
        let fence = [&act("cutover", "early")[..], &["--fence"]].concat();
        stage.cli.refused(&fence, 4, &["fence"])?;
        stage.migration("cutover", "early", &["--wait"])?;
        stage.cli.refused(&act("cutover", "early"), 4, &["Succeeded"])?;
        stage.assert_same("app")
    })
}

#[test]
fn a_source_that_is_still_written_to() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "busy", "app")?;
        let cutover = ["migration", "cutover", "busy", "--target", TARGET, "--wait"];
        stage.cli.refused(&cutover, 1, &["SourceStillWritten"])?;

        let shown = stage.cli.show("busy")?;
        let details = cli::database(&shown, "app");
        ensure!(details["migrationState"] == "WaitingForCutoverTrigger", "{shown:#}");
        ensure!(details.to_string().contains("SourceStillWritten"), "{shown:#}");
        // The stream goes on as before.
        let before = bank.commits();
        wait::until("more commits", || Ok((bank.commits() > before + 100).then_some(())))?;
        bank.stop()?;
        stage.migration("cutover", "busy", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        let journal = bank.end()?;
        whimbrel_tests::workload::check(&mut stage.target.connect("app")?, &journal)
    })
}
