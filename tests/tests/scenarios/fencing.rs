//! Two agents with the same work: one is frozen in the middle of something, another one goes on, and the first wakes up.
//! Whatever it believes, it commits nothing any more.
//!
//! The controller does not hear the one that wakes, nor it the controller: it is not told to stop, and only the target
//! keeps it from writing.
use std::{thread, time::Duration};

use whimbrel_tests::{
    Outcome,
    cluster::ClusterOptions,
    ensure, fail, pgbench,
    stage::{self, Hand, Plan, Stage, TARGET},
    wait, workload,
};

use crate::{create_bank, start_bank};

const AUDIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/audit.sql");

/// Where one agent after the other is frozen, in the order in which a migration comes there.
const BEFORE_THE_CUTOVER: &[&str] = &[
    "prepare.created",
    "prepare.made",
    "epoch.installing",
    "snapshot.taken",
    "copy.committing",
    "entry.committing",
    "stream.recording",
    "follow.beginning",
    "apply.committing",
    "apply.committed",
    "slot.acknowledging",
];

const CUTOVER: &[&str] = &[
    "step.MARK.done",
    "step.SETTLE.begin",
    "step.MARK_END.begin",
    "step.DRAIN.done",
    "step.COMPLETE.begin",
    "sequences.read",
    "sequences.proved",
    "step.VERIFY.done",
    "switch.committing",
    "switch.committed",
    "step.REMOVE_SOURCE.begin",
    "clean.slot_dropped",
    "step.REMOVE_LEDGER.begin",
];

/// The agent that sleeps here sleeps for longer than its lease of 15 s.
const LONG_SLEEP: (&str, Duration) = ("copy.committing", Duration::from_secs(16));

/// So long a woken agent is left to do its worst.
const WORST: Duration = Duration::from_millis(700);

fn give_to(stage: &Stage, agent: &str) -> Outcome {
    stage.migration("update", "tough", &["--agent", agent]).map(drop)
}

/// A target that remembers when each transaction was committed.
fn plan() -> Plan {
    let mut plan = Plan::default();
    let settings = format!("{}\ntrack_commit_timestamp = on\n", plan.target.settings);
    plan.target = ClusterOptions { settings, ..plan.target };
    plan
}

#[test]
fn who_wakes_up_commits_nothing() -> Outcome {
    stage::play(&plan(), |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 2)?;
        let bank = start_bank(&stage.source, "app");
        let mut hands = Relay { stage, frozen: None, number: 0 };
        let mut audited = false;
        for point in BEFORE_THE_CUTOVER {
            hands.pass_on(point)?;
            if !audited && *point == "snapshot.taken" {
                stage.target.psql_file("app", AUDIT.as_ref())?;
                audited = true;
            }
        }
        hands.pass_on_to_cutover(CUTOVER[0], || bank.stop())?;
        for point in &CUTOVER[1..] {
            hands.pass_on(point)?;
        }
        let _last = hands.finish()?;
        stage.wait_for("tough", "Succeeded")?;
        assert_no_late_commit(stage)?;
        stage.target.psql("app", "drop schema audit cascade")?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")?;
        workload::check(&mut stage.target.connect("app")?, &bank.end()?)
    })
}

/// The migration goes from agent to agent.
struct Relay<'a> {
    stage: &'a Stage,
    /// Who has it, or had it, and is frozen.
    frozen: Option<(Hand, &'static str)>,
    number: u32,
}

impl Relay<'_> {
    fn next(&mut self, points: &str) -> Outcome<Hand> {
        self.number += 1;
        self.stage.hire(&format!("hand-{}", self.number), points)
    }

    /// To one that freezes at `point`; then the one before wakes up.
    fn pass_on(&mut self, point: &'static str) -> Outcome {
        let mut next = self.next(&format!("{point}=freeze"))?;
        match &self.frozen {
            Some((before, _)) => {
                before.part();
                give_to(self.stage, &next.name)?;
            }
            None => {
                let words = ["--database", "app", "--mode", "online", "--agent", &next.name];
                self.stage.create("tough", &words)?;
            }
        }
        next.frozen()?;
        if let Some((before, its)) = self.frozen.replace((next, point)) {
            self.wake(&before, its)?;
        }
        Ok(())
    }

    fn wake(&self, hand: &Hand, point: &str) -> Outcome {
        if point == LONG_SLEEP.0 {
            thread::sleep(LONG_SLEEP.1);
        }
        hand.wake()?;
        thread::sleep(WORST);
        Ok(())
    }

    /// To one that freezes at the cutover's first point; the cutover is ordered.
    fn pass_on_to_cutover(
        &mut self,
        point: &'static str,
        stop_writes: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let mut next = self.next(&format!("{point}=freeze"))?;
        let Some((before, its)) = self.frozen.take() else { fail!("nobody is frozen") };
        before.part();
        give_to(self.stage, &next.name)?;
        self.wake(&before, its)?;
        self.stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stop_writes()?;
        self.stage.migration("cutover", "tough", &[]).map(drop)?;
        next.frozen()?;
        self.frozen = Some((next, point));
        Ok(())
    }

    /// To one that brings it home.
    fn finish(mut self) -> Outcome<Hand> {
        let next = self.next("")?;
        if let Some((before, its)) = self.frozen.take() {
            before.part();
            give_to(self.stage, &next.name)?;
            self.wake(&before, its)?;
        }
        Ok(next)
    }
}

