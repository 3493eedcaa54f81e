//! What failed checks lead to: everything that can be seen is looked at before a migration ends by them.
use whimbrel_controller::migration::{
    CommandKind, DatabaseState, FindingState, Goal, Level, Mode, ReportKind, State, Validation,
    ValidationDetails, database_state, error, state,
};

use crate::world::{World, spec};

const GOOD: FindingState = FindingState::Succeeded;
const BAD: FindingState = FindingState::Failed;

fn online(goal: Goal) -> World {
    World::new(spec(Mode::Online, goal, &["a"]))
}

/// A side whose server could be connected to, or not.
fn connected(world: &mut World, state: FindingState) {
    let kind = "AuthenticationAndConnectivityValidation".to_owned();
    let check = Validation { kind, state, findings: vec![] };
    let findings = ValidationDetails { server: vec![check], ..ValidationDetails::default() };
    let facts = if state == GOOD { b"facts".to_vec() } else { vec![] };
    world.check_report(ReportKind::Checked { findings, facts, existing: vec![] });
}

#[test]
fn a_prerequisite_that_is_not_met_does_not_hide_the_other_checks() {
    for (goal, end) in [
        (Goal::Validate, State::ValidationFailed),
        (Goal::ValidateAndMigrate, State::ValidationFailed),
        (Goal::Migrate, State::Failed),
    ] {
        let mut world = online(goal);
        world.checks(BAD, &[]);
        if goal != Goal::Migrate {
            let check = CommandKind::CheckSource { level: Level::Preflight };
            assert_eq!(world.kinds(), [&check], "{goal:?}");
            world.checks(BAD, &[]);
        }
        assert_eq!(state(&world.migration).0, end, "{goal:?}");
        // Nothing waits any more, the database neither.
        let database = &world.migration.databases[0];
        assert_eq!(database_state(&world.migration, database), DatabaseState::Failed, "{goal:?}");
        let found = world.migration.validation.as_ref().unwrap().first_failed().unwrap();
        assert_eq!(error(&world.migration).unwrap().code, found.code, "{goal:?}");
    }
}

#[test]
fn a_server_that_is_not_reached_does_not_hide_the_other() {
    for (goal, end) in [
        (Goal::Validate, State::ValidationFailed),
        // A server that can't be reached is no answer about the databases.
        (Goal::ValidateAndMigrate, State::Failed),
    ] {
        for (source, target) in [(BAD, GOOD), (GOOD, BAD)] {
            let mut world = online(goal);
            for _ in ["prerequisites", "preflight"] {
                connected(&mut world, source);
                assert!(matches!(world.kinds()[..], [CommandKind::CheckTarget { .. }]));
                connected(&mut world, target);
            }
            assert_eq!(state(&world.migration).0, end, "{goal:?}");
        }
        let mut neither = online(goal);
        connected(&mut neither, BAD);
        connected(&mut neither, BAD);
        assert_eq!(state(&neither.migration).0, end, "{goal:?}");
        let found = neither.migration.validation.as_ref().unwrap();
        assert_eq!(found.servers_reached(), (0, 2), "both are told");
    }
}
