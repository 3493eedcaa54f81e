//! Agents that come again, tasks that fail, reports that come late or twice.
use whimbrel_controller::migration::{
    Command, CommandKind, CutoverRequest, Event, Failure, FindingState, Goal, HoldKind, Mode,
    Policy, ReportKind, Secret, Spec, State, Step, StepOrder, TRIES_MAX, Task, allowed, state,
};

use crate::world::{SOURCE, TARGET, World, failure, spec};

fn reborn(agent: &str, incarnation: &str) -> Event {
    Event::AgentIncarnation { agent: agent.to_owned(), incarnation: incarnation.to_owned() }
}

#[test]
fn a_new_incarnation_starts_both_ends_and_the_step_again() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Drain);
    world.happen(&reborn(TARGET, "2"));
    let [CommandKind::Send, CommandKind::Receive, CommandKind::CutoverStep(order)] =
        &world.kinds()[..]
    else {
        panic!("{:?}", world.commands)
    };
    assert_eq!((order.step, order.attempt, order.end_lsn), (Step::Drain, 1, 9));
    assert_eq!(world.db(0).epoch, 2);
    world.happen(&reborn(TARGET, "2"));
    assert!(world.commands.is_empty(), "the same life again is a reconnect");
}

#[test]
fn stale_and_repeated_reports_change_nothing() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    let (step, attempt) = world.outstanding(0).unwrap();
    let done = whimbrel_controller::migration::StepDone {
        step,
        attempt,
        open: vec![],
        lsn: 1,
        seconds: 0.1,
        note: String::new(),
    };
    let event =
        world.report_event(SOURCE, "a".into(), 1, Task::Send, ReportKind::StepDone(done.clone()));
    world.happen(&event);
    assert_eq!(world.outstanding(0).unwrap().0, Step::Settle);
    let after = world.migration.clone();
    world.happen(&event);
    assert_eq!(world.migration, after, "the same report again");
    let foreign = ReportKind::TaskFailed(failure(Policy::Fail));
    let foreign = world.report_event(SOURCE, "a".into(), 1, Task::Receive, foreign);
    world.happen(&foreign);
    assert_eq!(world.migration, after, "an agent speaks of its own tasks only");
    let stale = world.report_event(SOURCE, "a".into(), 0, Task::Send, ReportKind::StepDone(done));
    world.happen(&stale);
    assert_eq!(world.outstanding(0).unwrap().0, Step::Settle);
    assert!(world.commands.is_empty());
}

#[test]
fn retries_end_in_a_hold_and_progress_begins_anew() {
    let mut world = World::copying(Mode::Online, &["a"]);
    let broken = || ReportKind::TaskFailed(failure(Policy::Retry));
    for tries in 1..TRIES_MAX {
        world.task(0, Task::Receive, broken());
        world.task(0, Task::Send, broken());
        assert_eq!(world.db(0).tries, tries, "both ends fail, once counts");
        world.wait(61);
        assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
    }
    let mut lucky = World::copying(Mode::Online, &["a"]);
    lucky.task(0, Task::Receive, broken());
    lucky.wait(61);
    let epoch = lucky.db(0).epoch;
    lucky.happen(&Event::Progressed { database: "a".to_owned(), epoch });
    assert_eq!((lucky.db(0).tries, lucky.db(0).message.clone()), (0, None));
    world.task(0, Task::Receive, broken());
    assert!(world.db(0).hold.is_some());
    assert_eq!(world.kinds(), [&CommandKind::Stop, &CommandKind::Stop, &CommandKind::Guard]);
}

#[test]
fn what_held_is_told_no_more_once_it_is_tried_again() {
    let retry = Event::Retry { databases: vec![], tables: vec![] };
    for policy in [Policy::Hold, Policy::Retry, Policy::Away, Policy::Fenced, Policy::Resync] {
        let mut world = World::ready(&["a"]);
        world.task(0, Task::Receive, ReportKind::TaskFailed(failure(policy)));
        assert!(world.db(0).message.is_some(), "{policy:?}");
        world.happen(&retry);
        assert_eq!(world.db(0).message, None, "{policy:?}");
    }
    // Why a cutover stepped back stays to be read, whatever is paused and goes on.
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.step_failed(0, Policy::Hold);
    world.happen(&Event::Pause { databases: vec![] });
    world.happen(&Event::Resume { databases: vec![] });
    assert!(world.db(0).message.is_some());
}

