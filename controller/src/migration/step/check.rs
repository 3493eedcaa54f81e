//! The checks before anything is moved: the source's, then the target's with what the source's told; and what follows.
use super::{
    super::{
        command::{Command, CommandKind},
        event::{ExistingDatabase, Failure, Policy, Report, ReportKind, Task},
        hold::Hold,
        phase::Phase,
        record::{Check, Side},
        refusal::Refusal,
        spec::Goal,
        validation::{FindingState, Level, ValidationDetails},
    },
    TRIES_MAX, Work, retry_time,
};

impl Work {
    /// Gives out the check that the phase stands at, under the present check epoch.
    pub(super) fn issue_check(&mut self) {
        let level = match self.migration.phase() {
            Phase::Prerequisites(_) => Level::Prerequisites,
            Phase::Validation(_) => Level::Preflight,
            _ => return,
        };
        let Some(check) = self.migration.check_mut() else { return };
        check.retry_at = None;
        let side = check.side;
        let kind = match side {
            Side::Source => CommandKind::CheckSource { level },
            Side::Target => CommandKind::CheckTarget { level, facts: check.facts.clone() },
        };
        let agent = self.migration.agent(side).to_owned();
        let epoch = self.migration.check_epoch;
        self.commands.push(Command { agent, database: String::new(), epoch, kind });
    }

    /// The same check once more: what was told of the earlier one no longer counts.
    pub(super) fn reissue_check(&mut self) {
        self.migration.check_epoch += 1;
        self.issue_check();
    }

    pub(super) fn check_report(&mut self, report: &Report) -> Result<(), Refusal> {
        let side = match report.task {
            Task::CheckSource => Side::Source,
            _ => Side::Target,
        };
        let expected = self.migration.phase().check().is_some_and(|check| check.side == side);
        if !expected || report.epoch != self.migration.check_epoch {
            self.ignore("a check that is no longer awaited");
            return Ok(());
        }
        match &report.kind {
            ReportKind::Checked { findings, facts, existing } => {
                self.checked(side, findings.clone(), facts, existing)
            }
            ReportKind::TaskFailed(failure) => self.check_failed(failure),
            ReportKind::Milestone { kind, message } => {
                self.note("", kind, message);
                Ok(())
            }
            _ => {
                self.ignore("a report that no check makes");
                Ok(())
            }
        }
    }

    fn checked(
        &mut self,
        side: Side,
        findings: ValidationDetails,
        facts: &[u8],
        existing: &[ExistingDatabase],
    ) -> Result<(), Refusal> {
        self.migration.hold = None;
        let Some(check) = self.migration.check_mut() else { return Ok(()) };
        check.tries = 0;
        check.retry_at = None;
        check.found.merge(findings);
        if side == Side::Target {
            for database in &mut self.migration.databases {
                let there = existing.iter().find(|e| e.database == database.name);
                database.existing_oid = there.map_or(0, |e| e.oid);
            }
            return self.level_checked();
        }
        check.side = Side::Target;
        // Empty when the source could not even be asked: then the target is looked at by itself.
        check.facts = facts.to_vec();
        self.reissue_check();
        Ok(())
    }

    const fn is_prerequisites(&self) -> bool {
        matches!(self.migration.phase(), Phase::Prerequisites(_))
    }

    /// Both sides of a level were checked (or one was enough).
    fn level_checked(&mut self) -> Result<(), Refusal> {
        let Some(check) = self.migration.phase().check() else { return Ok(()) };
        let found = check.found.clone();
        if self.is_prerequisites() {
            return self.prerequisites_checked(&found);
        }
        let status = found.status();
        let failed = found.first_failed();
        self.migration.validation = Some(found);
        if let (FindingState::Failed, Some(finding)) = (status, failed) {
            return self.validation_failed(finding.into());
        }
        self.note("", "ValidationPassed", "no check failed");
        if self.migration.spec.goal == Goal::Validate {
            return self.enter(Phase::Succeeded);
        }
        self.after_checks()
    }

    fn prerequisites_checked(&mut self, found: &ValidationDetails) -> Result<(), Refusal> {
        let goal = self.migration.spec.goal;
        if let Some(finding) = found.first_failed() {
            // Readable afterwards, all of them, though one is the error.
            self.migration.validation = Some(found.clone());
            let (reached, tried) = found.servers_reached();
            // Who asked for validation is shown all that can be seen, and not the first obstacle only.
            if goal != Goal::Migrate && (reached > 0 || tried == 0) {
                return self.validate();
            }
            // Who only asked whether it would go is answered by that, whichever check it was.
            if goal == Goal::Validate {
                return self.validation_failed(finding.into());
            }
            return self.enter(Phase::Failed(finding.into()));
        }
        self.note("", "PrerequisitesPassed", "both servers can be used");
        if goal == Goal::Migrate {
            return self.after_checks();
        }
        self.validate()
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        self.enter(Phase::Validation(Check::new()))?;
        self.reissue_check();
        Ok(())
    }

    /// A check failed. A server that can't be reached is no finding about the databases: unless only checks were asked
    /// for, the migration itself has failed.
    fn validation_failed(&mut self, failure: Failure) -> Result<(), Refusal> {
        self.note_failure("", "ValidationFailed", &failure);
        let found = self.migration.validation.as_ref();
        let (reached, tried) = found.map_or((0, 0), ValidationDetails::servers_reached);
        if self.migration.spec.goal != Goal::Validate && reached < tried {
            return self.enter(Phase::Failed(failure));
        }
        self.enter(Phase::ValidationFailed)
    }

    fn check_failed(&mut self, failure: &Failure) -> Result<(), Refusal> {
        let now = self.now;
        let Some(check) = self.migration.check_mut() else { return Ok(()) };
        match failure.policy {
            Policy::Fenced => self.ignore("a check of an older epoch"),
            Policy::Fail => return self.enter(Phase::Failed(failure.clone())),
            Policy::Retry | Policy::Away if check.tries + 1 < TRIES_MAX => {
                check.tries += 1;
                check.retry_at = Some(retry_time(now, check.tries, failure.policy));
                self.note_failure("", "CheckRetried", failure);
            }
            Policy::Retry | Policy::Away | Policy::Hold | Policy::Resync | Policy::Credentials => {
                check.retry_at = None;
                self.migration.hold = Some(Hold::of_failure(failure, now));
                self.note_failure("", "Held", failure);
            }
        }
        Ok(())
    }

    /// The checks passed: ask about what is there, wait for the window, or begin.
    fn after_checks(&mut self) -> Result<(), Refusal> {
        let there: Vec<_> = self.live().filter(|d| d.existing_oid != 0).map(|d| &d.name).collect();
        let migration = &self.migration;
        let may = migration.overwrite_confirmed || migration.spec.overwrite && !migration.restored;
        if !there.is_empty() && !may {
            let there = there.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
            let live = match migration.restored {
                true => {
                    "; the controller's store was restored: look whether they are live, made by this migration itself"
                }
                false => "",
            };
            let message = format!("on the target already: {there}{live}");
            self.note("", "OverwriteConfirmationNeeded", message);
            return self.enter(Phase::OverwriteConfirmation);
        }
        self.wait_or_begin()
    }

    fn live(&self) -> impl Iterator<Item = &super::super::record::Database> {
        self.migration.databases.iter().filter(|d| !d.phase().is_final())
    }
}