/// By the target's own clock of commits: none of an epoch after a later one was installed.
fn assert_no_late_commit(stage: &Stage) -> Outcome {
    let late = stage.target.psql(
        "app",
        "select string_agg(distinct format('%s of epoch %s after %s was installed', n.what, n.epoch, i.installed), '; ')
         from audit.note n join audit.note i on n.epoch < i.installed
         where pg_xact_commit_timestamp(n.xid::xid) > pg_xact_commit_timestamp(i.xid::xid)",
    )?;
    ensure!(late.is_empty(), "{late}");
    let noted = stage.target.psql(
        "app",
        "select count(*) > 20 and count(distinct epoch) > 5 and count(installed) > 5 from audit.note",
    )?;
    ensure!(noted == "t", "the audit has hardly noted anything");
    Ok(())
}

/// Who carries sequences over wakes up when the application is at the target already, or about to be: its `setval` would
/// survive everything. Offline: with a change stream, the task of the stale agent ends with its stream already. `fresh` is where the one that has the work then is frozen. The laws in `broken` do not hold.
pub(crate) fn a_late_setval(stage: &Stage, fresh: &str, broken: (&str, &str)) -> Outcome {
    create_bank(&stage.source, "app")?;
    stage.source.psql("app", "create sequence ticket; select nextval('ticket')")?;
    let points = "sequences.read=freeze,step.SEQUENCES.done=freeze";
    let mut stale = stage.hire("stale", &format!("{points},{}", broken.0))?;
    stage.create("tough", &["--database", "app", "--mode", "offline", "--agent", "stale"])?;
    stale.frozen()?;
    stale.part();
    let mut next = stage.hire("next", &format!("{fresh}=freeze,{}", broken.1))?;
    give_to(stage, "next")?;
    next.frozen()?;
    let ticket = "select last_value from ticket";
    stage.target.psql("app", "select nextval('ticket') from generate_series(1, 50)")?;
    let before = stage.target.psql("app", ticket)?;
    stale.wake()?;
    wait::until("what becomes of the stale step", || {
        let log = stage.log_of("stale");
        let over = log.contains("Fenced") || log.contains("point step.SEQUENCES.done");
        Ok(over.then_some(()))
    })?;
    let after = stage.target.psql("app", ticket)?;
    ensure!(before == after, "STALE: the sequence went from {before} back to {after}");
    ensure!(stage.log_of("stale").contains("Fenced"), "STALE: a step of an older epoch was done");
    next.wake()?;
    stage.wait_for("tough", "Succeeded")
}

#[test]
fn a_setval_that_comes_too_late_is_none() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        a_late_setval(stage, "step.REMOVE_LEDGER.begin", ("", ""))
    })
}

#[test]
fn a_copied_agent_is_turned_away_by_name() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        crate::migrate_until_cutover(stage, "tough", "app")?;
        let (from, to) = (stage.folder().join("agent"), stage.folder().join("copy"));
        // A file may be given another's name while it is copied: the next look finds it whole.
        wait::until("a copy of the agent's folder", || {
            let copied = std::process::Command::new("cp").arg("-rT").args([&from, &to]).status()?;
            Ok(copied.success().then_some(()))
        })?;
        let mut copy = stage.launch_again("copy", "")?;
        let status = copy.ended()?;
        ensure!(status.code() == Some(3), "the copy ended with {status}");
        stage.logged("copy", "AgentRunsTwice")?;
        stage.source.psql("app", "update bank.accounts set owner = 'still' where id = 7")?;
        wait::until("the first one's stream", || {
            let owner = stage.target.psql("app", "select owner from bank.accounts where id = 7")?;
            Ok((owner == "still").then_some(()))
        })?;
        // A folder that has moved is no copy.
        stage.kill_agent()?;
        stage.launch_again("copy", "")?.ready()?;
        stage.cli.run(&["agent", "show", "mover", "--target", TARGET])?;
        Ok(())
    })
}
