//! Steps of a cutover that fail: what leads back, what is tried again, and what is asked for again.
use whimbrel_controller::migration::{
    CommandKind, Event, Failure, Mode, Policy, ReportKind, Step, TRIES_MAX, Task,
};

use crate::world::{TARGET, World, failure};

#[test]
fn a_step_that_fails_steps_back_and_the_next_attempt_has_its_own_number() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Verify);
    world.step_failed(0, Policy::Fail);
    assert_eq!(world.phase(0), "Ready");
    assert!(world.noted("CutoverSteppedBack"));
    assert_eq!(world.db(0).message.as_ref().unwrap().code, "SomethingBroke");
    let back = CommandKind::CutoverBack { attempt: 1 };
    assert_eq!(world.kinds(), [&back, &back]);
    assert_eq!(world.db(0).past_attempts(), 1);
    world.cut_over();
    assert_eq!(world.outstanding(0), Some((Step::Mark, 2)));
    assert_eq!(world.db(0).past_attempts(), 1);
}

#[test]
fn a_step_that_lost_a_connection_is_tried_again_before_it_leads_back() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Drain);
    for _ in 0..3 {
        world.step_failed(0, Policy::Away);
        // The other end fails too when one does.
        world.task(0, Task::Send, ReportKind::TaskFailed(failure(Policy::Away)));
        world.wait(5);
        assert_eq!(world.outstanding(0), Some((Step::Drain, 1)));
        let steps = world.kinds().into_iter().filter(|k| matches!(k, CommandKind::CutoverStep(_)));
        assert_eq!(steps.count(), 1);
        // That the stream flows again is not yet the step.
        world.task(0, Task::Receive, ReportKind::StreamStarted { from_lsn: 7 });
    }
    assert!(!world.noted("CutoverSteppedBack"));
    world.step_failed(0, Policy::Away);
    assert_eq!(world.phase(0), "Ready");
    assert!(world.noted("CutoverSteppedBack"));
    world.cut_over();
    world.steps_until(0, Step::Drain);
    world.step_failed(0, Policy::Retry);
    world.wait(5);
    world.step_done(0);
    assert_eq!(world.outstanding(0), Some((Step::Complete, 2)));
}

#[test]
fn an_agent_that_stays_away_leads_back_until_the_switch_was_given_out() {
    let away = Event::AgentAway { agent: TARGET.to_owned() };
    let mut world = World::ready(&["a", "b"]);
    world.happen(&away);
    assert_eq!(world.phase(0), "Ready");
    assert!(world.migration.awaited_in_cutover(world.now).is_empty(), "nothing waits for it");
    world.cut_over();
    world.steps_until(0, Step::Verify);
    world.steps_until(1, Step::Switch);
    world.happen(&away);
    assert_eq!(world.outstanding(0), Some((Step::Verify, 1)), "it may be on its way");
    world.wait(10);
    assert_eq!(world.migration.awaited_in_cutover(world.now).len(), 2);
    world.happen(&Event::AgentAway { agent: "another".to_owned() });
    assert_eq!(world.outstanding(0), Some((Step::Verify, 1)));
    world.happen(&away);
    assert_eq!(world.phase(0), "Ready");
    assert_eq!(world.db(0).message.as_ref().unwrap().code, "AgentAway");
    assert_eq!(world.outstanding(1), Some((Step::Switch, 1)), "it may have been made");
    assert!(
        world.migration.awaited_in_cutover(world.now).is_empty(),
        "the switch is waited for without end"
    );
    // What it had done when it went is told late.
    world.step_done(1);
    assert_eq!(world.phase(0), "Ready");
}

#[test]
fn an_agent_that_stays_away_leads_back_though_the_clock_was_set_back() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.now = world.now.checked_sub(std::time::Duration::from_secs(3600)).unwrap();
    world.happen(&Event::AgentAway { agent: TARGET.to_owned() });
    assert_eq!(world.phase(0), "Ready");
}

#[test]
fn a_step_that_leads_back_tells_of_no_retry_for_nothing_is_held() {
    let mend = "mend the cause on the server, then `whimbrel migration retry`";
    let failed = |world: &mut World, step| {
        world.cut_over();
        world.steps_until(0, step);
        let remedy = mend.to_owned();
        world.step_failed_with(0, Failure { remedy, ..failure(Policy::Hold) });
        world.db(0).message.clone().unwrap().remedy
    };
    let mut world = World::ready(&["a"]);
    let told = failed(&mut world, Step::Complete);
    assert_eq!(told, "mend the cause on the server, then order the cutover again");
    assert!(world.notes.iter().all(|note| !note.message.contains("retry")), "{:?}", world.notes);
    assert!(world.attempt(&Event::Retry { databases: vec![], tables: vec![] }).is_err());
    // Behind the switch it holds, and that is how it goes on.
    let told = failed(&mut world, Step::RemoveSource);
    assert_eq!(told, mend);
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
}

