//! Each edge of the tables is reached by a script, and no script reaches another.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use whimbrel_controller::migration::{
    Event, FindingState, Goal, Mode, Policy, ReportKind, Spec, Step, Task,
    phase::{DATABASE_EDGES, EDGES},
};

use crate::world::{TARGET, World, failure, spec};

const GOOD: FindingState = FindingState::Succeeded;
const BAD: FindingState = FindingState::Failed;

fn cancel() -> Event {
    Event::Cancel { databases: vec![] }
}

fn online(goal: Goal) -> World {
    World::new(spec(Mode::Online, goal, &["a"]))
}

fn windowed(goal: Goal) -> Spec {
    let mut spec = spec(Mode::Online, goal, &["a"]);
    let now = World::new(spec.clone()).now;
    spec.window_start = Some(now.checked_add(Duration::from_secs(60)).unwrap());
    spec
}

/// The phases of the whole migration.
fn checks() -> Vec<World> {
    let mut worlds = Vec::new();
    let mut run = |world: World, script: &dyn Fn(&mut World)| {
        let mut world = world;
        script(&mut world);
        worlds.push(world);
    };
    for goal in [Goal::Migrate, Goal::ValidateAndMigrate, Goal::Validate] {
        let levels = |world: &mut World, existing: &[&str]| {
            world.checks(GOOD, existing);
            if goal != Goal::Migrate {
                world.checks(GOOD, existing);
            }
        };
        run(online(goal), &|w| {
            w.checks(BAD, &[]);
            if goal != Goal::Migrate {
                w.checks(BAD, &[]);
            }
        });
        run(online(goal), &|w| {
            w.unreached();
            w.unreached();
        });
        run(online(goal), &|w| w.happen(&cancel()));
        run(online(goal), &|w| levels(w, &[]));
        if goal == Goal::Validate {
            continue;
        }
        run(online(goal), &|w| {
            levels(w, &["a"]);
            w.happen(&Event::ConfirmOverwrite);
        });
        run(online(goal), &|w| {
            levels(w, &["a"]);
            w.happen(&cancel());
        });
        run(World::new(windowed(goal)), &|w| {
            levels(w, &[]);
            w.wait(61);
        });
        run(World::new(windowed(goal)), &|w| {
            levels(w, &["a"]);
            w.happen(&Event::ConfirmOverwrite);
            w.happen(&cancel());
        });
    }
    let second = |world: &mut World| world.checks(GOOD, &[]);
    run(online(Goal::Validate), &|w| {
        second(w);
        w.checks(BAD, &[]);
    });
    run(online(Goal::Validate), &|w| {
        second(w);
        w.happen(&cancel());
    });
    run(online(Goal::Validate), &|w| {
        second(w);
        w.check_report(ReportKind::TaskFailed(failure(Policy::Fail)));
    });
    worlds
}

fn fail(world: &mut World) {
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Fail)));
}

fn clean(world: &mut World) {
    world.task(0, Task::CleanSource, ReportKind::TaskDone);
}

/// The phases of a database.
fn databases() -> Vec<World> {
    let finish = ReportKind::CopyFinished { tables: 1, rows: 1, bytes: 1 };
    let offline = || {
        let mut world = World::copying(Mode::Offline, &["a"]);
        world.task(0, Task::Receive, finish.clone());
        world
    };
    let streaming = || {
        let mut world = World::copying(Mode::Online, &["a"]);
        world.task(0, Task::Receive, ReportKind::StreamStarted { from_lsn: 1 });
        world
    };
    let cutting = || {
        let mut world = World::ready(&["a"]);
        world.cut_over();
        world
    };
    let makers: [&dyn Fn() -> World; 6] = [
        &|| World::copying(Mode::Online, &["a"]),
        &|| World::copying(Mode::Offline, &["a"]),
        &streaming,
        &|| World::ready(&["a"]),
        &offline,
        &cutting,
    ];
    let mut worlds = Vec::new();
    for make in makers {
        let ends: [&dyn Fn(&mut World); 2] = [&|w| w.happen(&cancel()), &fail];
        for end in ends {
            let mut world = make();
            end(&mut world);
            if world.phase(0) == "Cleaning" {
                clean(&mut world);
            }
            assert!(world.migration.is_over());
            worlds.push(world);
        }
    }
    for mut world in [World::ready(&["a"]), World::copying(Mode::Online, &["a"])] {
        if world.phase(0) == "Copying" {
            world.task(0, Task::Receive, ReportKind::StreamStarted { from_lsn: 1 });
        }
        world.happen(&Event::Retry { databases: vec![], tables: vec!["public.t".into()] });
        assert_eq!(world.phase(0), "Copying");
        worlds.push(world);
    }
    // A store of before the copy, restored: an agent is further.
    let mut before = online(Goal::Migrate);
    before.happen(&Event::StoreRestored);
    let epochs = BTreeMap::from([("a".to_owned(), 7)]);
    before.happen(&Event::AgentRuns { agent: TARGET.to_owned(), epochs });
    before.happen(&cancel());
    assert_eq!(before.phase(0), "Cleaning");
    clean(&mut before);
    assert!(before.migration.is_over());
    worlds.push(before);
    let mut back = cutting();
    back.step_failed(0, Policy::Hold);
    back.cut_over();
    for mut world in [back, offline()] {
        world.steps_until(0, Step::RemoveLedger);
        world.step_done(0);
        assert_eq!(world.phase(0), "Succeeded");
        worlds.push(world);
    }
    worlds
}

fn names(edges: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    edges.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn every_edge_is_reached_and_no_other() {
    let worlds: Vec<_> = checks().into_iter().chain(databases()).collect();
    let edges: BTreeSet<_> = worlds.iter().flat_map(|w| w.edges.clone()).collect();
    let database_edges: BTreeSet<_> =
        worlds.iter().flat_map(|w| w.database_edges.clone()).collect();
    assert_eq!(edges, names(EDGES));
    assert_eq!(database_edges, names(DATABASE_EDGES));
}
