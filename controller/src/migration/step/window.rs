//! The migration's window: the copy is begun in it or not at all. What was begun goes on after its end; to cut a copy off
//! midway would help nobody.
use jiff::Timestamp;

use super::{
    super::{
        event::{Failure, Policy},
        hold::Hold,
        phase::Phase,
        refusal::{Refusal, RefusalKind},
    },
    Work,
};

impl Work {
    /// The databases at once, or when the window begins; never after its end.
    pub(super) fn wait_or_begin(&mut self) -> Result<(), Refusal> {
        let spec = &self.migration.spec;
        let to_come = spec.window_start.filter(|start| *start > self.now);
        let passed = spec.window_end.filter(|end| *end <= self.now);
        if to_come.is_none() && passed.is_none() {
            return self.begin();
        }
        if !matches!(self.migration.phase(), Phase::Window) {
            self.enter(Phase::Window)?;
        }
        if let Some(end) = passed {
            self.hold_for_window(end);
        } else if let Some(start) = to_come {
            self.note("", "WaitingForWindow", format!("begins at {start}"));
        }
        Ok(())
    }

    fn hold_for_window(&mut self, end: Timestamp) {
        let failure = Failure {
            policy: Policy::Hold,
            code: "WindowPassed".to_owned(),
            message: format!("the migration's window ended at {end}, before the copy could begin"),
            remedy: "name another window (`migration update --window-start TIME --window-end TIME`; `none` takes it \
                     away), or cancel"
                .to_owned(),
            ledger_epoch: 0,
        };
        self.migration.hold = Some(Hold::of_failure(&failure, self.now));
        self.note_failure("", "Held", &failure);
    }

    /// Time has passed.
    pub(super) fn window_tick(&mut self) -> Result<(), Refusal> {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        let spec = &self.migration.spec;
        let begins = spec.window_start.is_none() || due(spec.window_start) || due(spec.window_end);
        match self.migration.phase() {
            Phase::Window if begins && self.migration.hold.is_none() => {
                return self.wait_or_begin();
            }
            Phase::Moving if due(spec.window_end) && !self.migration.window_end_told => {
                self.migration.window_end_told = true;
                self.note("", "WindowEnded", "the window is over; what was begun goes on");
            }
            _ => {}
        }
        Ok(())
    }

    /// The operator: another window. Until the copy is begun.
    pub(super) fn update_window(
        &mut self,
        start: Option<Option<Timestamp>>,
        end: Option<Option<Timestamp>>,
    ) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        if matches!(self.migration.phase(), Phase::Moving) {
            let message = "the copy has begun: there is no window to wait for any more";
            return Err(self.refuse("WindowUsed", message));
        }
        let spec = &self.migration.spec;
        let start = start.unwrap_or(spec.window_start);
        let end = end.unwrap_or(spec.window_end);
        if let Some(problem) = window_problem(start, end, self.now) {
            let refusal = self.refuse("WindowInvalid", format!("the window {problem}"));
            return Err(Refusal { kind: RefusalKind::Argument, ..refusal });
        }
        self.migration.spec.window_start = start;
        self.migration.spec.window_end = end;
        self.note("", "WindowUpdated", told(start, end));
        if matches!(self.migration.phase(), Phase::Window) {
            self.migration.hold = None;
            self.wait_or_begin()?;
        }
        Ok(())
    }

    /// It is held because its window has passed: only another window ends that.
    pub(super) fn refuse_without_window(&self) -> Result<(), Refusal> {
        if !matches!(self.migration.phase(), Phase::Window) {
            return Ok(());
        }
        let Some(hold) = &self.migration.hold else { return Ok(()) };
        let message = format!("{}; {}", hold.message, hold.remedy);
        Err(self.refuse("WindowPassed", message))
    }
}

fn told(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    match (start, end) {
        (None, None) => "at any time".to_owned(),
        (Some(start), None) => format!("from {start} on"),
        (None, Some(end)) => format!("until {end}"),
        (Some(start), Some(end)) => format!("from {start} until {end}"),
    }
}

/// What makes a window one in which nothing could ever begin.
#[must_use]
pub fn window_problem(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    now: Timestamp,
) -> Option<&'static str> {
    let end = end?;
    if end <= now {
        return Some("has passed already");
    }
    (start? >= end).then_some("ends before it begins")
}