#[test]
fn what_is_away_is_waited_for_however_long() {
    let mut world = World::copying(Mode::Online, &["a"]);
    for _ in 0..TRIES_MAX * 5 {
        world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Away)));
        assert!(world.db(0).hold.is_none());
        world.wait(5);
        assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
    }
    // What comes back may fail at first (a deadlock, a lock that is held): that is tried as often as ever.
    for tries in 1..=TRIES_MAX {
        assert!(world.db(0).hold.is_none(), "held at try {tries}");
        world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Retry)));
        world.wait(61);
    }
    assert!(world.db(0).hold.is_some());
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert_eq!((world.db(0).tries, world.db(0).tries_away), (0, 0));
}

#[test]
fn a_held_table_comes_back_and_a_lost_slot_is_asked_for_once() {
    let mut world = World::ready(&["a"]);
    let held =
        || ReportKind::TableHeld { table: "public.t".into(), failure: failure(Policy::Hold) };
    world.task(0, Task::Receive, held());
    world.task(0, Task::Receive, held());
    assert_eq!((world.phase(0), world.db(0).held_tables.len()), ("Ready", 1));
    let refusal = world.attempt(&Event::Cutover(CutoverRequest::default())).unwrap_err();
    assert_eq!(refusal.code, "TablesHeld");
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert!(world.db(0).held_tables.is_empty());
    let asked = |world: &World| {
        let requests = world.db(0).copy_again.iter();
        requests.map(|r| (r.number, r.tables.clone(), r.new_slot)).collect::<Vec<_>>()
    };
    assert_eq!(asked(&world), [(1, vec![], false)]);
    let one = Event::Retry { databases: vec![], tables: vec!["public.u".into()] };
    assert_eq!(world.phase(0), "Copying");
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Resync)));
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    let all = [(1, vec![], false), (2, vec![], true)];
    assert_eq!(asked(&world), all, "until a stream says that they are done");
    world.task(0, Task::Receive, ReportKind::StreamStarted { from_lsn: 7 });
    assert!(asked(&world).is_empty());
    let epoch = world.db(0).epoch;
    world.happen(&Event::LagSmall { database: "a".to_owned(), epoch });
    world.cut_over();
    assert_eq!(world.attempt(&one).unwrap_err().code, "CutoverRunning");
}

#[test]
fn cleaning_is_tried_until_it_is_done() {
    let mut world = World::ready(&["a"]);
    world.happen(&Event::Cancel { databases: vec![] });
    for _ in 0..=TRIES_MAX {
        world.task(0, Task::CleanSource, ReportKind::TaskFailed(failure(Policy::Hold)));
        assert_eq!(world.phase(0), "Cleaning");
        assert!(world.db(0).message.is_some());
        world.wait(61);
        assert_eq!(world.kinds(), [&CommandKind::CleanSource]);
    }
    world.happen(&reborn(SOURCE, "2"));
    assert_eq!(world.kinds(), [&CommandKind::CleanSource]);
    world.task(0, Task::CleanSource, ReportKind::TaskDone);
    assert_eq!(world.phase(0), "Canceled");
}

#[test]
fn a_cleaning_that_needs_a_person_says_so_and_is_tried_all_the_same() {
    let mut world = World::ready(&["a"]);
    world.happen(&Event::Cancel { databases: vec![] });
    let fails = |world: &mut World, policy| {
        world.task(0, Task::CleanSource, ReportKind::TaskFailed(failure(policy)));
    };
    fails(&mut world, Policy::Away);
    assert!(world.db(0).hold.is_none(), "time alone may mend it");
    world.wait(61);
    fails(&mut world, Policy::Credentials);
    let hold = world.db(0).hold.clone().unwrap();
    assert_eq!(hold.kind, HoldKind::NeedsCredentials);
    assert!(allowed(&world.migration).contains(&"retry"));
    assert!(world.migration.next_due(world.now).is_some());
    world.wait(61);
    assert_eq!(world.kinds(), [&CommandKind::CleanSource]);
    fails(&mut world, Policy::Credentials);
    assert_eq!(world.db(0).hold.as_ref().unwrap().since, hold.since);
    world.happen(&reborn(SOURCE, "2"));
    assert_eq!(world.kinds(), [&CommandKind::CleanSource]);
    fails(&mut world, Policy::Credentials);
    let secret = Some(Secret::Env("OTHER".to_owned()));
    world.happen(&Event::UpdateSecrets { source: secret, target: None });
    assert!(world.db(0).hold.is_none());
    assert_eq!(world.kinds(), [&CommandKind::CleanSource]);
    world.task(0, Task::CleanSource, ReportKind::TaskDone);
    assert_eq!(world.phase(0), "Canceled");
}

