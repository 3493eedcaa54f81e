//! Events in any order: late, twice, under the wrong epoch, from nowhere. The laws are `World`'s; and whatever happened,
//! a migration that is left alone with agents that work comes to an end.
use proptest::prelude::*;
use whimbrel_controller::migration::{
    CutoverRequest, DatabasePhase, Event, FindingState, Goal, Mode, Policy, ReportKind, Step,
    StepDone, StepFailed, Task,
};

use crate::world::{SOURCE, TARGET, World, failure, spec, task_of};

const POLICIES: [Policy; 6] = [
    Policy::Retry,
    Policy::Hold,
    Policy::Resync,
    Policy::Credentials,
    Policy::Fail,
    Policy::Fenced,
];

/// What happens, in terms of what is expected then.
#[derive(Clone, Debug)]
struct Dice {
    kind: u8,
    database: usize,
    choice: u8,
    stale: bool,
}

fn dice() -> impl Strategy<Value = Dice> {
    (0u8..29, 0usize..2, any::<u8>(), prop::bool::weighted(0.15))
        .prop_map(|(kind, database, choice, stale)| Dice { kind, database, choice, stale })
}

fn event(world: &mut World, dice: &Dice) -> Event {
    let index = dice.database % world.migration.databases.len();
    let database = world.name(index);
    let epoch = world.db(index).epoch.saturating_sub(u64::from(dice.stale));
    let policy = POLICIES[usize::from(dice.choice) % POLICIES.len()];
    let some = if dice.choice.is_multiple_of(2) { vec![] } else { vec![database.clone()] };
    let (step, attempt) = world.outstanding(index).unwrap_or((Step::Mark, 1));
    match dice.kind {
        0..=5 => check(world, dice, policy),
        6 => {
            task(world, Task::Receive, &database, epoch, ReportKind::StreamStarted { from_lsn: 1 })
        }
        7 => {
            let finished = ReportKind::CopyFinished { tables: 1, rows: 2, bytes: 3 };
            task(world, Task::Receive, &database, epoch, finished)
        }
        8 | 9 => Event::LagSmall { database, epoch },
        10 => Event::Progressed { database, epoch },
        11 => Event::Cancel { databases: some },
        12 => Event::Pause { databases: some },
        13 => Event::Resume { databases: some },
        14 => Event::Retry { databases: some, tables: vec![] },
        15 => Event::ConfirmOverwrite,
        16 | 17 => Event::Cutover(CutoverRequest { databases: some, ..Default::default() }),
        18 => {
            let agent = if dice.choice.is_multiple_of(2) { SOURCE } else { TARGET };
            let incarnation = (dice.choice % 4).to_string();
            Event::AgentIncarnation { agent: agent.to_owned(), incarnation }
        }
        19 => {
            let kind = ReportKind::TaskFailed(failure(policy));
            task(world, Task::Receive, &database, epoch, kind)
        }
        20 => task(world, Task::CleanSource, &database, epoch, ReportKind::TaskDone),
        21 => {
            let failed = StepFailed { step, attempt, failure: failure(policy) };
            task(world, task_of(step), &database, epoch, ReportKind::StepFailed(failed))
        }
        22 => Event::Tick,
        23 => Event::LeaveSource { databases: some },
        24 => task(
            world,
            Task::CleanSource,
            &database,
            epoch,
            ReportKind::TaskFailed(failure(policy)),
        ),
        25 => {
            let agent = if dice.choice.is_multiple_of(2) { SOURCE } else { TARGET };
            Event::AgentAway { agent: agent.to_owned() }
        }
        _ => done(world, &database, epoch, dice),
    }
}

fn check(world: &mut World, dice: &Dice, policy: Policy) -> Event {
    let epoch = world.migration.check_epoch.saturating_sub(u64::from(dice.stale));
    let tasks = [(SOURCE, Task::CheckSource), (TARGET, Task::CheckTarget)];
    let (agent, kind) = tasks[usize::from(dice.choice) % 2];
    let report = match dice.choice % 16 {
        0 => ReportKind::TaskFailed(failure(policy)),
        _ => ReportKind::Checked {
            findings: Default::default(),
            facts: vec![dice.choice],
            existing: vec![],
        },
    };
    world.report_event(agent, String::new(), epoch, kind, report)
}

