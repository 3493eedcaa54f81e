//! The window: nothing begins outside it, and nothing that has begun is cut off by it.
use std::time::Duration;

use jiff::Timestamp;
use whimbrel_controller::migration::{
    Event, FindingState, Goal, Mode, State, allowed, state, window_problem,
};

use crate::world::{World, spec};

/// Seconds from the world's beginning.
fn at(seconds: u64) -> Timestamp {
    let start = World::new(spec(Mode::Online, Goal::Migrate, &["a"])).now;
    start.checked_add(Duration::from_secs(seconds)).unwrap()
}

fn windowed(start: Option<u64>, end: Option<u64>) -> World {
    let mut spec = spec(Mode::Online, Goal::Migrate, &["a"]);
    spec.window_start = start.map(at);
    spec.window_end = end.map(at);
    World::new(spec)
}

fn update(start: u64, end: u64) -> Event {
    Event::UpdateWindow { start: Some(Some(at(start))), end: Some(Some(at(end))) }
}

#[track_caller]
fn held_for_its_window(world: &World) {
    assert_eq!(world.migration.hold.as_ref().unwrap().code, "WindowPassed");
    assert_eq!((world.phase(0), world.db(0).epoch), ("Waiting", 0));
    assert_eq!(state(&world.migration).0, State::InProgress);
    assert_eq!(allowed(&world.migration), ["update", "cancel"]);
    assert_eq!(world.migration.next_due(world.now), None);
}

#[test]
fn the_copy_begins_in_it() {
    let mut world = windowed(Some(60), Some(120));
    world.checks(FindingState::Succeeded, &[]);
    assert_eq!(world.phase(0), "Waiting");
    assert_eq!(world.migration.next_due(world.now), Some(at(60)));
    world.wait(61);
    assert_eq!(world.phase(0), "Copying");
    // Its end is told, once, and cuts nothing off.
    assert_eq!(world.migration.next_due(world.now), Some(at(120)));
    world.wait(61);
    assert!(world.noted("WindowEnded") && world.commands.is_empty());
    assert_eq!((world.phase(0), world.migration.next_due(world.now)), ("Copying", None));
    let refusal = world.attempt(&update(200, 300)).unwrap_err();
    assert_eq!(refusal.code, "WindowUsed");
}

#[test]
fn nothing_begins_after_its_end() {
    // The checks took too long, or nobody was there to start it.
    let mut slow = windowed(None, Some(60));
    slow.now = at(60);
    slow.checks(FindingState::Succeeded, &[]);
    held_for_its_window(&slow);
    let mut late = windowed(Some(60), Some(120));
    late.checks(FindingState::Succeeded, &[]);
    late.wait(121);
    held_for_its_window(&late);
    // Confirmed too late.
    let mut asked = windowed(None, Some(60));
    asked.checks(FindingState::Succeeded, &["a"]);
    asked.now = at(60);
    asked.happen(&Event::ConfirmOverwrite);
    held_for_its_window(&asked);

    for mut world in [slow, late, asked] {
        let retry = world.attempt(&Event::Retry { databases: vec![], tables: vec![] }).unwrap_err();
        assert_eq!(retry.code, "WindowPassed");
        let passed = world.attempt(&update(0, 1)).unwrap_err();
        assert_eq!(passed.code, "WindowInvalid");
        world.happen(&update(180, 240));
        assert!(world.migration.hold.is_none());
        assert_eq!(world.migration.next_due(world.now), Some(at(180)));
        world.now = at(180);
        world.happen(&Event::Tick);
        assert_eq!(world.phase(0), "Copying");
    }
}

#[test]
fn taking_it_away_begins_at_once() {
    let mut world = windowed(Some(60), None);
    world.checks(FindingState::Succeeded, &[]);
    world.happen(&Event::UpdateWindow { start: Some(None), end: None });
    assert_eq!(world.phase(0), "Copying");
}

#[test]
fn in_which_nothing_could_begin() {
    let problem =
        |start: Option<u64>, end: Option<u64>| window_problem(start.map(at), end.map(at), at(10));
    assert_eq!(problem(None, None), None);
    assert_eq!(problem(Some(1), None), None, "it has begun already");
    assert_eq!(problem(Some(1), Some(11)), None);
    assert_eq!(problem(None, Some(10)), Some("has passed already"));
    assert_eq!(problem(Some(30), Some(20)), Some("ends before it begins"));
}
