//! What operators ask for: taken where it makes sense, refused with the state and what is allowed elsewhere.
use std::collections::BTreeMap;

use whimbrel_controller::migration::{
    Command, CommandKind, CutoverRequest, Event, FindingState, Goal, HoldKind, LimitsChange, Mode,
    Policy, ReportKind, Secret, State, Step, Task, error, state,
};

use crate::world::{World, failure, spec};

fn named(databases: &[&str]) -> Vec<String> {
    databases.iter().map(|d| (*d).to_owned()).collect()
}

fn all(make: fn(Vec<String>) -> Event) -> Event {
    make(vec![])
}

fn cancel(databases: Vec<String>) -> Event {
    Event::Cancel { databases }
}

fn pause(databases: Vec<String>) -> Event {
    Event::Pause { databases }
}

fn resume(databases: Vec<String>) -> Event {
    Event::Resume { databases }
}

fn retry(databases: Vec<String>) -> Event {
    Event::Retry { databases, tables: vec![] }
}

#[track_caller]
fn refused(world: &mut World, event: &Event, code: &str) {
    let before = world.migration.clone();
    let refusal = world.attempt(event).expect_err("must be refused");
    assert_eq!(refusal.code, code, "{refusal:?}");
    assert_eq!(world.migration, before, "a refusal changes nothing");
}

#[test]
fn cutover_is_refused_until_it_is_time() {
    let cutover = || Event::Cutover(CutoverRequest::default());
    let mut world = World::copying(Mode::Online, &["a"]);
    refused(&mut world, &cutover(), "NothingWaitsForCutover");
    let one = CutoverRequest { databases: named(&["a"]), ..CutoverRequest::default() };
    refused(&mut world, &Event::Cutover(one), "DatabaseNotReady");
    let other = CutoverRequest { databases: named(&["x"]), ..CutoverRequest::default() };
    refused(&mut world, &Event::Cutover(other), "DatabaseNotInMigration");

    world.stream(0);
    let fence = CutoverRequest { fence: true, ..CutoverRequest::default() };
    refused(&mut world, &Event::Cutover(fence), "FenceNotBuilt");
    let late = |latency: f64| CutoverRequest {
        max_latency: Some(1.0),
        latencies: BTreeMap::from([("a".to_owned(), latency)]),
        ..CutoverRequest::default()
    };
    refused(&mut world, &Event::Cutover(late(1.5)), "LatencyTooHigh");
    world.happen(&Event::Cutover(late(0.5)));
    refused(&mut world, &cutover(), "NothingWaitsForCutover");

    let mut offline = World::copying(Mode::Offline, &["a"]);
    refused(&mut offline, &cutover(), "OfflineCutsOverItself");
}

#[test]
fn cancel_works_until_the_switch() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Verify);
    let mut early = World::ready(&["a"]);
    early.cut_over();
    early.steps_until(0, Step::Verify);
    early.happen(&all(cancel));
    assert_eq!(early.phase(0), "Cleaning");
    assert!(early.kinds().contains(&&CommandKind::CleanSource));

    world.step_done(0);
    assert_eq!(world.outstanding(0).unwrap().0, Step::Switch);
    refused(&mut world, &all(cancel), "PastTheSwitch");
    world.steps_until(0, Step::RemoveLedger);
    refused(&mut world, &all(cancel), "PastTheSwitch");
    world.step_done(0);
    assert_eq!(state(&world.migration).0, State::Succeeded);
    refused(&mut world, &all(cancel), "MigrationIsOver");
}