fn done(world: &mut World, database: &str, epoch: u64, dice: &Dice) -> Event {
    let index = dice.database % world.migration.databases.len();
    let (mut step, attempt) = world.outstanding(index).unwrap_or((Step::Mark, 1));
    if dice.choice.is_multiple_of(5) {
        step = Step::of(Mode::Online)[usize::from(dice.choice) % Step::of(Mode::Online).len()];
    }
    let kind = ReportKind::StepDone(StepDone {
        step,
        attempt,
        open: vec![],
        lsn: 5,
        seconds: 0.1,
        note: String::new(),
    });
    task(world, task_of(step), database, epoch, kind)
}

fn task(world: &mut World, task: Task, database: &str, epoch: u64, kind: ReportKind) -> Event {
    let agent = if matches!(task, Task::Receive) { TARGET } else { SOURCE };
    world.report_event(agent, database.to_owned(), epoch, task, kind)
}

/// Random events seldom get far by themselves: they begin at the order, at the copy, before a cutover or in it.
fn begun(mode: Mode, goal: Goal, at: u8, steps: usize) -> World {
    let databases = ["a", "b"];
    let mut world = match (at, mode) {
        (0, _) => return World::new(spec(mode, goal, &databases)),
        (1, _) | (_, Mode::Offline) => World::copying(mode, &databases),
        _ => World::ready(&databases),
    };
    if at == 3 {
        match mode {
            Mode::Online => world.cut_over(),
            Mode::Offline => {
                let finished = ReportKind::CopyFinished { tables: 1, rows: 1, bytes: 1 };
                world.task(0, Task::Receive, finished);
            }
        }
        for _ in 0..steps {
            if world.outstanding(0).is_some() {
                world.step_done(0);
            }
        }
    }
    world
}

/// Agents that work, an operator who mends: one thing that leads on.
fn lead_on(world: &mut World, mode: Mode) {
    if world.migration.phase().check().is_some() && world.migration.hold.is_none() {
        return world.checked(FindingState::Succeeded, &[]);
    }
    // Holds end, what is due is done.
    let (resume, retry) =
        (Event::Resume { databases: vec![] }, Event::Retry { databases: vec![], tables: vec![] });
    for event in [resume, retry, Event::ConfirmOverwrite] {
        drop(world.attempt(&event));
    }
    world.wait(61);
    for index in 0..world.migration.databases.len() {
        match world.db(index).phase() {
            DatabasePhase::Copying if mode == Mode::Offline => {
                let finished = ReportKind::CopyFinished { tables: 1, rows: 1, bytes: 1 };
                world.task(index, Task::Receive, finished);
            }
            DatabasePhase::Copying | DatabasePhase::Streaming => world.stream(index),
            DatabasePhase::Ready => world.cut_over(),
            DatabasePhase::CuttingOver(_) => world.step_done(index),
            DatabasePhase::Cleaning(_) => {
                world.task(index, Task::CleanSource, ReportKind::TaskDone)
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_in_any_order(
        online in prop::bool::weighted(0.75),
        goal in prop::sample::select(vec![Goal::Migrate, Goal::ValidateAndMigrate]),
        begun_at in 0u8..4,
        steps in 0usize..10,
        rolls in prop::collection::vec(dice(), 0..120),
    ) {
        let mode = if online { Mode::Online } else { Mode::Offline };
        let mut world = begun(mode, goal, begun_at, steps);
        let mut last = None;
        for roll in &rolls {
            let next = event(&mut world, roll);
            drop(world.attempt(&next));
            if roll.choice.is_multiple_of(7) && let Some(again) = &last {
                drop(world.attempt(again));
            }
            last = Some(next);
        }
        // 10 steps a database, and what a hold or a check costs.
        for _ in 0..60 {
            if !world.migration.is_over() {
                lead_on(&mut world, mode);
            }
        }
        prop_assert!(world.migration.is_over(), "stuck: {:#?}", world.migration);
    }
}
