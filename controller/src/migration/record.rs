//! A migration as it is remembered: a versioned document.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    cutover::{CutoverReport, Step},
    event::Failure,
    hold::Hold,
    phase::{DATABASE_EDGES, DatabasePhase, EDGES, IllegalEdge, Phase, checked},
    spec::{Mode, Spec, base64_bytes},
    step::RETRY_MAX,
    validation::ValidationDetails,
};

/// The version of the document that this program writes.
const DOCUMENT_VERSION: u32 = 1;

/// One end of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where the rows come from.
    Source,
    /// Where they go.
    Target,
}

/// A check that an agent was told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The side that is being checked now: first the source, then the target.
    pub side: Side,
    /// What the source's check told, for the target's.
    #[serde(with = "base64_bytes")]
    pub facts: Vec<u8>,
    /// What was found so far.
    pub found: ValidationDetails,
    /// Failures in a row.
    pub tries: u32,
    /// Issue it again then.
    pub retry_at: Option<Timestamp>,
}

impl Check {
    pub(super) fn new() -> Self {
        Self {
            side: Side::Source,
            facts: Vec::new(),
            found: ValidationDetails::default(),
            tries: 0,
            retry_at: None,
        }
    }
}

/// What was last heard from an agent, about this migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The life of its process.
    pub incarnation: String,
    /// The last report that was taken in; one that comes again changes nothing.
    pub report: u64,
}

/// What a migration is made from.
#[derive(Clone, Debug)]
pub struct NewMigration {
    /// A UUID.
    pub uid: String,
    /// The target's id.
    pub target_id: String,
    /// Its own id.
    pub name: String,
    /// The order.
    pub spec: Spec,
    /// The agents' present incarnations, where they are known.
    pub incarnations: BTreeMap<String, String>,
}

/// A migration. Changed by [`super::step()`] only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// Of the document.
    pub v: u32,
    /// A UUID.
    pub uid: String,
    /// The target's id.
    pub target_id: String,
    /// Its own id.
    pub name: String,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// The order.
    pub spec: Spec,
    phase: Phase,
    /// Counts the checks that were issued; never falls.
    pub check_epoch: u64,
    /// What the preflight found.
    pub validation: Option<ValidationDetails>,
    /// The operator said that what is there may be replaced.
    pub overwrite_confirmed: bool,
    /// The store was restored from a backup since: what the order says of overwriting was said of another target.
    #[serde(default)]
    pub restored: bool,
    /// That the window is over was told.
    #[serde(default)]
    pub window_end_told: bool,
    /// A hold of the checks, or before the window. The databases have their own.
    pub hold: Option<Hold>,
    /// In the order's order.
    pub databases: Vec<Database>,
    /// By agent.
    pub seen: BTreeMap<String, Seen>,
}

/// One database of a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Its name, on both sides.
    pub name: String,
    phase: DatabasePhase,
    /// Of its tasks. 0: none was started. Never falls.
    pub epoch: u64,
    /// The epoch that the target's ledger, or an agent, was found with when it was not below ours; 0 otherwise.
    #[serde(default)]
    pub ledger_epoch: u64,
    /// Why it stands still.
    pub hold: Option<Hold>,
    /// OID of the database of that name that was on the target before; 0: none.
    pub existing_oid: u32,
    /// OID of the database that was made; 0: not yet.
    pub target_oid: u32,
    /// The base copy is complete.
    pub copied: bool,
    /// Cutovers that were begun.
    pub attempts: u32,
    /// Failures in a row, without progress between them.
    pub tries: u32,
    /// Those of them that something was away for: they are no reason for a hold, however many.
    #[serde(default)]
    pub tries_away: u32,
    /// Start the tasks again (or repeat the step, or the cleaning) then.
    pub retry_at: Option<Timestamp>,
    /// The last error or step back.
    pub message: Option<Failure>,
    /// When its first task was started.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// The last cutover that is over.
    pub last_cutover: Option<CutoverReport>,
    /// Tables that are left out of the stream.
    #[serde(default)]
    pub held_tables: Vec<HeldTable>,
    /// Requests to copy tables again that may not have been carried out yet.
    #[serde(default)]
    pub copy_again: Vec<CopyAgain>,
    /// Such requests there were.
    #[serde(default)]
    pub copies_again: u32,
}

