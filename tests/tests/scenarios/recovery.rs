//! `kill -9` of anything, at any moment, costs time and nothing else.
use jiff::{SignedDuration, Timestamp};
use whimbrel_tests::{
    Outcome, cli,
    cluster::Cluster,
    ensure, pgbench,
    stage::{self, Hand, Plan, Stage},
    wait,
    workload::{self, Application},
};

use crate::{create_bank, start_bank};

/// A bank that is written to, with enough beside it that its copy takes a while.
pub(crate) fn begin(stage: &Stage) -> Outcome<Application> {
    create_bank(&stage.source, "app")?;
    pgbench::create(&stage.source, "app", 10)?;
    stage.create("tough", &["--database", "app", "--mode", "online"])?;
    let bank = start_bank(&stage.source, "app");
    stage.cli.shown_until("tough", "rows being copied", |shown| {
        cli::database(shown, "app")["copiedRows"].as_u64() > Some(0)
    })?;
    Ok(bank)
}

/// Writes a row on the source and waits until the stream has brought it to the target.
pub(crate) fn assert_stream_flows(stage: &Stage, word: &str) -> Outcome {
    let set = format!("update bank.accounts set owner = '{word}' where id = 7");
    stage.source.psql("app", &set)?;
    wait::until("a change to arrive", || {
        let owner = stage.target.psql("app", "select owner from bank.accounts where id = 7")?;
        Ok((owner == word).then_some(()))
    })
}

/// Starts a cutover that must wait for a transaction, does `act` meanwhile, and lets it finish.
fn cut_over_around(stage: &mut Stage, act: impl FnOnce(&mut Stage) -> Outcome) -> Outcome {
    let mut client = stage.source.connect("app")?;
    let mut open = client.transaction()?;
    open.batch_execute("update bank.accounts set owner = 'open' where id = 1")?;
    stage.migration("cutover", "tough", &[])?;
    stage.cli.shown_until("tough", "the cutover's wait for open transactions", |shown| {
        let operation = cli::database(shown, "app")["migrationOperation"].as_str();
        operation.is_some_and(|words| words.to_lowercase().contains("settle"))
    })?;
    act(stage)?;
    open.commit()?;
    stage.wait_for("tough", "Succeeded")
}

/// A bank whose cutover has begun, and whose agent stands still at a point of it.
fn frozen_in_cutover(stage: &Stage, point: &str) -> Outcome<Hand> {
    create_bank(&stage.source, "app")?;
    let mut hand = stage.hire("hand", point)?;
    stage.create("tough", &["--database", "app", "--mode", "online", "--agent", "hand"])?;
    stage.wait_for("tough", "WaitingForCutoverTrigger")?;
    stage.migration("cutover", "tough", &[])?;
    hand.frozen()?;
    Ok(hand)
}

pub(crate) fn assert_whole(stage: &Stage, bank: Application) -> Outcome {
    stage.assert_same("app")?;
    stage.assert_source_clean("app")?;
    let journal = bank.end()?;
    ensure!(journal.transactions() > 100, "the application hardly wrote");
    workload::check(&mut connect(&stage.target)?, &journal)
}

fn connect(cluster: &Cluster) -> Outcome<postgres::Client> {
    cluster.connect("app")
}

#[test]
fn the_controller_dies_in_copy_stream_and_cutover() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let bank = begin(stage)?;
        stage.kill_controller()?;
        stage.start_controller()?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;

        stage.kill_controller()?;
        // The agent goes on without it.
        assert_stream_flows(stage, "without a controller")?;
        stage.start_controller()?;
        let shown = stage.cli.show("tough")?;
        ensure!(cli::state(&shown) == "WaitingForUserAction", "{shown:#}");

        bank.stop()?;
        cut_over_around(stage, |stage| {
            stage.kill_controller()?;
            stage.start_controller()
        })?;
        assert_whole(stage, bank)
    })
}

#[test]
fn the_agent_dies_in_copy_stream_and_cutover() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let bank = begin(stage)?;
        stage.kill_agent()?;
        stage.start_agent(&[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;

        assert_stream_flows(stage, "before")?;
        stage.kill_agent()?;
        stage.start_agent(&[])?;
        assert_stream_flows(stage, "after")?;

        bank.stop()?;
        cut_over_around(stage, |stage| {
            stage.kill_agent()?;
            stage.start_agent(&[])
        })?;
        assert_whole(stage, bank)
    })
}

