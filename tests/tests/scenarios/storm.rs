//! Storms: whatever happens, in whatever order, no row is lost, doubled or torn. `WHIMBREL_SEED` gives the seed,
//! `WHIMBREL_STORM_SECONDS` how long the copy and the stream are shaken (the cutover has a third of it on top), and
//! `WHIMBREL_STORM_ROUNDS` how many migrations of several databases go through it, one after the other.
use std::{env, time::Duration};

use whimbrel_tests::{
    Context as _, Outcome,
    chance::Chance,
    cli, ensure, pgbench,
    stage::{self, Plan, Stage},
    storm::{Fault, Storm, Witness},
    workload::{self, Application},
};

use crate::{create_bank, start_bank};

/// With the cutover's share and the way home below a minute, on a machine that does something else too.
const SECONDS_USUAL: u64 = 18;

fn length() -> Outcome<Duration> {
    let seconds = match env::var("WHIMBREL_STORM_SECONDS") {
        Ok(text) => text.parse().context(|| format!("WHIMBREL_STORM_SECONDS={text:?}"))?,
        Err(_) => SECONDS_USUAL,
    };
    Ok(Duration::from_secs(seconds))
}

fn watched(witness: &Witness) -> Outcome {
    ensure!(!witness.has_called(), "the witness has seen something: see what it says");
    Ok(())
}

#[test]
fn a_migration_flies_through_a_storm() -> Outcome {
    let (seed, length) = (Chance::seed(1)?, length()?);
    println!("WHIMBREL_SEED={seed}");
    let plan = Plan { proxied: true, ..Plan::default() };
    stage::play(&plan, |stage| {
        create_bank(&stage.source, "app")?;
        pgbench::create(&stage.source, "app", 5)?;
        let mut storm = Storm::new(seed, "tough");
        let bank = start_bank(&stage.source, "app");
        let witness = Witness::start(&stage.source.url("app"), &stage.target.url("app"));
        stage.create("tough", &["--database", "app", "--mode", "online"])?;
        // A check that met a server that was away five times ends a migration, loudly: that is no storm's finding.
        stage.cli.shown_until("tough", "the base copy", |shown| {
            cli::substate(shown) == "MigratingData"
        })?;
        let flown = fly(stage, &mut storm, &witness, &bank, length);
        let seen = witness.end();
        println!("{}\n{seen:?}", storm.log.join("\n"));
        let seen = seen?;
        flown?;
        ensure!(seen.looks > 0, "the witness saw nothing");
        stage.assert_same_after_crashes("app")?;
        stage.assert_source_clean("app")?;
        let journal = bank.end()?;
        workload::check(&mut stage.target.connect("app")?, &journal)
    })
}

fn fly(
    stage: &mut Stage,
    storm: &mut Storm,
    witness: &Witness,
    bank: &Application,
    length: Duration,
) -> Outcome {
    storm.rage(stage, Fault::ALL, length, |_| watched(witness))?;
    storm.bring_home(stage, "WaitingForCutoverTrigger", false)?;
    bank.stop()?;
    // A cutover under way is the storm's best time.
    storm.try_cutover(stage)?;
    storm.rage(stage, Fault::ALL, length / 3, |_| watched(witness))?;
    storm.bring_home(stage, "Succeeded", true)
}

/// Migrations of several databases, one after the other.
fn rounds() -> Outcome<u64> {
    match env::var("WHIMBREL_STORM_ROUNDS") {
        Ok(text) => text.parse().context(|| format!("WHIMBREL_STORM_ROUNDS={text:?}")),
        Err(_) => Ok(1),
    }
}

#[test]
fn several_databases_fly_through_a_storm_and_one_is_cancelled() -> Outcome {
    let (seed, length) = (Chance::seed(2)?, length()? / 2);
    println!("WHIMBREL_SEED={seed}");
    let plan = Plan { proxied: true, ..Plan::default() };
    stage::play(&plan, |stage| {
        for round in 0..rounds()? {
            let mut storm = Storm::new(seed.wrapping_add(round), &format!("tough-{round}"));
            let flown = fly_together(stage, &mut storm, round, length);
            println!("{}\nround {round} {}", storm.log.join("\n"), flown.is_ok());
            flown?;
        }
        Ok(())
    })
}

/// One migration: of one database with a large table, one with a small bank, and one that is given up on the way.
fn fly_together(stage: &mut Stage, storm: &mut Storm, round: u64, length: Duration) -> Outcome {
    let names = ["big", "kept", "left"].map(|name| format!("{name}{round}"));
    let [big, kept, left] = names.each_ref().map(String::as_str);
    for name in [big, kept, left] {
        create_bank(&stage.source, name)?;
    }
    pgbench::create(&stage.source, big, 3)?;
    let banks = [big, kept, left].map(|name| start_bank(&stage.source, name));
    let look = |name: &str| Witness::start(&stage.source.url(name), &stage.target.url(name));
    let witnesses = [big, kept].map(look);
    let databases = [big, kept, left].map(|name| ["--database", name]).concat();
    let created = [&databases[..], &["--mode", "online"]].concat();
    stage.create(&format!("tough-{round}"), &created)?;
    stage.cli.shown_until(&format!("tough-{round}"), "the base copy", |shown| {
        cli::substate(shown) == "MigratingData"
    })?;
    let watch = |_: &mut Stage| witnesses.iter().try_for_each(watched);
    let flown = (|| {
        // At any time, from before the first row to when it waits for its cutover.
        let before = storm.chance().millis(0..u64::try_from(length.as_millis())?);
        storm.rage(stage, Fault::ALL, before, watch)?;
        storm.cancel(stage, left)?;
        storm.rage(stage, Fault::ALL, length - before, watch)?;
        let waits = "WaitingForCutoverTrigger";
        storm.bring_each(stage, &[(big, waits), (kept, waits), (left, "Canceled")], false)?;
        banks.iter().try_for_each(Application::stop)?;
        storm.try_cutover(stage)?;
        storm.rage(stage, Fault::ALL, length / 3, watch)?;
        storm.bring_each(stage, &[(big, "Succeeded"), (kept, "Succeeded")], true)
    })();
    for witness in witnesses {
        println!("{:?}", witness.end()?);
    }
    flown?;
    let [bank_of_big, bank_of_kept, _] = banks;
    for (name, bank) in [(big, bank_of_big), (kept, bank_of_kept)] {
        stage.assert_same_after_crashes(name)?;
        workload::check(&mut stage.target.connect(name)?, &bank.end()?)?;
    }
    for name in [big, kept, left] {
        stage.assert_source_clean(name)?;
    }
    Ok(())
}
