//! A migration with a clock and two agents that say what they are told to say; the laws are checked after every event.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use whimbrel_controller::migration::{
    Command, CommandKind, CutoverRequest, Database, DatabasePhase, Endpoint, Event,
    ExistingDatabase, Failure, Finding, FindingState, Goal, Limits, Migration, Mode, NewMigration,
    Note, Policy, Refusal, RefusalKind, Report, ReportKind, Secret, Side, Spec, SslMode, Step,
    StepDone, StepFailed, Task, Validation, ValidationDetails, allowed, create, operation, state,
    step,
};

pub(crate) const SOURCE: &str = "near";
pub(crate) const TARGET: &str = "far";

pub(crate) struct World {
    pub(crate) migration: Migration,
    pub(crate) now: Timestamp,
    pub(crate) commands: Vec<Command>,
    pub(crate) notes: Vec<Note>,
    pub(crate) edges: BTreeSet<(String, String)>,
    pub(crate) database_edges: BTreeSet<(String, String)>,
    sequence: u64,
}

fn endpoint(host: &str) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port: 5432,
        user: "u".to_owned(),
        password: Secret::Pgpass,
        ssl_mode: SslMode::Prefer,
    }
}

pub(crate) fn spec(mode: Mode, goal: Goal, databases: &[&str]) -> Spec {
    Spec {
        mode,
        goal,
        source_type: "OnPremises".to_owned(),
        source: endpoint("source"),
        target: endpoint("target"),
        databases: databases.iter().map(|d| (*d).to_owned()).collect(),
        selection: Default::default(),
        overwrite: false,
        migrate_roles: false,
        source_agent: SOURCE.to_owned(),
        target_agent: TARGET.to_owned(),
        setup_logical_replication: false,
        follow_schema_changes: true,
        limits: Limits::default(),
        window_start: None,
        window_end: None,
    }
}

pub(crate) fn failure(policy: Policy) -> Failure {
    Failure {
        policy,
        code: "SomethingBroke".to_owned(),
        message: "doing it".to_owned(),
        remedy: "mend it".to_owned(),
        ledger_epoch: 0,
    }
}

fn found(state: FindingState) -> ValidationDetails {
    let finding = Finding { state, code: "Found".to_owned(), ..Finding::default() };
    let check = Validation { kind: "SomeValidation".to_owned(), state, findings: vec![finding] };
    ValidationDetails { server: vec![check], ..ValidationDetails::default() }
}

impl World {
    pub(crate) fn new(spec: Spec) -> Self {
        let incarnations = [SOURCE, TARGET].map(|agent| (agent.to_owned(), "1".to_owned()));
        let new = NewMigration {
            uid: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
            target_id: "t".to_owned(),
            name: "m".to_owned(),
            spec,
            incarnations: BTreeMap::from(incarnations),
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let outcome = create(new, now);
        Self {
            migration: outcome.migration,
            now,
            commands: outcome.commands,
            notes: outcome.notes,
            edges: BTreeSet::new(),
            database_edges: BTreeSet::new(),
            sequence: 0,
        }
    }

    /// An online migration of databases `a` (and `b`), up to the copy.
    pub(crate) fn copying(mode: Mode, databases: &[&str]) -> Self {
        let mut world = Self::new(spec(mode, Goal::Migrate, databases));
        world.checks(FindingState::Succeeded, &[]);
        world
    }

    /// Up to the operator's cutover.
    pub(crate) fn ready(databases: &[&str]) -> Self {
        let mut world = Self::copying(Mode::Online, databases);
        for index in 0..databases.len() {
            world.stream(index);
        }
        world
    }

    pub(crate) fn stream(&mut self, index: usize) {
        self.task(index, Task::Receive, ReportKind::StreamStarted { from_lsn: 1 });
        let (database, epoch) = (self.name(index), self.db(index).epoch);
        self.happen(&Event::LagSmall { database, epoch });
    }

    pub(crate) fn db(&self, index: usize) -> &Database {
        &self.migration.databases[index]
    }

    pub(crate) fn name(&self, index: usize) -> String {
        self.db(index).name.clone()
    }

    pub(crate) fn phase(&self, index: usize) -> &'static str {
        self.db(index).phase().name()
    }

    /// What must not be refused.
    #[track_caller]
    pub(crate) fn happen(&mut self, event: &Event) {
        if let Err(refusal) = self.attempt(event) {
            panic!("{event:?} was refused: {refusal:?}");
        }
    }