#[test]
fn servers_restart_under_the_stream() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        crate::migrate_until_cutover(stage, "tough", "app")?;
        let bank = start_bank(&stage.source, "app");
        for cluster in [&stage.source, &stage.target] {
            for mode in ["immediate", "fast"] {
                cluster.stop(mode)?;
                cluster.start_again()?;
                assert_stream_flows(stage, &format!("{mode} {}", cluster.port()))?;
            }
        }
        bank.stop()?;
        stage.migration("cutover", "tough", &["--wait"])?;
        assert_whole(stage, bank)
    })
}

/// A server too busy to answer is no reason to end a migration: neither one that begins nor one that is under way.
#[test]
fn a_server_that_is_silent_is_waited_for() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        let bank = start_bank(&stage.source, "app");
        let silence = stage.source.freeze()?;
        stage.create("tough", &["--database", "app", "--mode", "online"])?;
        told(stage, "CheckRetried", &stage.source)?;
        drop(silence);
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;

        for (word, cluster) in [("source", &stage.source), ("target", &stage.target)] {
            let mut session = cluster.connect("app")?;
            let silence = cluster.freeze()?;
            // Ours must come anew, and nobody answers them.
            session.batch_execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'whimbrel/%'",
            )?;
            told(stage, "TaskRetried", cluster)?;
            ensure!(cli::state(&stage.cli.show("tough")?) != "Failed", "it ended");
            drop(silence);
            assert_stream_flows(stage, word)?;
        }
        bank.stop()?;
        stage.migration("cutover", "tough", &["--wait"])?;
        assert_whole(stage, bank)
    })
}

/// Until an event of this kind names the server's silence.
fn told(stage: &Stage, kind: &str, server: &Cluster) -> Outcome {
    let words = [kind, "ServerSilent", &format!(":{} ", server.port())];
    wait::until("the event of a server's silence", || {
        let events = stage.migration("events", "tough", &[])?;
        let named = |line: &str| words.iter().all(|word| line.contains(word));
        Ok(events.lines().any(named).then_some(()))
    })
}

/// Nothing is wrong with the source: one of our sessions ends while the switch asks whether all is quiet. Going back would
/// leave the application without a database for as long as nobody looks.
#[test]
fn a_session_that_ends_in_the_switch_is_no_step_back() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        // The first look is VERIFY's.
        let hand = frozen_in_cutover(stage, "quiet.beginning=freeze:2")?;
        let ended = stage.source.psql(
            "app",
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'whimbrel/control %'",
        )?;
        ensure!(ended == "1", "{ended} sessions were ended");
        hand.wake()?;
        stage.wait_for("tough", "Succeeded")?;
        let events = stage.migration("events", "tough", &[])?;
        ensure!(!events.contains("CutoverSteppedBack"), "{events}");
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// What mends by itself leads the cutover back before the switch no more than in it: the step is done again.
#[test]
fn a_session_that_ends_in_a_step_is_no_step_back() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let hand = frozen_in_cutover(stage, "sequences.proved=freeze")?;
        let ended = stage.target.psql(
            "app",
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'whimbrel/sequences %'",
        )?;
        ensure!(ended == "1", "{ended} sessions were ended");
        hand.wake()?;
        stage.wait_for("tough", "Succeeded")?;
        let events = stage.migration("events", "tough", &[])?;
        ensure!(events.contains("CutoverStepFailed"), "no step failed:\n{events}");
        ensure!(!events.contains("CutoverSteppedBack"), "{events}");
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// Nothing runs in a pause, and the slot stays: the source would keep WAL for it until its disk is full.
#[test]
fn a_pause_lets_the_slot_go_before_the_source_keeps_more_than_it_may() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        crate::migrate_until_cutover(stage, "tough", "app")?;
        stage.migration("pause", "tough", &[])?;
        // Told while it is paused, and heard by an agent in a new life.
        stage.migration("update", "tough", &["--max-retained-wal", "48MB"])?;
        stage.kill_agent()?;
        stage.start_agent(&[])?;
        let write = |megabytes: u32| {
            let more = format!(
                "select pg_logical_emit_message(false, 'x', repeat('x', 1 << 20)) from generate_series(1, {megabytes})"
            );
            stage.source.psql("app", &more).map(drop)
        };
        write(40)?;
        wait::until("a warning on the way", || {
            Ok(stage.migration("events", "tough", &[])?.contains("WalRetained").then_some(()))
        })?;
        write(40)?;
        stage.cli.shown_until("tough", "the slot to be let go", |shown| {
            let hold = &cli::database(shown, "app")["hold"];
            hold["kind"] == "NeedsResync" && hold["code"] == "WalBudgetSpent"
        })?;
        let slots = stage.source.psql("app", "select count(*) from pg_replication_slots")?;
        ensure!(slots == "0", "{slots} slots are left");
        stage.source.psql("app", "update bank.accounts set owner = 'later' where id = 7")?;
        stage.migration("retry", "tough", &[])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// What is not stored is not acknowledged, and nothing follows from it; agents go on, and so does all when there is room.