#[test]
fn a_source_that_is_gone_is_left_once_cleaning_it_has_failed() {
    let leave = |databases: &[&str]| Event::LeaveSource { databases: named(databases) };
    let mut world = World::ready(&["a", "b"]);
    refused(&mut world, &leave(&[]), "SourceNeeded");
    world.happen(&cancel(named(&["b"])));
    refused(&mut world, &leave(&["b"]), "SourceNotGone");
    world.task(1, Task::CleanSource, ReportKind::TaskFailed(failure(Policy::Away)));
    refused(&mut world, &leave(&["a", "b"]), "SourceNeeded");
    world.happen(&leave(&[]));
    assert_eq!((world.phase(0), world.phase(1)), ("Ready", "Canceled"));
    assert_eq!(world.kinds(), [&CommandKind::Stop]);
    assert!(world.noted("SourceLeft"));

    // The other one has its rows on the target; its source goes while it is cleaned.
    world.cut_over();
    world.steps_until(0, Step::RemoveSource);
    refused(&mut world, &leave(&[]), "SourceNotGone");
    world.task(0, Task::Send, ReportKind::TaskFailed(failure(Policy::Away)));
    world.happen(&leave(&[]));
    assert_eq!(world.outstanding(0).unwrap().0, Step::RemoveLedger);
    assert_eq!(world.kinds()[0], &CommandKind::Receive, "nothing is asked of the source any more");
    assert_eq!(world.kinds().len(), 2);
    refused(&mut world, &leave(&[]), "SourceNeeded");
    world.step_done(0);
    assert_eq!(state(&world.migration).0, State::Succeeded);
}

#[test]
fn each_database_can_be_cancelled_by_itself() {
    let mut world = World::ready(&["a", "b"]);
    world.happen(&cancel(named(&["b"])));
    assert_eq!((world.phase(0), world.phase(1)), ("Ready", "Cleaning"));
    assert_eq!(state(&world.migration).0, State::WaitingForUserAction);
    world.cut_over();
    world.steps_until(0, Step::RemoveLedger);
    world.step_done(0);
    assert_eq!(state(&world.migration).0, State::CleaningUp);
    world.task(1, Task::CleanSource, ReportKind::TaskDone);
    assert_eq!(state(&world.migration).0, State::Succeeded);
    assert!(world.noted("MigrationSucceeded"));
}

#[test]
fn a_pause_stops_and_a_resume_starts_under_a_new_epoch() {
    let mut world = World::ready(&["a"]);
    refused(&mut world, &all(resume), "NotHeld");
    world.happen(&all(pause));
    assert_eq!(world.kinds(), [&CommandKind::Stop, &CommandKind::Stop, &CommandKind::Guard]);
    assert_eq!(world.db(0).hold.as_ref().unwrap().kind, HoldKind::Paused);
    assert_eq!(world.phase(0), "Ready");
    refused(&mut world, &all(pause), "AlreadyPaused");
    refused(&mut world, &all(retry), "NotHeld");
    let held = CutoverRequest { databases: named(&["a"]), ..CutoverRequest::default() };
    refused(&mut world, &Event::Cutover(held), "DatabaseHeld");
    world.happen(&all(resume));
    assert_eq!(world.db(0).epoch, 2);
    assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);
    world.cut_over();
    refused(&mut world, &all(pause), "CutoverRunning");
}

#[test]
fn a_pause_of_all_leaves_out_what_can_not_be_paused() {
    let mut world = World::ready(&["a", "b", "c", "d"]);
    world.happen(&pause(named(&["a"])));
    world.task(1, Task::Receive, ReportKind::TaskFailed(failure(Policy::Hold)));
    world.happen(&cancel(named(&["d"])));
    // What is named is meant.
    refused(&mut world, &pause(named(&["c", "b"])), "DatabaseHeld");
    world.happen(&all(pause));
    let kinds = [0, 1, 2].map(|i| world.db(i).hold.as_ref().unwrap().kind);
    assert_eq!(kinds, [HoldKind::Paused, HoldKind::Held, HoldKind::Paused]);
    assert_eq!(world.kinds(), [&CommandKind::Stop, &CommandKind::Stop, &CommandKind::Guard]);
    refused(&mut world, &all(pause), "AlreadyPaused");
}

#[test]
fn a_hold_needs_a_retry_or_other_secrets() {
    let mut world = World::copying(Mode::Online, &["a"]);
    world.task(0, Task::Send, ReportKind::TaskFailed(failure(Policy::Credentials)));
    assert_eq!(world.db(0).hold.as_ref().unwrap().kind, HoldKind::NeedsCredentials);
    let secret = Secret::Env("OTHER".to_owned());
    world.happen(&Event::UpdateSecrets { source: Some(secret.clone()), target: None });
    assert!(world.db(0).hold.is_none());
    assert_eq!(world.migration.spec.source.password, secret);
    assert_eq!(world.kinds(), [&CommandKind::Send, &CommandKind::Receive]);

    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Hold)));
    assert_eq!(state(&world.migration).0, State::InProgress);
    // Only a retry says that the cause is mended.
    refused(&mut world, &all(resume), "NotPaused");
    refused(&mut world, &resume(named(&["a"])), "NotPaused");
    world.happen(&all(retry));
    assert_eq!((world.db(0).epoch, world.db(0).hold.is_none()), (3, true));
}

