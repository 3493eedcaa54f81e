//! What operators ask for. Each is done to all the databases that it names, or to none.
use super::{
    super::{
        command::{Command, CommandKind},
        hold::HoldKind,
        phase::{DatabasePhase, Ending, Phase},
        record::Side,
        refusal::Refusal,
        spec::{Endpoint, Secret},
        view,
    },
    Work,
};

impl Work {
    pub(super) fn confirm_overwrite(&mut self) -> Result<(), Refusal> {
        if !matches!(self.migration.phase(), Phase::OverwriteConfirmation) {
            return Err(self.refuse(
                "NoConfirmationAwaited",
                "the migration does not wait for an overwrite to be confirmed",
            ));
        }
        self.migration.overwrite_confirmed = true;
        self.note("", "OverwriteConfirmed", "what is there may be replaced");
        self.wait_or_begin()
    }

    pub(super) fn cancel(&mut self, databases: &[String]) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        let mut chosen = self.select(databases)?;
        for index in &chosen {
            let database = &self.migration.databases[*index];
            let final_already = database.phase().is_final() && databases.is_empty();
            if database.must_go_on() && !final_already {
                let name = &database.name;
                let message = format!(
                    "database {name} is past the point of no return: its cutover has come to the switch, the only way is on"
                );
                return Err(self.refuse("PastTheSwitch", message));
            }
        }
        chosen.retain(|i| {
            let phase = self.migration.databases[*i].phase();
            !phase.is_final() && !matches!(phase, DatabasePhase::Cleaning(_))
        });
        for index in chosen {
            let name = self.name(index);
            self.note(&name, "CancelRequested", "to be given up");
            self.catch_up(index);
            self.stop_tasks(index);
            self.clean(index, Ending::Canceled)?;
        }
        self.cancel_checks()
    }

    /// Before Moving: without a database left there is nothing to check for.
    pub(super) fn cancel_checks(&mut self) -> Result<(), Refusal> {
        let moving = matches!(self.migration.phase(), Phase::Moving);
        if moving || self.migration.databases.iter().any(|d| !d.phase().is_final()) {
            return Ok(());
        }
        if let Some(check) = self.migration.phase().check() {
            let agent = self.migration.agent(check.side).to_owned();
            let epoch = self.migration.check_epoch;
            let kind = CommandKind::Stop;
            self.commands.push(Command { agent, database: String::new(), epoch, kind });
        }
        self.enter(Phase::Canceled)
    }

    /// What is named, or all that can be paused: in one of many another obstacle may stand.
    pub(super) fn pause(&mut self, databases: &[String]) -> Result<(), Refusal> {
        let chosen = self.select_live(databases)?;
        let (can, cannot): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|i| self.obstacle_to_pause(*i).is_none());
        if let Some(index) = cannot.first()
            && (can.is_empty() || !databases.is_empty())
            && let Some((code, why)) = self.obstacle_to_pause(*index)
        {
            let name = self.name(*index);
            return Err(self.refuse(code, format!("database {name} can't be paused: it {why}")));
        }
        for index in can {
            self.pause_database(index);
        }
        Ok(())
    }

    fn obstacle_to_pause(&self, index: usize) -> Option<(&'static str, &'static str)> {
        let database = &self.migration.databases[index];
        let (code, why) = match database.phase() {
            DatabasePhase::CuttingOver(_) => ("CutoverRunning", "is being cut over"),
            DatabasePhase::Cleaning(_) => ("BeingCleanedUp", "is being cleaned up"),
            DatabasePhase::Waiting => ("NotStarted", "has not been started yet"),
            _ if self.is_held(index, HoldKind::Paused) => ("AlreadyPaused", "is paused already"),
            _ if database.hold.is_some() => ("DatabaseHeld", "is held already"),
            _ => return None,
        };
        Some((code, why))
    }

    /// Ends pauses, and nothing else: what is held for a cause waits until somebody says that it is mended (`retry`).
    pub(super) fn resume(&mut self, databases: &[String]) -> Result<(), Refusal> {
        let mut chosen = self.select_live(databases)?;
        if !databases.is_empty()
            && let Some(index) = chosen.iter().find(|i| !self.is_held(**i, HoldKind::Paused))
        {
            return Err(self.not_paused(*index));
        }
        chosen.retain(|i| self.is_held(*i, HoldKind::Paused));
        if chosen.is_empty() {
            let held = self.migration.hold.is_some()
                || self.migration.databases.iter().any(|d| d.hold.is_some());
            let refusal = self.refuse("NotHeld", self.nothing_held());
            return Err(if held {
                self.refuse("NotPaused", "nothing is paused; what is held goes on with retry")
            } else {
                refusal
            });
        }
        self.go_on(chosen, "Resumed");
        Ok(())
    }

    fn not_paused(&self, index: usize) -> Refusal {
        let database = &self.migration.databases[index];
        let name = &database.name;
        match &database.hold {
            Some(hold) => {
                let message = format!(
                    "database {name} is not paused but held ({}): mend the cause, then retry",
                    hold.code
                );
                self.refuse("NotPaused", message)
            }
            None => {
                let message =
                    format!("database {name} is not held: there is nothing to go on from");
                self.refuse("NotHeld", message)
            }
        }
    }

    /// The cause of a hold is mended, the operator says. A pause stays.
    pub(super) fn retry(&mut self, databases: &[String], tables: &[String]) -> Result<(), Refusal> {
        if !tables.is_empty() {
            return self.copy_tables_again(databases, tables);
        }
        let mut chosen = self.select_live(databases)?;
        self.refuse_without_window()?;
        let check_waits = self.migration.hold.is_some()
            || self.migration.phase().check().is_some_and(|c| c.retry_at.is_some());
        if check_waits && databases.is_empty() {
            self.note("", "RetryRequested", "the check is done again");
            self.retry_check();
            return Ok(());
        }
        let waits = |work: &Self, index: usize| {
            let database = &work.migration.databases[index];
            let waits = database.hold.is_some() || database.retry_at.is_some();
            let held = !database.held_tables.is_empty() && database.phase().cutover().is_none();
            (waits || held) && !work.is_held(index, HoldKind::Paused)
        };
        let named = !databases.is_empty();
        if let Some(index) = chosen.iter().find(|i| named && !waits(self, **i)) {
            let name = self.name(*index);
            let message = format!("database {name} is not held: there is nothing to try again");
            return Err(self.refuse("NotHeld", message));
        }
        chosen.retain(|i| waits(self, *i));
        if chosen.is_empty() {
            return Err(self.refuse("NotHeld", self.nothing_held()));
        }
        for index in &chosen {
            self.ask_for_what_is_held(*index)?;
        }
        self.go_on(chosen, "RetryRequested");
        Ok(())
    }

    /// Ends the holds of these, and starts what they held.
    fn go_on(&mut self, chosen: Vec<usize>, kind: &str) {
        for index in chosen {
            let name = self.name(index);
            self.note(&name, kind, "goes on");
            self.restart(index);
        }
    }

    fn nothing_held(&self) -> String {
        let (state, sub_state) = view::state(&self.migration);
        let paused = (0..self.migration.databases.len()).any(|i| self.is_held(i, HoldKind::Paused));
        let hint = if paused { "; what is paused goes on with resume" } else { "" };
        format!("nothing is held: the migration is {}/{}{hint}", state.name(), sub_state.name())
    }

    pub(super) fn retry_check(&mut self) {
        self.migration.hold = None;
        if let Some(check) = self.migration.check_mut() {
            check.tries = 0;
        }
        self.reissue_check();
    }

    /// Without the hold, from the first try on. What was last told is what is tried again; a cutover's step back stays to be read.
    pub(super) fn restart(&mut self, index: usize) {
        let paused = self.is_held(index, HoldKind::Paused);
        let database = self.database(index);
        let held = database.hold.take().is_some() && !paused;
        if held || database.tries > 0 {
            database.message = None;
        }
        database.forget_tries();
        self.catch_up(index);
        self.again(index);
    }

    /// A person has looked: the next epoch is above whatever the ledger, or an agent, was found with; and a Stop is heard.
    fn catch_up(&mut self, index: usize) {
        let database = self.database(index);
        database.epoch = database.epoch.max(std::mem::take(&mut database.ledger_epoch));
    }

    pub(super) fn update_secrets(
        &mut self,
        source: Option<&Secret>,
        target: Option<&Secret>,
    ) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        self.set_secrets(source, target);
        self.restart_held();
        Ok(())
    }

    pub(super) fn set_secrets(&mut self, source: Option<&Secret>, target: Option<&Secret>) {
        for (side, secret) in [(Side::Source, source), (Side::Target, target)] {
            let Some(secret) = secret else { continue };
            let (endpoint, word) = match side {
                Side::Source => (&mut self.migration.spec.source, "source"),
                Side::Target => (&mut self.migration.spec.target, "target"),
            };
            endpoint.password = secret.clone();
            self.note("", "SecretsUpdated", format!("the {word}'s password"));
        }
    }

    /// The target itself was changed.
    pub(super) fn target_changed(&mut self, target: &Endpoint) {
        if self.migration.is_over() || self.migration.spec.target == *target {
            return;
        }
        let before = std::mem::replace(&mut self.migration.spec.target, target.clone());
        if (&before.host, before.port) != (&target.host, target.port) {
            // What may be overwritten was found, and confirmed, on another server: an OID there means nothing here.
            for database in &mut self.migration.databases {
                database.existing_oid = 0;
            }
        }
        self.note("", "TargetChanged", "what is started from now on uses the target as it is now");
        self.restart_held();
    }

    /// What waits for something to be mended is tried at once. A pause stays.
    pub(super) fn restart_held(&mut self) {
        if self.migration.hold.is_some() && self.migration.phase().check().is_some() {
            self.retry_check();
        }
        for index in 0..self.migration.databases.len() {
            let database = &self.migration.databases[index];
            let waits = database.hold.is_some() || database.retry_at.is_some();
            if waits && !self.is_held(index, HoldKind::Paused) {
                self.restart(index);
            }
        }
    }

    pub(super) fn refuse_if_over(&self) -> Result<(), Refusal> {
        if !self.migration.is_over() {
            return Ok(());
        }
        let (state, _) = view::state(&self.migration);
        let message = format!("the migration is over: {}", state.name());
        Err(self.refuse("MigrationIsOver", message))
    }

    /// As `select`, without the databases that are over when none was named.
    pub(super) fn select_live(&self, databases: &[String]) -> Result<Vec<usize>, Refusal> {
        self.refuse_if_over()?;
        let mut chosen = self.select(databases)?;
        let over = |i: &usize| self.migration.databases[*i].phase().is_final();
        if databases.is_empty() {
            chosen.retain(|i| !over(i));
        } else if let Some(index) = chosen.iter().find(|i| over(i)) {
            let database = &self.migration.databases[*index];
            let state = view::database_state(&self.migration, database).name();
            let message = format!("database {} is over: {state}", database.name);
            return Err(self.refuse("DatabaseIsOver", message));
        }
        Ok(chosen)
    }
}