/// A table that is left out of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTable {
    /// "public.orders".
    pub table: String,
    /// Stable.
    pub code: String,
    /// What was being done to what, and the cause.
    pub message: String,
    /// When it began.
    pub since: Timestamp,
}

/// A request to copy tables again. The target's ledger knows by its number whether it was taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyAgain {
    /// From 1, a database.
    pub number: u32,
    /// Which; none: those that are held.
    pub tables: Vec<String>,
    /// Under a new slot: all whose rows are not the source's any more.
    pub new_slot: bool,
}

/// Names of what we make on the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceObjects {
    /// Slot.
    pub slot: String,
    /// Publication of the tables that have a usable replica identity.
    pub publication: String,
    /// Publication of those that have none.
    pub keyless_publication: String,
}

impl Migration {
    pub(super) fn new(new: NewMigration, now: Timestamp) -> Self {
        let databases = new.spec.databases.iter().map(|name| Database::new(name)).collect();
        let seen = new
            .incarnations
            .into_iter()
            .map(|(agent, incarnation)| (agent, Seen { incarnation, report: 0 }))
            .collect();
        Self {
            v: DOCUMENT_VERSION,
            uid: new.uid,
            target_id: new.target_id,
            name: new.name,
            created_at: now,
            ended_at: None,
            spec: new.spec,
            phase: Phase::Prerequisites(Check::new()),
            check_epoch: 0,
            validation: None,
            overwrite_confirmed: false,
            restored: false,
            window_end_told: false,
            hold: None,
            databases,
            seen,
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(super) const fn check_mut(&mut self) -> Option<&mut Check> {
        self.phase.check_mut()
    }

    /// The only writer of the phase.
    pub(super) fn enter(&mut self, next: Phase) -> Result<(), IllegalEdge> {
        checked(EDGES, self.phase.name(), next.name())?;
        self.phase = next;
        Ok(())
    }

    /// Nothing will ever happen to it again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.phase {
            Phase::Failed(_) | Phase::ValidationFailed | Phase::Canceled | Phase::Succeeded => true,
            Phase::Moving => self.databases.iter().all(|d| d.phase.is_final()),
            _ => false,
        }
    }

    /// The database of that name, with its place.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<(usize, &Database)> {
        self.databases.iter().enumerate().find(|(_, d)| d.name == name)
    }

    /// The agent that acts on a side.
    #[must_use]
    pub fn agent(&self, side: Side) -> &str {
        match side {
            Side::Source => &self.spec.source_agent,
            Side::Target => &self.spec.target_agent,
        }
    }

    /// Names of what is made on the source for a database, given by us so that it can be taken away whoever made it.
    #[must_use]
    pub fn source_objects(&self, database: &str) -> Option<SourceObjects> {
        // Short enough for an identifier of 63 bytes, and the first 48 bits of a UUID are its own.
        const UID_DIGITS: usize = 12;
        let (index, _) = self.database(database)?;
        let digits: String =
            self.uid.chars().filter(char::is_ascii_hexdigit).take(UID_DIGITS).collect();
        let slot = format!("whimbrel_{digits}_{index}");
        Some(SourceObjects {
            publication: slot.clone(),
            keyless_publication: format!("{slot}_keyless"),
            slot,
        })
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let retry = |at: Timestamp| if is_due(at, now) { now } else { at };
        let check = self.phase.check().filter(|_| self.hold.is_none()).and_then(|c| c.retry_at);
        let Spec { window_start, window_end, .. } = self.spec;
        let window = match self.phase {
            Phase::Window if self.hold.is_none() => window_start.or(window_end),
            Phase::Moving if !self.window_end_told && !self.is_over() => window_end,
            _ => None,
        };
        self.databases
            .iter()
            .filter(|d| !d.stands_still())
            .filter_map(|d| d.retry_at)
            .chain(check)
            .map(retry)
            .chain(window)
            .min()
    }
}

