//! What was lost is had again: a slot that no longer has what the ledger needs, a table whose changes can't be applied.
use whimbrel_tests::{
    Outcome, cli, ensure, pgbench,
    stage::{self, Plan, Stage, TARGET},
    wait, workload,
};

use crate::{create_bank, migrate_until_cutover, start_bank};

fn hold_code(shown: &serde_json::Value) -> &str {
    cli::database(shown, "app")["hold"]["code"].as_str().unwrap_or_default()
}

/// Takes the migration to a hold by what `spoil` does to the slot while the agent does not stream.
fn lose_the_slot(stage: &Stage, code: &str, spoil: &str) -> Outcome {
    stage.migration("pause", "tough", &[])?;
    let slot = "(select slot_name from pg_replication_slots where slot_name like 'whimbrel%')";
    // The walsender of the paused stream goes within a moment; what is written then does not come by it.
    wait::until("the slot to be free", || {
        let free = stage.source.psql("app", "select not active from pg_replication_slots")?;
        Ok((free == "t").then_some(()))
    })?;
    stage.source.psql("app", "update bank.accounts set owner = 'between' where id = 3")?;
    stage.source.psql("app", &spoil.replace("SLOT", slot))?;
    stage.migration("resume", "tough", &[])?;
    stage.cli.shown_until("tough", "a hold", |shown| hold_code(shown) == code)?;
    stage.cli.refused(
        &["migration", "cutover", "tough", "--target", TARGET],
        4,
        &["NeedsResync"],
    )?;
    Ok(())
}

fn events(stage: &Stage) -> Outcome<String> {
    stage.migration("events", "tough", &[])
}

#[test]
fn a_lost_slot_costs_only_the_tables_that_changed() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 2)?;
        migrate_until_cutover(stage, "tough", "app")?;
        let made_anew = "select pg_drop_replication_slot(SLOT)";
        lose_the_slot(stage, "SlotMissing", made_anew)?;
        let bank = start_bank(&stage.source, "app");
        stage.migration("retry", "tough", &[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        wait::until("the changes between to arrive", || {
            let sql = "select owner from bank.accounts where id = 3";
            Ok((stage.target.psql("app", sql)? == "between").then_some(()))
        })?;
        let told = events(stage)?;
        ensure!(told.contains("TablesCompared"), "{told}");
        ensure!(told.contains("bank.accounts") && !told.contains("pgbench_accounts"), "{told}");

        let skipped = "select pg_replication_slot_advance(SLOT, pg_current_wal_lsn())";
        bank.stop()?;
        lose_the_slot(stage, "SlotAheadOfLedger", skipped)?;
        stage.migration("retry", "tough", &[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}

/// No event tells of it, and no stream has what was written meanwhile.
#[test]
fn publications_that_were_altered_or_dropped_cost_only_the_tables_that_changed() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 2)?;
        migrate_until_cutover(stage, "tough", "app")?;
        let set = |publish: &str| {
            format!(
                "do $$ declare p name; begin
                     for p in select pubname from pg_publication where pubname like 'whimbrel%' and pubupdate or pubname like 'whimbrel%' and not pubtruncate loop
                         execute format('alter publication %I set (publish = {publish:?})', p);
                     end loop; end $$"
            )
        };
        stage.source.psql("app", &set("insert").replace('"', "''"))?;
        stage.source.psql("app", "update bank.accounts set owner = 'between' where id = 3")?;
        stage.source.psql("app", &set("insert, update, delete, truncate").replace('"', "''"))?;
        stage.migration("cutover", "tough", &[])?;
        stage
            .cli
            .shown_until("tough", "a hold", |shown| hold_code(shown) == "PublicationAltered")?;
        stage.migration("retry", "tough", &[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        let told = events(stage)?;
        ensure!(told.contains("bank.accounts") && !told.contains("pgbench_accounts"), "{told}");

        let dropped = "do $$ declare p name; begin
            for p in select pubname from pg_publication where pubname like 'whimbrel%' loop
                execute format('drop publication %I', p);
            end loop; end $$";
        stage.source.psql("app", dropped)?;
        stage.source.psql("app", "update bank.accounts set owner = 'later' where id = 4")?;
        stage
            .cli
            .shown_until("tough", "a hold", |shown| hold_code(shown) == "PublicationAltered")?;
        stage.migration("retry", "tough", &[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

#[test]
fn a_table_is_held_by_itself_and_copied_again_by_itself() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.source.psql(
            "app",
            "create table shelf (id int primary key, word text unique);
             insert into shelf select n, 'w' || n from generate_series(1, 100) n;
             create table book (id int primary key, shelf int not null references shelf);
             insert into book select n, n from generate_series(1, 100) n;",
        )?;
        migrate_until_cutover(stage, "tough", "app")?;
        let bank = start_bank(&stage.source, "app");
        stage.target.psql("app", "update shelf set word = 'mine' where id = 5")?;
        stage.source.psql(
            "app",
            "insert into shelf values (1000, 'mine'); insert into book values (1000, 1000)",
        )?;
        let shown = stage.cli.shown_until("tough", "a held table", |shown| {
            cli::database(shown, "app")["heldTables"].is_array()
        })?;
        let held = &cli::database(&shown, "app")["heldTables"][0];
        ensure!(
            held["table"] == "public.shelf" && held["code"] == "ConstraintViolated",
            "{held:#}"
        );
        ensure!(!shown.to_string().contains("mine"), "a row's value is told: {shown:#}");
        let written = bank.commits();
        wait::until("the others to go on", || {
            let there = stage.target.psql("app", "select count(*) from bank.ledger")?;
            Ok((there.parse::<u64>()? > written).then_some(()))
        })?;
        stage.cli.refused(
            &["migration", "cutover", "tough", "--target", TARGET],
            4,
            &["TablesHeld", "public.shelf"],
        )?;

        stage.source.psql("app", "update shelf set word = 'later' where id = 6")?;
        stage.migration("retry", "tough", &["--table", "shelf"])?;
        let shown = stage.cli.shown_until("tough", "a name that no table has", |shown| {
            hold_code(shown) == "TableUnknown"
        })?;
        ensure!(shown.to_string().contains("no table shelf"), "{shown:#}");
        stage.migration("retry", "tough", &["--table", "public.shelf"])?;
        wait::until("the table to be there again", || {
            let sql = "select count(*) from shelf where word in ('mine', 'later', 'w5')";
            Ok((stage.target.psql("app", sql)? == "3").then_some(()))
        })?;
        stage.source.psql(
            "app",
            "update shelf set word = 'after' where id = 7; delete from book where id = 8",
        )?;
        let shown = stage.cli.show("tough")?;
        ensure!(cli::database(&shown, "app")["heldTables"].is_null(), "{shown:#}");
        wait::until("the foreign keys to be there again", || {
            let sql = "select count(*) from pg_constraint where contype = 'f' and convalidated and conrelid = 'book'::regclass";
            Ok((stage.target.psql("app", sql)? == "1").then_some(()))
        })?;
        bank.stop()?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}
