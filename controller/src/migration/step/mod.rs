//! `step`: one event in, the next migration out. A file a kind of event; this one holds what they share.
mod again;
mod away;
mod check;
mod clean;
mod cutover;
mod guard;
mod hand_over;
mod leave_source;
mod limits;
mod operator;
mod report;
mod restored;
mod tasks;
mod timer;
mod window;

use std::time::Duration;

use jiff::Timestamp;

pub use window::window_problem;

use super::{
    command::{Command, CommandKind},
    event::{Event, Failure, Policy},
    phase::{DatabasePhase, Phase},
    record::{Database, Migration, NewMigration, Side},
    refusal::{Refusal, RefusalKind},
    view,
};

/// Failures in a row, without progress between them, before a retry becomes a hold. With the pauses below, ten take
/// about six minutes: longer than a server's restart, short enough that a person hears of what does not mend itself.
pub const TRIES_MAX: u32 = 10;

/// The pause before the first retry. Doubles with each.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: what comes back is noticed within a minute.
pub const RETRY_MAX: Duration = Duration::from_secs(60);

/// The longest pause while something is away: what comes back is noticed within seconds, and a try costs each server a
/// connection.
pub const AWAY_MAX: Duration = Duration::from_secs(5);

/// Who caused a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person or a program, by the operators' API.
    Operator,
    /// We.
    Controller,
    /// An agent, by id.
    Agent(String),
}

/// A line for the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Empty when it is about the whole migration.
    pub database: String,
    /// Stable: "CopyFinished".
    pub kind: String,
    /// Stable code of an error, where it is one.
    pub code: String,
    /// For people.
    pub message: String,
    /// Who caused it.
    pub actor: Actor,
}

/// What an event led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The migration now.
    pub migration: Migration,
    /// For the agents, in order.
    pub commands: Vec<Command>,
    /// For the event log, in order.
    pub notes: Vec<Note>,
    /// Why the event changed nothing, when an agent said something that is no longer of interest.
    pub ignored: Option<&'static str>,
}

/// A migration is made; the source's check is the first thing to do.
#[must_use]
pub fn create(new: NewMigration, now: Timestamp) -> Outcome {
    let mut work = Work::new(Migration::new(new, now), now, Actor::Operator);
    work.note("", "MigrationCreated", "recorded");
    work.issue_check();
    work.finish()
}

/// The only way that a migration changes.
///
/// # Errors
/// [`Refusal`]; then nothing has changed.
pub fn step(migration: &Migration, event: &Event, now: Timestamp) -> Result<Outcome, Refusal> {
    let mut work = Work::new(migration.clone(), now, actor(event));
    match event {
        Event::ConfirmOverwrite => work.confirm_overwrite()?,
        Event::Cutover(request) => work.begin_cutovers(request)?,
        Event::Cancel { databases } => work.cancel(databases)?,
        Event::LeaveSource { databases } => work.leave_source(databases)?,
        Event::Pause { databases } => work.pause(databases)?,
        Event::Resume { databases } => work.resume(databases)?,
        Event::Retry { databases, tables } => work.retry(databases, tables)?,
        Event::UpdateSecrets { source, target } => {
            work.update_secrets(source.as_ref(), target.as_ref())?;
        }
        Event::UpdateWindow { start, end } => work.update_window(*start, *end)?,
        Event::UpdateLimits(change) => work.update_limits(*change)?,
        Event::HandOver(hand_over) => work.hand_over(hand_over)?,
        Event::TargetChanged { target } => work.target_changed(target),
        Event::Report(report) => work.report(report)?,
        Event::StoreRestored => work.store_restored()?,
        Event::AgentRuns { agent, epochs } => work.agent_runs(agent, epochs),
        Event::AgentIncarnation { agent, incarnation } => {
            work.agent_incarnation(agent, incarnation);
        }
        Event::AgentAway { agent } => work.agent_away(agent)?,
        Event::ControllerAway { since } => work.controller_away(*since)?,
        Event::CommandRefused { agent, database, epoch, refusal, newest } => {
            work.command_refused(agent, database, *epoch, (refusal, *newest))?;
        }
        Event::LagSmall { database, epoch } => work.lag_small(database, *epoch)?,
        Event::Progressed { database, epoch } => work.progressed(database, *epoch),
        Event::Tick => work.tick()?,
    }
    Ok(work.finish())
}

fn actor(event: &Event) -> Actor {
    match event {
        Event::ConfirmOverwrite
        | Event::Cutover(_)
        | Event::Cancel { .. }
        | Event::LeaveSource { .. }
        | Event::Pause { .. }
        | Event::Resume { .. }
        | Event::Retry { .. }
        | Event::UpdateSecrets { .. }
        | Event::UpdateWindow { .. }
        | Event::UpdateLimits(_)
        | Event::HandOver(_)
        | Event::TargetChanged { .. } => Actor::Operator,
        Event::Report(report) => Actor::Agent(report.agent.clone()),
        Event::AgentRuns { agent, .. }
        | Event::AgentIncarnation { agent, .. }
        | Event::CommandRefused { agent, .. } => Actor::Agent(agent.clone()),
        Event::StoreRestored
        | Event::AgentAway { .. }
        | Event::ControllerAway { .. }
        | Event::LagSmall { .. }
        | Event::Progressed { .. }
        | Event::Tick => Actor::Controller,
    }
}