/// Whether a retry is due: also one that is farther away than any pause is, since the clock was set back then.
pub(super) fn is_due(at: Timestamp, now: Timestamp) -> bool {
    let farthest = now.checked_add(RETRY_MAX).unwrap_or(Timestamp::MAX);
    at <= now || at > farthest
}

impl Database {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            phase: DatabasePhase::Waiting,
            epoch: 0,
            ledger_epoch: 0,
            hold: None,
            existing_oid: 0,
            target_oid: 0,
            copied: false,
            attempts: 0,
            tries: 0,
            tries_away: 0,
            retry_at: None,
            message: None,
            started_at: None,
            ended_at: None,
            last_cutover: None,
            held_tables: Vec::new(),
            copy_again: Vec::new(),
            copies_again: 0,
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn phase(&self) -> &DatabasePhase {
        &self.phase
    }

    pub(super) const fn cutover_mut(&mut self) -> Option<&mut super::cutover::Cutover> {
        self.phase.cutover_mut()
    }

    /// Until a person ends it. Cleaning is tried again whatever it is held for.
    pub(super) fn stands_still(&self) -> bool {
        self.hold.is_some() && !matches!(self.phase, DatabasePhase::Cleaning(_))
    }

    /// The next failure is a first one.
    pub(super) const fn forget_tries(&mut self) {
        self.tries = 0;
        self.tries_away = 0;
    }

    /// The only writer of the phase. A final phase ends what else was going on.
    pub(super) fn enter(&mut self, next: DatabasePhase, now: Timestamp) -> Result<(), IllegalEdge> {
        checked(DATABASE_EDGES, self.phase.name(), next.name())?;
        if next.is_final() {
            self.ended_at = Some(now);
            self.hold = None;
            self.retry_at = None;
        }
        self.phase = next;
        Ok(())
    }

    /// Past the point of no return, and not known to be over: a ledger that is gone shows that it is, or that nothing can go on, as does
    /// one that has lost the switch.
    #[must_use]
    pub fn must_go_on(&self) -> bool {
        let ends = ["LedgerMissing", "NotSwitched"];
        let is_over = self.hold.as_ref().is_some_and(|hold| ends.contains(&hold.code.as_str()));
        self.may_have_switched() && !is_over
    }

    /// The switch was given out, and may have been made.
    #[must_use]
    pub fn may_have_switched(&self) -> bool {
        matches!(self.phase, DatabasePhase::Succeeded)
            || self.phase.cutover().is_some_and(|c| c.step.is_at_or_after_switch())
    }

    /// The switch was made.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        matches!(self.phase, DatabasePhase::Succeeded)
            || self.phase.cutover().is_some_and(|c| c.step > Step::Switch)
    }

    /// Something of ours may be on the source.
    #[must_use]
    pub fn may_have_source_objects(&self, mode: Mode) -> bool {
        mode == Mode::Online && self.epoch > 0
    }

    /// What is ours is being taken off the source, after which nothing needs it.
    #[must_use]
    pub fn is_leaving_source(&self) -> bool {
        match &self.phase {
            DatabasePhase::Cleaning(_) => true,
            phase => phase.cutover().is_some_and(|c| c.step == Step::RemoveSource),
        }
    }

    /// That has been tried, and has failed.
    #[must_use]
    pub fn may_leave_source(&self) -> bool {
        self.is_leaving_source() && (self.tries > 0 || self.hold.is_some())
    }

    /// Cutover attempts whose markers mean nothing any more.
    #[must_use]
    pub fn past_attempts(&self) -> u32 {
        match &self.phase {
            DatabasePhase::CuttingOver(cutover) => cutover.attempt - 1,
            _ => self.attempts,
        }
    }
}
