//! Chance that can be had again: everything random in a storm comes from one number, which is printed.
use std::{ops::Range, time::Duration};

use crate::{Context, Outcome};

/// Names the number that a storm begins with.
pub const SEED: &str = "WHIMBREL_SEED";

/// A generator (xorshift64*): a fault needs no better chance.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike, and zero must not stay zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03 | 1)
    }

    /// The seed of this run: what [`SEED`] says, or `usual`.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn seed(usual: u64) -> Outcome<u64> {
        match std::env::var(SEED) {
            Ok(text) => text.parse().context(|| format!("{SEED}={text:?} is not a number")),
            Err(_) => Ok(usual),
        }
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % bound.max(1)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A time, in milliseconds.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        let width = range.end.saturating_sub(range.start).max(1);
        Duration::from_millis(range.start + (self.next() >> 16) % width)
    }

    /// One of them; all are as likely.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..50).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(0)[10..], draw(0)[..40]);
    }
}