/// The application waits for the cutover, and nobody but the one who ordered it should have it go on hours later.
#[test]
fn what_stays_away_leads_a_cutover_back_and_is_waited_for_there() {
    let away = |world: &mut World, times: u32| {
        for _ in 0..times {
            world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Away)));
            assert!(world.db(0).hold.is_none());
            world.wait(5);
            assert!(world.kinds().contains(&&CommandKind::Receive));
        }
    };
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Drain);
    away(&mut world, TRIES_MAX - 1);
    assert_eq!(world.outstanding(0), Some((Step::Drain, 1)), "a restart of a server is shorter");
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Away)));
    assert_eq!(world.phase(0), "Ready");
    assert!(world.noted("CutoverSteppedBack"));
    world.wait(5);
    away(&mut world, TRIES_MAX * 2);
    assert_eq!(world.phase(0), "Ready");

    let mut switched = World::ready(&["a"]);
    switched.cut_over();
    switched.steps_until(0, Step::Switch);
    away(&mut switched, TRIES_MAX * 2);
    assert_eq!(switched.outstanding(0), Some((Step::Switch, 1)));
}

#[test]
fn a_switch_whose_outcome_is_not_known_is_asked_for_again() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Switch);
    world.step_failed(0, Policy::Retry);
    assert_eq!(world.outstanding(0), Some((Step::Switch, 1)));
    world.wait(61);
    assert!(matches!(
        world.kinds()[..],
        [CommandKind::Send, CommandKind::Receive, CommandKind::CutoverStep(_)]
    ));
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Fail)));
    assert_eq!(world.phase(0), "CuttingOver");
    assert!(world.db(0).hold.is_some(), "no failure after the switch was given out is final");
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    world.step_done(0);
    assert_eq!(world.outstanding(0), Some((Step::RemoveSource, 1)));
}

#[test]
fn an_offline_switch_that_was_not_made_leads_back_to_the_first_step() {
    let held = || {
        let mut world = World::copying(Mode::Offline, &["a"]);
        let finished = ReportKind::CopyFinished { tables: 1, rows: 1, bytes: 1 };
        world.task(0, Task::Receive, finished);
        world.steps_until(0, Step::Switch);
        world.step_failed(0, Policy::Hold);
        assert!(world.db(0).hold.is_some());
        assert_eq!(world.outstanding(0), Some((Step::Complete, 2)));
        world
    };
    let mut canceled = held();
    canceled.happen(&Event::Cancel { databases: vec![] });
    assert_eq!(canceled.phase(0), "Canceled");

    let mut world = held();
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    let [.., CommandKind::CutoverStep(order)] = &world.kinds()[..] else {
        panic!("{:?}", world.commands)
    };
    assert_eq!((order.step, order.attempt), (Step::Complete, 2));
    assert_eq!(world.db(0).past_attempts(), 1);
    // A difference that VERIFY finds needs them carried again.
    world.steps_until(0, Step::Verify);
    world.step_failed(0, Policy::Hold);
    assert_eq!(world.outstanding(0), Some((Step::Complete, 3)));
    // Whether this one was made is not known, so it stays the step that is asked for.
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    world.steps_until(0, Step::Switch);
    world.step_failed(0, Policy::Retry);
    world.wait(61);
    assert_eq!(world.outstanding(0), Some((Step::Switch, 3)));
    world.steps_until(0, Step::RemoveLedger);
    world.step_done(0);
    assert_eq!(world.phase(0), "Succeeded");
}

#[test]
fn a_step_whose_task_has_ended_is_done_after_a_restart() {
    let refused = |refusal: &str| Event::CommandRefused {
        agent: TARGET.to_owned(),
        database: "a".to_owned(),
        epoch: 1,
        refusal: refusal.to_owned(),
        newest: if refusal == "StaleEpoch" { 7 } else { 0 },
    };
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.happen(&refused("NotRunning"));
    assert!(world.db(0).hold.is_none() && world.db(0).retry_at.is_some());
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Retry)));
    assert_eq!(world.db(0).tries, 1, "the task's own word comes after it");
    world.wait(61);
    assert_eq!(world.kinds().len(), 3);

    let mut old = World::ready(&["a"]);
    old.happen(&refused("Unknown"));
    assert_eq!(old.db(0).hold.as_ref().unwrap().code, "CommandRefused");

    // An agent that knows a later epoch than we do: our memory was set back.
    let mut forgetful = World::ready(&["a"]);
    forgetful.cut_over();
    forgetful.happen(&refused("StaleEpoch"));
    assert_eq!(forgetful.db(0).hold.as_ref().unwrap().code, "EpochOvertaken");
    forgetful.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert_eq!(forgetful.db(0).epoch, 8);
}