    /// One event; the laws are checked.
    pub(crate) fn attempt(&mut self, event: &Event) -> Result<(), Refusal> {
        self.commands.clear();
        self.notes.clear();
        let outcome = match step(&self.migration, event, self.now) {
            Ok(outcome) => outcome,
            Err(refusal) => {
                assert_ne!(refusal.kind, RefusalKind::Bug, "{event:?}: {refusal:?}");
                assert!(!refusal.message.is_empty() && !refusal.state.is_empty(), "{refusal:?}");
                return Err(refusal);
            }
        };
        self.check(&outcome.migration, &outcome.commands);
        if let Event::Report(report) = event
            && let Some((index, database)) = self.migration.database(&report.database)
            && report.epoch < database.epoch
        {
            assert_eq!(outcome.migration.databases[index], *database, "a stale epoch is not heard");
            assert!(outcome.commands.is_empty());
        }
        self.record_edges(&outcome.migration);
        self.migration = outcome.migration;
        self.commands = outcome.commands;
        self.notes = outcome.notes;
        Ok(())
    }

    fn record_edges(&mut self, after: &Migration) {
        let (from, to) = (self.migration.phase().name(), after.phase().name());
        if from != to {
            self.edges.insert((from.to_owned(), to.to_owned()));
        }
        for (before, after) in self.migration.databases.iter().zip(&after.databases) {
            let (from, to) = (before.phase().name(), after.phase().name());
            if from != to {
                self.database_edges.insert((from.to_owned(), to.to_owned()));
            }
        }
    }

    /// The laws.
    fn check(&self, after: &Migration, commands: &[Command]) {
        assert!(after.check_epoch >= self.migration.check_epoch);
        assert!(after.is_over() || !self.migration.is_over(), "an end is an end");
        assert_eq!(after.is_over(), after.ended_at.is_some());
        // Total: none of them panics, and an end has only `delete`.
        assert!(!state(after).1.name().is_empty());
        assert_eq!(allowed(after) == ["delete"], after.is_over());
        for (before, after_db) in self.migration.databases.iter().zip(&after.databases) {
            assert!(!operation(after, after_db).is_empty());
            check_database(after.spec.mode, before, after_db);
            check_commands(after_db, commands);
        }
    }

    fn report(&mut self, agent: &str, database: String, epoch: u64, task: Task, kind: ReportKind) {
        let event = self.report_event(agent, database, epoch, task, kind);
        self.happen(&event);
    }

    pub(crate) fn report_event(
        &mut self,
        agent: &str,
        database: String,
        epoch: u64,
        task: Task,
        kind: ReportKind,
    ) -> Event {
        self.sequence += 1;
        let seen = self.migration.seen.get(agent);
        let incarnation = seen.map_or_else(|| "1".to_owned(), |s| s.incarnation.clone());
        let (agent, sequence) = (agent.to_owned(), self.sequence);
        Event::Report(Report { agent, incarnation, sequence, database, epoch, task, kind })
    }

    /// A report of a database's task under its present epoch.
    pub(crate) fn task(&mut self, index: usize, task: Task, kind: ReportKind) {
        let agent = if matches!(task, Task::Receive) { TARGET } else { SOURCE };
        let (database, epoch) = (self.name(index), self.db(index).epoch);
        self.report(agent, database, epoch, task, kind);
    }

    /// A report of the check that is awaited.
    pub(crate) fn check_report(&mut self, kind: ReportKind) {
        let side = self.migration.phase().check().expect("a check is awaited").side;
        let (agent, task) = match side {
            Side::Source => (SOURCE, Task::CheckSource),
            Side::Target => (TARGET, Task::CheckTarget),
        };
        let epoch = self.migration.check_epoch;
        self.report(agent, String::new(), epoch, task, kind);
    }

    pub(crate) fn checked(&mut self, state: FindingState, existing: &[&str]) {
        let existing = existing
            .iter()
            .map(|name| ExistingDatabase { database: (*name).to_owned(), oid: 7 })
            .collect();
        self.check_report(ReportKind::Checked {
            findings: found(state),
            facts: b"facts".to_vec(),
            existing,
        });
    }

    /// The side that is looked at can't be connected to.
    pub(crate) fn unreached(&mut self) {
        let kind = "AuthenticationAndConnectivityValidation".to_owned();
        let check = Validation { kind, state: FindingState::Failed, findings: vec![] };
        let findings = ValidationDetails { server: vec![check], ..ValidationDetails::default() };
        self.check_report(ReportKind::Checked { findings, facts: vec![], existing: vec![] });
    }