#[test]
fn what_is_pointless_leaves_the_outbox() {
    let command = |agent: &str, epoch, kind| Command {
        agent: agent.to_owned(),
        database: "a".to_owned(),
        epoch,
        kind,
    };
    let order = StepOrder {
        step: Step::Mark,
        attempt: 1,
        open: vec![],
        end_lsn: 0,
        allow_source_writes: false,
    };
    let step = command(SOURCE, 1, CommandKind::CutoverStep(order));
    let stop = command(SOURCE, 1, CommandKind::Stop);
    let send = command(SOURCE, 2, CommandKind::Send);
    let clean = command(SOURCE, 2, CommandKind::CleanSource);
    assert!(stop.supersedes(&step));
    assert!(send.supersedes(&step) && send.supersedes(&stop));
    assert!(!clean.supersedes(&stop), "the tasks must still hear that they are to stop");
    assert!(!send.supersedes(&command(TARGET, 1, CommandKind::Receive)));
    assert!(!stop.supersedes(&send), "an older word ends nothing newer");
    assert!(!send.supersedes(&Command { database: "b".to_owned(), ..step }));
}

#[test]
fn an_epoch_that_was_overtaken_is_held_and_a_retry_goes_above_it() {
    let mut world = World::ready(&["a"]);
    let overtaken = Failure { ledger_epoch: 9, ..failure(Policy::Fenced) };
    world.task(0, Task::Receive, ReportKind::TaskFailed(overtaken));
    assert!(world.db(0).hold.is_some());
    assert_eq!(world.db(0).epoch, 1);
    world.wait(1000);
    assert!(world.commands.is_empty(), "nothing but a person ends it");
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert_eq!(world.db(0).epoch, 10);
    world.happen(&reborn(TARGET, "2"));
    assert_eq!(world.db(0).epoch, 11);
}

#[test]
fn a_clock_that_is_set_back_delays_no_retry() {
    let mut world = World::copying(Mode::Online, &["a"]);
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Retry)));
    world.now = world.now.checked_sub(std::time::Duration::from_secs(3600)).unwrap();
    assert!(world.migration.next_due(world.now).is_some_and(|due| due <= world.now));
    world.happen(&Event::Tick);
    assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
}

/// The slot keeps WAL on the source for as long as a hold stands.
#[test]
fn what_stands_still_is_watched_and_its_slot_let_go_in_time() {
    let mut world = World::ready(&["a"]);
    world.happen(&Event::Pause { databases: Vec::new() });
    assert_eq!(world.commands.last().unwrap().kind, CommandKind::Guard);
    assert_eq!(world.commands.last().unwrap().agent, SOURCE);
    // In a new life its agent knows nothing of it.
    world.happen(&reborn(SOURCE, "2"));
    assert_eq!(world.kinds(), [&CommandKind::Guard]);
    let warning = ReportKind::Milestone { kind: "WalRetained".into(), message: "so much".into() };
    world.task(0, Task::Guard, warning);
    assert!(world.noted("WalRetained"));
    world.task(0, Task::Guard, ReportKind::TaskFailed(failure(Policy::Fenced)));
    assert_eq!(world.db(0).hold.as_ref().unwrap().kind, HoldKind::Paused);
    world.task(0, Task::Guard, ReportKind::TaskFailed(failure(Policy::Resync)));
    assert_eq!(world.db(0).hold.as_ref().unwrap().kind, HoldKind::NeedsResync);
    world.happen(&Event::Retry { databases: Vec::new(), tables: Vec::new() });
    assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
    assert!(world.db(0).copy_again.iter().any(|request| request.new_slot));
    // What comes late says nothing of the new slot.
    world.task(0, Task::Guard, ReportKind::TaskFailed(failure(Policy::Resync)));
    assert!(world.db(0).hold.is_none());
}