#[test]
fn the_disk_under_the_controllers_store_is_full_for_a_while() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        let mut hand = stage.hire("hand", "step.DRAIN.begin=freeze,step.DRAIN.done=freeze")?;
        stage.create("tough", &["--database", "app", "--mode", "online", "--agent", "hand"])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.fill_controllers_disk(true)?;
        for verb in ["pause", "cutover"] {
            let words = ["migration", verb, "tough", "--target", stage::TARGET];
            stage.cli.refused(&words, 4, &["StoreFull", "free some room"])?;
        }
        assert_stream_flows(stage, "though nothing can be stored")?;
        stage.fill_controllers_disk(false)?;
        stage.migration("cutover", "tough", &[])?;
        hand.frozen()?;
        stage.fill_controllers_disk(true)?;
        hand.wake()?;
        hand.frozen()?;
        hand.wake()?;
        // Time to go wrong in: the next step would be ordered at once.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let shown = stage.cli.show("tough")?;
        let operation = cli::database(&shown, "app")["migrationOperation"].to_string();
        ensure!(operation.to_lowercase().contains("drain"), "{shown:#}");
        let log = stage.log_of("hand");
        stage.fill_controllers_disk(false)?;
        stage.wait_for("tough", "Succeeded")?;
        ensure!(!log.contains("no session"), "the agent lost its session:\n{log}");
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

#[test]
fn a_controller_that_is_asked_to_stop_drains() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let Some(mut controller) = stage.controller.take() else { return Ok(()) };
        let status = controller.terminate()?;
        ensure!(status.success(), "the controller ended with {status}");
        let Some(mut agent) = stage.agent.take() else { return Ok(()) };
        let status = agent.terminate()?;
        ensure!(status.success(), "the agent ended with {status}");
        Ok(())
    })
}

/// Nobody knows when it comes, and by then the application may write again: the switch must not be made then.
#[test]
fn an_agent_that_stays_away_in_a_cutover_leads_back() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let hand = frozen_in_cutover(stage, "sequences.proved=freeze")?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        let events = stage.migration("events", "tough", &[])?;
        ensure!(events.contains("AgentAway"), "{events}");
        // The application writes again: what the agent has verified before is old.
        stage.source.psql("app", "update bank.accounts set owner = 'late' where id = 7")?;
        hand.wake()?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}

/// To the stream, and then by another attempt to the end.
fn leads_back_as_the_controller_was_away(stage: &Stage) -> Outcome {
    stage.wait_for("tough", "WaitingForCutoverTrigger")?;
    let events = stage.migration("events", "tough", &[])?;
    ensure!(events.contains("ControllerAway"), "{events}");
    stage.migration("cutover", "tough", &["--wait"])?;
    stage.assert_same("app")?;
    stage.assert_source_clean("app")
}

/// What it knew of the cutover is as old as its absence: the application may have gone back to its source meanwhile.
#[test]
fn a_controller_that_was_away_in_a_cutover_leads_back() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let hand = frozen_in_cutover(stage, "sequences.proved=freeze")?;
        let alive = stage.folder().join("controller").join("alive");
        wait::until("the controller's time", || Ok(alive.exists().then_some(())))?;
        stage.kill_controller()?;
        wait::until("the end of a minute", || {
            let told = std::fs::read_to_string(&alive)?.trim().parse::<Timestamp>()?;
            Ok((Timestamp::now() >= told + SignedDuration::from_secs(61)).then_some(()))
        })?;
        stage.source.psql("app", "update bank.accounts set owner = 'late' where id = 7")?;
        stage.start_controller()?;
        hand.wake()?;
        leads_back_as_the_controller_was_away(stage)
    })
}

/// A machine that stood still: its processes know of no time that has passed.
#[test]
fn a_controller_that_was_frozen_in_a_cutover_leads_back() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let hand = frozen_in_cutover(stage, "sequences.proved=freeze")?;
        let frozen = Timestamp::now();
        let Some(controller) = &stage.controller else { return Ok(()) };
        controller.signal("STOP")?;
        wait::until("the end of a minute", || {
            Ok((Timestamp::now() >= frozen + SignedDuration::from_secs(62)).then_some(()))
        })?;
        stage.source.psql("app", "update bank.accounts set owner = 'late' where id = 7")?;
        controller.signal("CONT")?;
        hand.wake()?;
        leads_back_as_the_controller_was_away(stage)
    })
}