    /// Both sides of a level, the same found on both.
    pub(crate) fn checks(&mut self, state: FindingState, existing: &[&str]) {
        self.checked(state, &[]);
        if self.migration.phase().check().is_some_and(|c| c.side == Side::Target) {
            self.checked(state, existing);
        }
    }

    pub(crate) fn cut_over(&mut self) {
        self.happen(&Event::Cutover(CutoverRequest::default()));
    }

    pub(crate) fn outstanding(&self, index: usize) -> Option<(Step, u32)> {
        self.db(index).phase().cutover().map(|c| (c.step, c.attempt))
    }

    /// Does the outstanding step.
    pub(crate) fn step_done(&mut self, index: usize) {
        let (step, attempt) = self.outstanding(index).expect("a step is outstanding");
        let done =
            StepDone { step, attempt, open: vec![], lsn: 9, seconds: 0.5, note: String::new() };
        self.task(index, task_of(step), ReportKind::StepDone(done));
    }

    pub(crate) fn step_failed(&mut self, index: usize, policy: Policy) {
        self.step_failed_with(index, failure(policy));
    }

    pub(crate) fn step_failed_with(&mut self, index: usize, failure: Failure) {
        let (step, attempt) = self.outstanding(index).expect("a step is outstanding");
        let failed = StepFailed { step, attempt, failure };
        self.task(index, task_of(step), ReportKind::StepFailed(failed));
    }

    /// Does steps until this one is outstanding.
    pub(crate) fn steps_until(&mut self, index: usize, until: Step) {
        while self.outstanding(index).expect("a cutover runs").0 != until {
            self.step_done(index);
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now.checked_add(Duration::from_secs(seconds)).unwrap();
        self.happen(&Event::Tick);
    }

    pub(crate) fn kinds(&self) -> Vec<&CommandKind> {
        self.commands.iter().map(|c| &c.kind).collect()
    }

    pub(crate) fn noted(&self, kind: &str) -> bool {
        self.notes.iter().any(|n| n.kind == kind)
    }
}

pub(crate) fn task_of(step: Step) -> Task {
    match step.side() {
        Side::Source => Task::Send,
        Side::Target => Task::Receive,
    }
}

fn check_database(mode: Mode, before: &Database, after: &Database) {
    assert!(after.epoch >= before.epoch, "an epoch never falls");
    assert!(after.attempts >= before.attempts);
    if before.phase().is_final() {
        assert_eq!(before.phase(), after.phase(), "an end is an end");
    }
    if before.has_switched() {
        let on = matches!(after.phase(), DatabasePhase::CuttingOver(_) | DatabasePhase::Succeeded);
        assert!(on && after.has_switched(), "after the switch there is no way back");
    }
    let given_up = matches!(after.phase(), DatabasePhase::Canceled | DatabasePhase::Failed(_));
    if given_up && !before.phase().is_final() && before.may_have_source_objects(mode) {
        let cleaned = matches!(before.phase(), DatabasePhase::Cleaning(_));
        assert!(cleaned, "the source is cleaned before the end");
    }
    if matches!(after.phase(), DatabasePhase::Succeeded) {
        let report = after.last_cutover.as_ref().expect("a success has a cutover");
        let steps: Vec<_> = report.steps.iter().map(|s| s.step).collect();
        assert_eq!(steps, Step::of(mode), "every step, in order");
    }
    if after.phase().is_final() {
        assert!(after.hold.is_none() && after.retry_at.is_none(), "nothing is due after the end");
    }
}

fn check_commands(database: &Database, commands: &[Command]) {
    let ours = || commands.iter().filter(|c| c.database == database.name);
    let steps: Vec<_> = ours()
        .filter_map(|c| match &c.kind {
            CommandKind::CutoverStep(order) => Some((c.epoch, order.step, order.attempt)),
            _ => None,
        })
        .collect();
    assert!(steps.len() <= 1, "one step at a time: {steps:?}");
    if let Some((epoch, step, attempt)) = steps.first() {
        let outstanding = database.phase().cutover().map(|c| (c.step, c.attempt));
        assert_eq!(Some((*step, *attempt)), outstanding, "only the outstanding step is given out");
        assert_eq!(*epoch, database.epoch);
    }
    for command in ours() {
        let now = command.epoch == database.epoch;
        assert!(now || matches!(command.kind, CommandKind::Stop), "{command:?}");
        let starts = matches!(command.kind, CommandKind::Send | CommandKind::Receive);
        assert!(!starts || database.phase().has_tasks(), "{command:?}");
    }
}
