//! Who looks after a migration in a storm, and brings it home.
use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Storm;
use crate::{
    Failure, Outcome, cli, fail,
    stage::{Stage, TARGET},
    wait,
};

/// Holds that a storm may bring: what was tried ten times met something that was away. Anything else is a finding.
const HOLDS_ALLOWED: [&str; 14] = [
    "ConnectionLost",
    "ConnectionFailed",
    "ServerUnavailable",
    "ServerUnreachable",
    "ServerStarting",
    "ReplicationFailed",
    "SnapshotGone",
    "PgDumpFailed",
    "PeerGone",
    "PeerMissing",
    "LeaseLost",
    "StreamEnded",
    "TaskNotRunning",
    "ProbeMissing",
];

/// After the storm everything is there again; a migration that needs longer than this is stuck.
const HOME_BOUND: Duration = Duration::from_secs(300);

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Storm {
    /// Ends a hold of a kind that a storm may bring; whether the migration is over.
    ///
    /// # Errors
    /// A hold of another kind, or a migration that failed.
    pub(super) fn end_hold(&mut self, stage: &Stage) -> Outcome<bool> {
        let Some(shown) = self.show(stage)? else { return Ok(false) };
        let over = cli::state(&shown) == "Succeeded";
        let Some((kind, code)) = hold(&shown) else { return Ok(over) };
        if kind == "Paused" {
            // The resume met a controller that was away.
            self.tell(stage, "resume")?;
            return Ok(false);
        }
        self.note(&format!("held: {code}"));
        self.holds.push(code.clone());
        if !HOLDS_ALLOWED.contains(&code.as_str()) {
            return Err(self.told(&Failure::new(format!("held with {code}: {shown:#}"))));
        }
        self.tell(stage, "retry")?;
        Ok(false)
    }

    /// Until `state`, in calm weather: cuts over when it waits for that and `cut_over`, and ends holds.
    ///
    /// # Errors
    /// When it does not come there, or ends otherwise.
    pub fn bring_home(&mut self, stage: &Stage, state: &str, cut_over: bool) -> Outcome {
        let there = |shown: &Value| [cli::state(shown), cli::substate(shown)].contains(&state);
        self.bring(stage, state, there, cut_over)
    }

    /// As [`Storm::bring_home`], until each database is where it is said to come to.
    ///
    /// # Errors
    /// As [`Storm::bring_home`].
    pub fn bring_each(&mut self, stage: &Stage, each: &[(&str, &str)], cut_over: bool) -> Outcome {
        let there = |shown: &Value| {
            each.iter().all(|(name, state)| cli::database(shown, name)["migrationState"] == *state)
        };
        self.bring(stage, &format!("{each:?}"), there, cut_over)
    }

    fn bring(
        &mut self,
        stage: &Stage,
        what: &str,
        there: impl Fn(&Value) -> bool,
        cut_over: bool,
    ) -> Outcome {
        let end = Instant::now() + HOME_BOUND;
        loop {
            let shown = self.show(stage)?;
            if let Some(shown) = &shown {
                let (now, sub) = (cli::state(shown), cli::substate(shown));
                if there(shown) {
                    self.note(&format!("home: {what}"));
                    return Ok(());
                }
                if ["Failed", "Canceled", "Succeeded"].contains(&now) {
                    return Err(self.told(&Failure::new(format!("it is {now}: {shown:#}"))));
                }
                self.end_hold(stage)?;
                if cut_over && sub == "WaitingForCutoverTrigger" {
                    self.tell(stage, "cutover")?;
                }
            }
            if Instant::now() > end {
                let shown = shown.unwrap_or_default();
                return Err(self.told(&Failure::new(format!("not {what} in time: {shown:#}"))));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Cancels one database, as soon as anybody listens.
    ///
    /// # Errors
    /// When nobody does in time.
    pub fn cancel(&mut self, stage: &Stage, database: &str) -> Outcome {
        let words = ["migration", "cancel", &self.name, "--target", TARGET, "--database", database];
        wait::until("a controller that takes a cancel", || {
            Ok((stage.cli.run(&words)?.status == 0).then_some(()))
        })?;
        self.note(&format!("cancel of {database}"));
        Ok(())
    }

    /// Tells it to cut over, if anybody listens and it waits for that.
    ///
    /// # Errors
    /// When the CLI can't be run.
    pub fn try_cutover(&mut self, stage: &Stage) -> Outcome {
        let waits = self
            .show(stage)?
            .is_some_and(|shown| cli::substate(&shown) == "WaitingForCutoverTrigger");
        if waits { self.tell(stage, "cutover") } else { Ok(()) }
    }

    fn tell(&mut self, stage: &Stage, verb: &str) -> Outcome {
        let said = stage.cli.run(&["migration", verb, &self.name, "--target", TARGET])?;
        self.note(&format!("{verb}: {}", said.status));
        Ok(())
    }

    fn show(&self, stage: &Stage) -> Outcome<Option<Value>> {
        let said =
            stage.cli.run(&["migration", "show", &self.name, "--target", TARGET, "-o", "json"])?;
        if said.status != 0 {
            if said.describe().contains("NotFound") {
                fail!("the controller forgot the migration: {}", said.describe());
            }
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&said.stdout)?))
    }
}

/// Kind and code of the first hold.
fn hold(shown: &Value) -> Option<(String, String)> {
    let details = &shown["properties"]["currentStatus"]["currentSubStateDetails"];
    let whole = std::iter::once(&details["hold"]);
    let each = details["dbDetails"].as_object().into_iter().flat_map(|all| all.values());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    whole
        .chain(each.map(|database| &database["hold"]))
        .find(|hold| hold.is_object())
        .map(|hold| (text(&hold["kind"]), text(&hold["code"])))
}
