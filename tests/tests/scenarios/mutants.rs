//! The tests see: programs in which one law does not hold, and what the tests that guard it say then.
use std::time::Duration;

use whimbrel_tests::{
    Outcome, ensure,
    stage::{self, Plan},
    storm::Witness,
    wait,
};

use crate::{create_bank, fencing::a_late_setval, migrate_until_cutover, start_bank};

/// A witness looks several times a second.
const WITNESS_BOUND: Duration = Duration::from_secs(60);

fn objects(found: Outcome, words: &str) -> Outcome {
    match found {
        Ok(()) => whimbrel_tests::fail!("a law was taken away, and nothing was seen of it"),
        Err(failure) => {
            ensure!(failure.to_string().contains(words), "seen, but as something else: {failure}");
            Ok(())
        }
    }
}

#[test]
fn without_the_fence() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let broken = ("fence=break", "");
        objects(a_late_setval(stage, "step.REMOVE_LEDGER.begin", broken), "STALE: the sequence")
    })
}

#[test]
fn with_an_epoch_that_is_used_again() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let broken = ("", "new-epoch=break");
        objects(a_late_setval(stage, "step.VERIFY.begin", broken), "STALE:")
    })
}

#[test]
fn with_positions_acknowledged_before_they_are_applied() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.kill_agent()?;
        "acknowledge-applied=break".clone_into(&mut stage.agent_points);
        stage.start_agent(&[])?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "broken", "app")?;
        // The apply stands still from here on, and the ledger with it; readers pass.
        let mut client = stage.target.connect("app")?;
        let mut hurdle = client.transaction()?;
        hurdle.batch_execute("lock table bank.accounts in share mode")?;
        let witness = Witness::start(&stage.source.url("app"), &stage.target.url("app"));
        let called = wait::until_within(WITNESS_BOUND, "the witness to call", || {
            Ok(witness.has_called().then_some(()))
        });
        hurdle.rollback()?;
        drop(bank);
        called?;
        objects(witness.end().map(drop), "ahead of the ledger")
    })
}

#[test]
fn with_a_marker_that_nobody_waits_behind() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.kill_agent()?;
        "settle=break".clone_into(&mut stage.agent_points);
        stage.start_agent(&[])?;
        migrate_until_cutover(stage, "broken", "app")?;
        let mut client = stage.source.connect("app")?;
        let mut open = client.transaction()?;
        // Had it written, the switch would have seen it, too.
        open.query("select count(*) from bank.accounts", &[])?;
        stage.migration("cutover", "broken", &["--wait"])?;
        open.batch_execute("update bank.accounts set owner = 'open' where id = 1")?;
        open.commit()?;
        objects(stage.assert_same("app"), "accounts")
    })
}
