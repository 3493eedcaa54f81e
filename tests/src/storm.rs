//! A storm: whatever can be killed, frozen, cut or crashed is, again and again, while a migration runs and an application
//! writes. What happens comes from a seed; when exactly it hits does not, so a seed is run more than once.
//!
//! A migration may stand still in a storm and say why (a hold, of a kind that time brings); the storm's operator tells it
//! to go on. What it may not do is lose, double, tear or reorder a row: a [`Witness`] looks while it flies.
mod fault;
mod operator;
mod witness;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use fault::Fault;
pub use witness::Witness;

use crate::{Failure, Outcome, chance::Chance, ensure, proxy::Weather, stage::Stage};

/// Between two faults: sometimes hardly time to begin anything, sometimes time to get somewhere.
const LULLS: [std::ops::Range<u64>; 3] = [20..200, 200..1_000, 1_000..3_000];

/// A storm over one migration.
pub struct Storm {
    chance: Chance,
    name: String,
    /// What happened, for a person: with the seed it says how to have it again.
    pub log: Vec<String>,
    /// Faults till now.
    pub faults: usize,
    /// Holds that the operator ended, by code.
    pub holds: Vec<String>,
    began: Instant,
}

impl Storm {
    /// Over the migration `name`.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let chance = Chance::new(seed);
        let (log, holds) = (vec![format!("seed {seed}")], Vec::new());
        Self { chance, name: name.to_owned(), log, faults: 0, holds, began: Instant::now() }
    }

    /// Chance of the same seed.
    pub fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    fn note(&mut self, what: &str) {
        let at = self.began.elapsed().as_secs_f64();
        self.log.push(format!("{at:7.2} {what}"));
    }

    /// Faults of `menu`, one after the other, for so long; `watch` looks between them.
    ///
    /// # Errors
    /// What `watch` found, or what should not have happened: with the storm's log.
    pub fn rage(
        &mut self,
        stage: &mut Stage,
        menu: &[Fault],
        length: Duration,
        mut watch: impl FnMut(&mut Stage) -> Outcome,
    ) -> Outcome {
        let end = Instant::now() + length;
        while Instant::now() < end {
            let range = self.chance.pick(&LULLS).clone();
            thread::sleep(self.chance.millis(range));
            let fault = *self.chance.pick(menu);
            self.note(&format!("{fault:?}"));
            self.faults += 1;
            let struck = fault.strike(stage, &self.name, &mut self.chance);
            struck.and_then(|()| watch(stage)).map_err(|failure| self.told(&failure))?;
            // Once it is over, a crash of the source makes its sequences jump, and ours must not follow.
            if self.end_hold(stage)? {
                break;
            }
        }
        self.calm(stage)
    }

    /// Mends everything: lines are clear, and what must run runs.
    ///
    /// # Errors
    /// When a program has ended that nobody killed.
    pub fn calm(&mut self, stage: &mut Stage) -> Outcome {
        self.note("calm");
        for line in stage.lines.iter().flat_map(|lines| lines.all()) {
            line.set(Weather::Clear);
        }
        for (name, program) in [("controller", &mut stage.controller), ("agent", &mut stage.agent)]
        {
            let program = program.as_mut().ok_or_else(|| Failure::new("nothing runs"))?;
            let ended = program.has_ended()?;
            ensure!(ended.is_none(), "the {name} ended by itself: {ended:?}\n{}", self.text());
        }
        Ok(())
    }

    fn text(&self) -> String {
        self.log.join("\n")
    }

    fn told(&self, failure: &Failure) -> Failure {
        Failure::new(format!("{failure}\nThe storm:\n{}", self.text()))
    }
}