/// A slot that goes takes the markers with it: no cutover may wait for them.
#[test]
fn a_cutover_steps_back_before_its_slot_can_go() {
    let mut tried = World::ready(&["a"]);
    tried.cut_over();
    tried.steps_until(0, Step::Drain);
    while tried.db(0).hold.is_none() {
        assert_eq!(tried.phase(0), "CuttingOver", "it goes on for as long as it is tried");
        tried.task(0, Task::Send, ReportKind::TaskFailed(failure(Policy::Retry)));
        tried.wait(61);
    }
    assert_eq!(tried.phase(0), "Ready");

    let mut fenced = World::ready(&["a"]);
    fenced.cut_over();
    fenced.steps_until(0, Step::Drain);
    fenced.step_failed(0, Policy::Fenced);
    assert_eq!(fenced.kinds().last(), Some(&&CommandKind::Guard));
    fenced.task(0, Task::Guard, ReportKind::TaskFailed(failure(Policy::Resync)));
    assert_eq!(fenced.phase(0), "Ready");
    assert_eq!(fenced.db(0).hold.as_ref().unwrap().kind, HoldKind::NeedsResync);
    fenced.happen(&Event::Retry { databases: Vec::new(), tables: Vec::new() });
    assert_eq!(fenced.phase(0), "Copying");
    assert!(fenced.db(0).copy_again.iter().any(|request| request.new_slot));
}

#[test]
fn a_clock_that_jumps_delays_no_retry() {
    let mut world = World::copying(Mode::Online, &["a"]);
    for hours in [-5, 5, -1] {
        let epoch = world.db(0).epoch;
        world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Away)));
        assert!(world.db(0).retry_at.is_some());
        world.now = world.now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
        world.wait(1);
        assert_eq!(world.db(0).epoch, epoch + 1, "{hours} hours");
    }
}

/// The agent lives on, and has been told, and has told, more than the backup knows.
#[test]
fn a_restored_store_starts_both_ends_anew_though_the_agents_process_is_known() {
    let mut world = World::copying(Mode::Online, &["a"]);
    world.happen(&Event::StoreRestored);
    assert!(world.notes.iter().any(|note| note.kind == "StoreRestored"), "{:?}", world.notes);
    world.happen(&runs("a", 1));
    world.happen(&reborn(SOURCE, "1"));
    assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
    assert_eq!(world.db(0).epoch, 2);
    world.happen(&reborn(TARGET, "1"));
    world.stream(0);
    assert_eq!(world.phase(0), "Ready");
}

/// It can have led back since, and the application writes to the source.
#[test]
fn a_restored_store_goes_on_with_no_cutover_before_its_switch() {
    for (step, phase) in
        [(Step::Mark, "Ready"), (Step::Verify, "Ready"), (Step::Switch, "CuttingOver")]
    {
        let mut world = World::ready(&["a"]);
        world.cut_over();
        world.steps_until(0, step);
        world.happen(&Event::StoreRestored);
        assert_eq!(world.phase(0), phase, "{step:?}");
        if phase == "Ready" {
            assert_eq!(world.db(0).message.as_ref().unwrap().code, "CutoverOfAnotherTime");
            world.cut_over();
            assert_eq!(world.outstanding(0), Some((Step::Mark, 2)));
        }
    }
}

/// Nobody was there to lead it back, and the application may have gone on at the source.
#[test]
fn a_cutover_that_stood_still_without_its_controller_leads_back() {
    let stood = |step: Step, cutover_for: u64, away_for: u64| {
        let mut world = World::ready(&["a"]);
        world.cut_over();
        world.steps_until(0, step);
        world.wait(cutover_for);
        let since = world.now.checked_sub(std::time::Duration::from_secs(away_for)).unwrap();
        world.happen(&Event::ControllerAway { since });
        world
    };
    let led_back = stood(Step::Settle, 75, 75);
    assert_eq!(led_back.phase(0), "Ready");
    assert_eq!(led_back.db(0).message.as_ref().unwrap().code, "ControllerAway");
    assert_eq!(led_back.kinds().last(), Some(&&CommandKind::CutoverBack { attempt: 1 }));
    // Long at work, and away for a moment; begun a moment ago, by a controller that had been away; switched, maybe.
    for (step, cutover_for, away_for) in
        [(Step::Complete, 3600, 8), (Step::Settle, 2, 900), (Step::Switch, 75, 75)]
    {
        assert_eq!(stood(step, cutover_for, away_for).phase(0), "CuttingOver", "{step:?}");
    }
}

