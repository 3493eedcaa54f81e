//! The main job: a live database moved while it is written to.
use std::time::Duration;

use whimbrel_tests::{
    Outcome, cli,
    cluster::Cluster,
    ensure, pgbench,
    stage::{self, Plan, Stage},
    wait,
    workload::{self, Application},
};

use crate::{create_bank, create_everything, migrate_until_cutover, start_bank};

const CHANGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/every_type_changes.sql");

#[test]
fn a_live_database_moves_whole() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_everything(&stage.source, "app", 3)?;
        let load = pgbench::Load::start(&stage.source, "app")?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "live", "app")?;
        stage.source.psql_file("app", CHANGES.as_ref())?;
        assert_latency_is_told(stage, "live")?;

        load.stop(&stage.source)?;
        bank.stop()?;
        stage.migration("cutover", "live", &["--wait"])?;
        assert_moved(stage, "live")?;
        goes_on(stage, bank)?;
        assert_triggers_are_on(&stage.target)
    })
}

/// Fails unless the migration is over and both sides are the same, and nothing of ours is left.
fn assert_moved(stage: &Stage, name: &str) -> Outcome {
    let shown = stage.cli.show(name)?;
    ensure!(cli::state(&shown) == "Succeeded", "{shown:#}");
    ensure!(cli::substate(&shown) == "Completed", "{shown:#}");
    stage.assert_same("app")?;
    stage.assert_source_clean("app")?;
    let statistics = stage.target.psql(
        "app",
        "select count(distinct tablename) from pg_stats where schemaname in ('public', 'bank')",
    )?;
    ensure!(statistics.parse::<u32>()? >= 8, "statistics of {statistics} tables on the target");
    Ok(())
}

/// The application goes on at the target; nothing that it was told is committed is lost.
fn goes_on(stage: &Stage, bank: Application) -> Outcome {
    let (url, before) = (stage.target.url("app"), bank.commits());
    let stopped = bank.go_on(&url)?;
    ensure!(stopped < Duration::from_secs(300), "writes were stopped for {stopped:?}");
    wait::until("commits on the target", || Ok((bank.commits() > before + 50).then_some(())))?;
    let journal = bank.end()?;
    workload::check(&mut stage.target.connect("app")?, &journal)
}

/// As on the source: of the three triggers, the row's and the ALWAYS one fire.
fn assert_triggers_are_on(target: &Cluster) -> Outcome {
    let count =
        || -> Outcome<i64> { Ok(target.psql("app", "select count(*) from audit")?.parse()?) };
    let before = count()?;
    target.psql("app", "insert into history_full values (1, 2, 'three')")?;
    ensure!(count()? == before + 2, "{} rows of audit became {}", before, count()?);
    Ok(())
}

fn assert_latency_is_told(stage: &Stage, name: &str) -> Outcome {
    let told = stage.cli.shown_until(name, "a small latency, changes counted", |shown| {
        let details = cli::database(shown, "app");
        details["latency"].as_f64().is_some_and(|seconds| (0.0..30.0).contains(&seconds))
            && details["appliedChanges"].as_u64() > Some(0)
    })?;
    let details = cli::database(&told, "app");
    ensure!(details["percent"].as_f64() == Some(100.0), "{details:#}");
    ensure!(details["fullLoadErroredTables"].as_u64() == Some(0), "{details:#}");
    ensure!(details["fullLoadCompletedTables"].as_u64() > Some(10), "{details:#}");
    Ok(())
}

#[test]
fn what_was_open_before_the_writes_stopped_arrives() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "open", "app")?;

        // One has written, one has only looked, one is prepared by its own hand.
        let mut clients = (
            stage.source.connect("app")?,
            stage.source.connect("app")?,
            stage.source.connect("app")?,
        );
        let mut written = clients.0.transaction()?;
        written.batch_execute("update bank.accounts set owner = 'written' where id = 1")?;
        let mut looked = clients.1.transaction()?;
        looked.query("select count(*) from bank.accounts", &[])?;
        clients.2.batch_execute(
            "begin; update bank.accounts set owner = 'prepared' where id = 3; prepare transaction 'by hand'",
        )?;

        stage.migration("cutover", "open", &[])?;
        stage.cli.shown_until("open", "the cutover's wait for open transactions", |shown| {
            let operation = cli::database(shown, "app")["migrationOperation"].as_str();
            operation.is_some_and(|words| words.to_lowercase().contains("settle"))
        })?;
        looked
            .batch_execute("update bank.accounts set owner = 'looked, then wrote' where id = 2")?;
        looked.commit()?;
        clients.2.batch_execute("commit prepared 'by hand'")?;
        written.commit()?;
        stage.wait_for("open", "Succeeded")?;
        stage.assert_same("app")?;
        let owners = stage.target.psql(
            "app",
            "select string_agg(owner, ', ' order by id) from bank.accounts where id <= 3",
        )?;
        ensure!(owners == "written, looked, then wrote, prepared", "{owners}");
        stage.assert_source_clean("app")
    })
}

#[test]
fn databases_cut_over_one_by_one() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        for database in ["one", "two"] {
            create_bank(&stage.source, database)?;
        }
        stage.create("both", &["--database", "one", "--database", "two", "--mode", "online"])?;
        stage.wait_for("both", "WaitingForCutoverTrigger")?;
        stage.cli.shown_until("both", "both waiting", |shown| {
            ["one", "two"].iter().all(|name| {
                cli::database(shown, name)["migrationState"] == "WaitingForCutoverTrigger"
            })
        })?;
        stage.migration("cutover", "both", &["--database", "one"])?;
        stage.cli.shown_until("both", "the first one's end", |shown| {
            cli::database(shown, "one")["migrationState"] == "Succeeded"
        })?;
        // The other one is still followed.
        stage.source.psql("two", "update bank.accounts set owner = 'later' where id = 1")?;
        stage.migration("cutover", "both", &["--database", "two", "--wait"])?;
        stage.wait_for("both", "Succeeded")?;
        for database in ["one", "two"] {
            stage.assert_same(database)?;
            stage.assert_source_clean(database)?;
        }
        Ok(())
    })
}