/// A migration in the middle of a step.
struct Work {
    migration: Migration,
    was_over: bool,
    now: Timestamp,
    actor: Actor,
    commands: Vec<Command>,
    notes: Vec<Note>,
    ignored: Option<&'static str>,
}

impl Work {
    fn new(migration: Migration, now: Timestamp, actor: Actor) -> Self {
        let was_over = migration.is_over();
        Self {
            migration,
            was_over,
            now,
            actor,
            commands: Vec::new(),
            notes: Vec::new(),
            ignored: None,
        }
    }

    fn finish(mut self) -> Outcome {
        if self.migration.is_over() && !self.was_over {
            self.end();
        }
        let Self { migration, commands, notes, ignored, .. } = self;
        Outcome { migration, commands, notes, ignored }
    }

    /// Said once, when the migration is over.
    fn end(&mut self) {
        self.migration.ended_at = Some(self.now);
        self.migration.hold = None;
        self.actor = Actor::Controller;
        let (state, _) = view::state(&self.migration);
        let failure = view::error(&self.migration);
        let kind = format!("Migration{}", state.name());
        match failure {
            Some(failure) => self.note_failure("", &kind, &failure),
            None => self.note("", &kind, "the migration is over"),
        }
    }

    fn note(&mut self, database: &str, kind: &str, message: impl Into<String>) {
        self.notes.push(Note {
            database: database.to_owned(),
            kind: kind.to_owned(),
            code: String::new(),
            message: message.into(),
            actor: self.actor.clone(),
        });
    }

    fn note_failure(&mut self, database: &str, kind: &str, failure: &Failure) {
        let message = match failure.remedy.as_str() {
            "" => failure.message.clone(),
            remedy => format!("{}. {remedy}", failure.message.trim_end_matches('.')),
        };
        self.notes.push(Note {
            database: database.to_owned(),
            kind: kind.to_owned(),
            code: failure.code.clone(),
            message,
            actor: self.actor.clone(),
        });
    }

    /// The event came too late, or twice.
    const fn ignore(&mut self, why: &'static str) {
        self.ignored = Some(why);
    }

    /// A command for the agent of `side`, under the database's present epoch.
    fn command(&mut self, index: usize, side: Side, kind: CommandKind) {
        let agent = self.migration.agent(side).to_owned();
        let Database { name, epoch, .. } = &self.migration.databases[index];
        self.commands.push(Command { agent, database: name.clone(), epoch: *epoch, kind });
    }

    /// The same command for both ends; once if one agent is both.
    fn command_both(&mut self, index: usize, kind: &CommandKind) {
        self.command(index, Side::Source, kind.clone());
        if self.migration.spec.source_agent != self.migration.spec.target_agent {
            self.command(index, Side::Target, kind.clone());
        }
    }

    fn database(&mut self, index: usize) -> &mut Database {
        &mut self.migration.databases[index]
    }

    fn name(&self, index: usize) -> String {
        self.migration.databases[index].name.clone()
    }

    fn enter(&mut self, next: Phase) -> Result<(), Refusal> {
        Ok(self.migration.enter(next)?)
    }

    fn enter_database(&mut self, index: usize, next: DatabasePhase) -> Result<(), Refusal> {
        let now = self.now;
        Ok(self.database(index).enter(next, now)?)
    }

    /// The state does not allow what was asked.
    fn refuse(&self, code: &'static str, message: impl Into<String>) -> Refusal {
        let (state, sub_state) = view::state(&self.migration);
        Refusal {
            kind: RefusalKind::State,
            code,
            message: message.into(),
            state: format!("{}/{}", state.name(), sub_state.name()),
            allowed: view::allowed(&self.migration),
        }
    }

    /// The databases that an act names; all when it names none.
    ///
    /// # Errors
    /// `DatabaseNotInMigration`.
    fn select(&self, databases: &[String]) -> Result<Vec<usize>, Refusal> {
        if databases.is_empty() {
            return Ok((0..self.migration.databases.len()).collect());
        }
        let mut chosen = Vec::with_capacity(databases.len());
        for name in databases {
            let Some((index, _)) = self.migration.database(name) else {
                let has = self.migration.spec.databases.join(", ");
                let message = format!("the migration has no database {name:?}: it has {has}");
                let refusal = self.refuse("DatabaseNotInMigration", message);
                return Err(Refusal { kind: RefusalKind::Argument, ..refusal });
            };
            if !chosen.contains(&index) {
                chosen.push(index);
            }
        }
        Ok(chosen)
    }
}

/// When to try again after the `tries`th failure in a row (from 1).
fn retry_time(now: Timestamp, tries: u32, policy: Policy) -> Timestamp {
    // 2^6 first pauses are more than the longest one already.
    let doublings = tries.saturating_sub(1).min(6);
    let longest = if policy == Policy::Away { AWAY_MAX } else { RETRY_MAX };
    let pause = RETRY_FIRST.saturating_mul(1 << doublings).min(longest);
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