/// Its database may be live since.
#[test]
fn a_restored_store_asks_again_before_anything_is_overwritten() {
    let mut world =
        World::new(Spec { overwrite: true, ..spec(Mode::Online, Goal::Migrate, &["a"]) });
    world.happen(&Event::StoreRestored);
    world.checks(FindingState::Succeeded, &["a"]);
    assert_eq!(state(&world.migration).0, State::WaitingForUserAction);
    let asked = world.notes.iter().find(|note| note.kind == "OverwriteConfirmationNeeded").unwrap();
    assert!(asked.message.contains("live"), "{}", asked.message);
    world.happen(&Event::StoreRestored);
    world.happen(&Event::ConfirmOverwrite);
    assert_eq!(world.phase(0), "Copying");
}

/// A store of the moment of the switch, restored after the end: nothing is left of ours on the target, and the database is live.
#[test]
fn a_switch_whose_ledger_is_gone_can_be_cancelled() {
    can_be_cancelled("LedgerMissing");
}

/// A target that was promoted without the switch's commit: the source is cleaned, and nothing leads on.
#[test]
fn a_switch_that_the_target_has_lost_can_be_cancelled() {
    can_be_cancelled("NotSwitched");
}

fn can_be_cancelled(code: &str) {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Switch);
    let cancel = Event::Cancel { databases: vec![] };
    assert_eq!(world.attempt(&cancel).unwrap_err().code, "PastTheSwitch");
    let gone = Failure { code: code.to_owned(), ..failure(Policy::Hold) };
    world.task(0, Task::Receive, ReportKind::TaskFailed(gone));
    assert!(allowed(&world.migration).contains(&"cancel"));
    world.happen(&cancel);
    assert_eq!(world.kinds().last(), Some(&&CommandKind::CleanSource));
}

fn runs(database: &str, epoch: u64) -> Event {
    let epochs = std::collections::BTreeMap::from([(database.to_owned(), epoch)]);
    Event::AgentRuns { agent: TARGET.to_owned(), epochs }
}

#[test]
fn an_agent_that_runs_a_later_epoch_holds_its_database() {
    let mut world = World::ready(&["a", "b"]);
    world.happen(&runs("a", 1));
    assert!(world.db(0).hold.is_none(), "its own epoch");
    world.happen(&runs("a", 7));
    world.happen(&reborn(TARGET, "1"));
    assert_eq!(world.db(0).hold.as_ref().unwrap().code, "EpochOvertaken");
    assert!(world.db(1).hold.is_none());
    let mut canceled = world.migration.clone();
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert_eq!(world.db(0).epoch, 8);
    std::mem::swap(&mut world.migration, &mut canceled);
    world.happen(&Event::Cancel { databases: vec!["a".to_owned()] });
    let stopped = world.commands.iter().find(|c| c.kind == CommandKind::Stop).unwrap();
    assert_eq!(stopped.epoch, 7, "what runs hears of it");
}

#[test]
fn a_target_that_is_live_before_its_cutover_is_known_holds() {
    let live = || {
        let (kind, message) = ("TargetIsLive".to_owned(), String::new());
        ReportKind::Milestone { kind, message }
    };
    let mut world = World::ready(&["a"]);
    world.task(0, Task::Receive, live());
    assert_eq!(world.db(0).hold.as_ref().unwrap().code, "SwitchedAlready");

    let mut known = World::ready(&["a"]);
    known.cut_over();
    known.steps_until(0, Step::Switch);
    known.task(0, Task::Receive, live());
    assert!(known.db(0).hold.is_none(), "its switch was ordered");
}

#[test]
fn a_check_whose_epoch_another_one_had_is_held_and_a_retry_goes_above_it() {
    let mut world = World::new(crate::world::spec(Mode::Online, Goal::Migrate, &["a"]));
    let epoch = world.migration.check_epoch;
    world.happen(&Event::CommandRefused {
        agent: SOURCE.to_owned(),
        database: String::new(),
        epoch,
        refusal: "StaleEpoch".to_owned(),
        newest: 5,
    });
    assert_eq!(world.migration.hold.as_ref().unwrap().code, "EpochOvertaken");
    world.happen(&Event::Retry { databases: vec![], tables: vec![] });
    assert_eq!(world.migration.check_epoch, 6);
}
