//! The work goes to other agents while it is under way.
use std::collections::BTreeMap;

use whimbrel_controller::migration::{
    CommandKind, Event, Goal, HandOver, Mode, Policy, Report, ReportKind, Secret, Step, Task,
};

use crate::world::{SOURCE, TARGET, World, failure, spec};

const NEW: &str = "new";

fn to_new() -> HandOver {
    HandOver {
        source_agent: Some(NEW.to_owned()),
        target_agent: Some(NEW.to_owned()),
        incarnations: BTreeMap::from([(NEW.to_owned(), "9".to_owned())]),
        ..HandOver::default()
    }
}

fn told(world: &World) -> Vec<(&str, &'static str, u64)> {
    let word = |kind: &CommandKind| match kind {
        CommandKind::CheckSource { .. } | CommandKind::CheckTarget { .. } => "check",
        CommandKind::Send => "send",
        CommandKind::Receive => "receive",
        CommandKind::CutoverStep(_) => "step",
        CommandKind::CutoverBack { .. } => "back",
        CommandKind::CleanSource => "clean",
        CommandKind::Guard => "guard",
        CommandKind::Limits => "limits",
        CommandKind::Stop => "stop",
    };
    world.commands.iter().map(|c| (c.agent.as_str(), word(&c.kind), c.epoch)).collect()
}

#[test]
fn the_new_agent_goes_on_under_the_next_epoch_and_the_old_ones_stop() {
    let mut world = World::ready(&["a"]);
    world.cut_over();
    world.steps_until(0, Step::Drain);
    world.happen(&Event::HandOver(to_new()));
    assert_eq!(
        told(&world),
        [
            (SOURCE, "stop", 1),
            (TARGET, "stop", 1),
            (NEW, "send", 2),
            (NEW, "receive", 2),
            (NEW, "step", 2)
        ]
    );
    // Its life is known: a session that it opens again begins nothing.
    world.happen(&Event::AgentIncarnation { agent: NEW.to_owned(), incarnation: "9".to_owned() });
    assert!(world.commands.is_empty());
    let before = world.migration.clone();
    world
        .happen(&Event::AgentIncarnation { agent: TARGET.to_owned(), incarnation: "8".to_owned() });
    let late = ReportKind::TaskFailed(failure(Policy::Fail));
    let late = world.report_event(TARGET, "a".into(), 2, Task::Receive, late);
    world.happen(&late);
    assert_eq!(world.migration, before, "who had it before has no say in it");
    world.happen(&Event::AgentIncarnation { agent: NEW.to_owned(), incarnation: "10".to_owned() });
    assert_eq!(world.db(0).epoch, 3);
    assert!(world.commands.iter().all(|command| command.agent == NEW));
}

#[test]
fn a_hold_ends_with_it_and_a_pause_does_not() {
    let mut world = World::ready(&["a", "b"]);
    world.task(0, Task::Receive, ReportKind::TaskFailed(failure(Policy::Hold)));
    world.happen(&Event::Pause { databases: vec!["b".to_owned()] });
    world.happen(&Event::HandOver(to_new()));
    assert!(world.db(0).hold.is_none() && world.db(1).hold.is_some());
    let started =
        told(&world).iter().filter(|(agent, word, _)| (*agent, *word) == (NEW, "send")).count();
    assert_eq!(started, 1);
    world.happen(&Event::Resume { databases: vec![] });
    assert!(told(&world).iter().all(|(agent, ..)| *agent == NEW));
}

#[test]
fn a_cleaning_and_a_check_go_to_the_new_agent_too() {
    let mut world = World::ready(&["a"]);
    world.happen(&Event::Cancel { databases: vec![] });
    world.happen(&Event::HandOver(to_new()));
    // Whoever was there before may be at it for as long as its lease.
    assert_eq!(told(&world), [(SOURCE, "stop", 2), (TARGET, "stop", 2)]);
    world.wait(21);
    assert_eq!(told(&world), [(NEW, "clean", 3)]);
    let done = Event::Report(Report {
        agent: NEW.to_owned(),
        incarnation: "9".to_owned(),
        sequence: 1,
        database: "a".to_owned(),
        epoch: 3,
        task: Task::CleanSource,
        kind: ReportKind::TaskDone,
    });
    world.happen(&done);
    assert!(world.migration.is_over());

    let mut world = World::new(spec(Mode::Online, Goal::Migrate, &["a"]));
    world.check_report(ReportKind::TaskFailed(failure(Policy::Credentials)));
    assert!(world.migration.hold.is_some());
    let secret = Some(Secret::Env("X".to_owned()));
    world.happen(&Event::HandOver(HandOver { source: secret, ..to_new() }));
    assert!(world.migration.hold.is_none());
    assert_eq!(told(&world), [(SOURCE, "stop", 0), (NEW, "check", 1)]);
    assert_eq!(world.migration.spec.source.password, Secret::Env("X".to_owned()));
}

#[test]
fn the_same_agents_again_begin_nothing_anew() {
    let mut world = World::ready(&["a"]);
    let agents = HandOver {
        source_agent: Some(SOURCE.to_owned()),
        target_agent: Some(TARGET.to_owned()),
        ..HandOver::default()
    };
    world.happen(&Event::HandOver(agents));
    assert!(world.commands.is_empty() && world.notes.is_empty());
}