#[test]
fn limits_are_told_to_what_runs_and_kept_for_what_starts_later() {
    let mut world = World::copying(Mode::Online, &["a", "b"]);
    world.task(1, Task::Receive, ReportKind::TaskFailed(failure(Policy::Hold)));
    let limits = |jobs| {
        Event::UpdateLimits(LimitsChange { copy_jobs: Some(jobs), ..LimitsChange::default() })
    };
    world.happen(&limits(3));
    let told = [&CommandKind::Limits, &CommandKind::Limits, &CommandKind::Guard];
    assert_eq!(world.kinds(), told, "both ends of a, and who watches b");
    let of: Vec<&str> = world.commands.iter().map(|command| &*command.database).collect();
    assert_eq!(of, ["a", "a", "b"]);
    assert!(world.noted("LimitsUpdated"));
    let bytes = LimitsChange { copy_bytes_per_second: Some(5), ..LimitsChange::default() };
    world.happen(&Event::UpdateLimits(bytes));
    let kept = world.migration.spec.limits;
    assert_eq!((kept.copy_jobs, kept.copy_bytes_per_second), (3, 5));
    world.happen(&limits(3));
    assert!(world.commands.is_empty(), "nothing has changed");
    let (older, newer) = (world.db(0).epoch, world.db(0).epoch + 1);
    let command = |epoch, kind| Command { agent: "x".into(), database: "a".into(), epoch, kind };
    let told = command(older, CommandKind::Limits);
    assert!(command(older, CommandKind::Limits).supersedes(&told));
    assert!(command(newer, CommandKind::Receive).supersedes(&told));
    assert!(!told.supersedes(&command(older, CommandKind::Receive)));
}

#[test]
fn a_check_that_is_held_is_done_again() {
    let mut world = World::new(spec(Mode::Online, Goal::Migrate, &["a"]));
    world.check_report(ReportKind::TaskFailed(failure(Policy::Credentials)));
    assert_eq!(world.migration.hold.as_ref().unwrap().kind, HoldKind::NeedsCredentials);
    refused(&mut world, &all(resume), "NotPaused");
    world.happen(&all(retry));
    assert!(world.migration.hold.is_none());
    assert!(matches!(world.kinds()[..], [CommandKind::CheckSource { .. }]));
    world.checks(FindingState::Succeeded, &[]);
    assert_eq!(world.phase(0), "Copying");
}

#[test]
fn a_failed_prerequisite_is_the_error() {
    let mut world = World::new(spec(Mode::Online, Goal::Migrate, &["a"]));
    world.check_report(ReportKind::TaskFailed(failure(Policy::Fail)));
    let error = error(&world.migration).unwrap().sentence();
    assert_eq!(error, "SomethingBroke: doing it. mend it");
    assert_eq!(state(&world.migration).0, State::Failed);
}

#[test]
fn a_resume_ends_pauses_and_leaves_holds() {
    let mut world = World::ready(&["a", "b"]);
    world.happen(&pause(named(&["a"])));
    world.task(1, Task::Receive, ReportKind::TaskFailed(failure(Policy::Hold)));
    world.happen(&all(resume));
    assert!(world.db(0).hold.is_none());
    assert_eq!(world.db(1).hold.as_ref().unwrap().kind, HoldKind::Held);
}

#[test]
fn overwriting_is_asked_for_once() {
    let mut world = World::new(spec(Mode::Online, Goal::Migrate, &["a"]));
    refused(&mut world, &Event::ConfirmOverwrite, "NoConfirmationAwaited");
    world.checks(FindingState::Succeeded, &["a"]);
    assert_eq!(state(&world.migration).0, State::WaitingForUserAction);
    world.happen(&Event::ConfirmOverwrite);
    assert_eq!((world.phase(0), world.db(0).existing_oid), ("Copying", 7));
}
