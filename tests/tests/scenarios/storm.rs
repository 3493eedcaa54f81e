//! Storms: whatever happens, in whatever order, no row is lost, doubled or torn. `WHIMBREL_SEED` gives the seed, and
//! `WHIMBREL_STORM_SECONDS` how long the copy and the stream are shaken (the cutover has a third of it on top).
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
        stage.assert_same("app")?;
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
