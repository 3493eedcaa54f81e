//! A controller's store that was restored from a backup: what it does not know is not taken for what is.
use whimbrel_tests::{
    Outcome, cli, ensure,
    stage::{self, Plan, Stage},
    wait,
};

use crate::{
    create_bank, migrate_until_cutover,
    recovery::{assert_stream_flows, assert_whole, begin},
};

#[test]
fn a_controller_whose_store_is_an_older_one_acts_on_nothing() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "tough", "app")?;
        back_up(stage)?;
        stage.start_controller()?;
        stage.logged("agent", "session with the controller term=2")?;
        begin_an_epoch(stage)?;
        // Once more, so that the agent has seen a later term than the backup's next one.
        stage.kill_controller()?;
        stage.start_controller()?;
        stage.logged("agent", "session with the controller term=3")?;
        restore(stage)?;

        stage.start_controller()?;
        stage.logged("agent", "--restored")?;
        stage.kill_controller()?;
        stage.start_controller_with(&["--restored"])?;
        // It knows an epoch that was over long ago, and the agent runs a later one.
        stage.cli.shown_until("tough", "the hold of an epoch that was overtaken", |shown| {
            let hold = &cli::database(shown, "app")["hold"];
            hold["code"] == "EpochOvertaken"
        })?;
        assert_stream_flows(stage, "all the while")?;
        stage.migration("retry", "tough", &[])?;
        stage.cli.shown_until("tough", "the end of the hold", |shown| {
            cli::database(shown, "app")["hold"].is_null()
        })?;
        stage.migration("cutover", "tough", &[])?;
        stage.wait_for("tough", "Succeeded")?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// The agent has seen no later term than the restored store's next one; what it was told last tells the store's age.
#[test]
fn an_agent_is_not_served_from_a_store_that_does_not_know_its_last_command() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "tough", "app")?;
        back_up(stage)?;
        stage.start_controller()?;
        begin_an_epoch(stage)?;
        restore(stage)?;
        stage.start_controller()?;
        stage.logged("agent", "StoreIsOlder")?;
        let shown = stage.cli.ok(&["agent", "show", stage::AGENT])?;
        ensure!(shown.contains("StoreIsOlder"), "{shown}");
        let shown = stage.cli.show("tough")?.to_string();
        ensure!(shown.contains("is turned away: see `whimbrel agent show"), "{shown}");
        assert_stream_flows(stage, "though nobody is listened to")?;
        stage.kill_controller()?;
        stage.start_controller_with(&["--restored"])?;
        stage.cli.shown_until("tough", "the hold of an epoch that was overtaken", |shown| {
            cli::database(shown, "app")["hold"]["code"] == "EpochOvertaken"
        })?;
        stage.migration("retry", "tough", &[])?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// The agent has told, under an epoch that the backup knows, what the backup does not know: it would never tell it again.
#[test]
fn a_restored_controller_asks_anew_what_it_was_told_after_its_backup() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let bank = begin(stage)?;
        back_up(stage)?;
        stage.start_controller()?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        restore(stage)?;
        stage.start_controller_with(&["--restored"])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        bank.stop()?;
        stage.migration("cutover", "tough", &[])?;
        stage.wait_for("tough", "Succeeded")?;
        assert_whole(stage, bank)
    })
}

/// It goes on, and nobody steers it: that is told.
#[test]
fn what_an_agent_runs_of_a_migration_that_a_restored_store_does_not_know_is_shown() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        back_up(stage)?;
        stage.start_controller()?;
        create_bank(&stage.source, "app")?;
        migrate_until_cutover(stage, "tough", "app")?;
        restore(stage)?;
        stage.start_controller_with(&["--restored"])?;
        let told = "Unknown task   database \"app\" of migration ";
        wait::until("the agent to be shown with it", || {
            let shown = stage.cli.ok(&["agent", "show", stage::AGENT])?;
            Ok(shown.contains(told).then_some(()))
        })?;
        assert_stream_flows(stage, "though nobody knows of it")
    })
}

/// Pauses and resumes, and waits until the agent has heard of both.
fn begin_an_epoch(stage: &Stage) -> Outcome {
    let sender = "select active_pid from pg_replication_slots where active";
    let before = stage.source.psql("app", sender)?;
    for verb in ["pause", "resume"] {
        stage.migration(verb, "tough", &[])?;
    }
    wait::until("the agent to be resumed", || {
        let sender = stage.source.psql("app", sender)?;
        Ok((!sender.is_empty() && sender != before).then_some(()))
    })?;
    assert_stream_flows(stage, "under a new epoch")
}

/// Kills the controller; its data folder is the backup.
fn back_up(stage: &mut Stage) -> Outcome {
    stage.kill_controller()?;
    copy_folder(&stage.folder().join("controller"), &stage.folder().join("backup"))
}

/// Kills the controller and puts the backup in its folder's place.
fn restore(stage: &mut Stage) -> Outcome {
    stage.kill_controller()?;
    let data = stage.folder().join("controller");
    std::fs::remove_dir_all(&data)?;
    copy_folder(&stage.folder().join("backup"), &data)
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) -> Outcome {
    let copied = std::process::Command::new("cp").arg("-r").args([from, to]).status()?;
    ensure!(copied.success(), "cp: {copied}");
    Ok(())
}
