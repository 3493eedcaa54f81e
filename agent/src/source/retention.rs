//! Watches what our slot makes the source keep: WAL piles up on it for as long as the slot does not move, during the base copy
//! and whenever the stream is slow or away. It warns on the way to a bound, the operator's or the server's own
//! (`max_slot_wal_keep_size`). At the operator's the slot is let go, before the source's disk is full. While a hold or a pause
//! stands, a task of its own does this (`task/guard.rs`).
use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use whimbrel_proto::agent::v1::CopyLimits;

use super::sender::Sender;
use crate::fault::{Doing, Fault, Policy};

/// A source that writes 1 GB/s writes five between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Percent of a bound at which it is told.
const STEPS: [u64; 3] = [50, 75, 90];

/// A step is told again only when it was left by so many percent: the WAL that is kept goes up and down with checkpoints.
const LEFT: u64 = 20;

/// WAL kept for the slot, and the bounds on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retained {
    bytes: u64,
    /// The operator's; 0: none.
    budget: u64,
    /// What the server still lets it keep more, and its bound.
    server: Option<(u64, u64)>,
}

impl Sender {
    /// Ends only when the slot was let go: with the fault that says so. `warnings` are told as they come.
    pub async fn watch_retention(
        &self,
        limits: watch::Receiver<CopyLimits>,
        warnings: &mpsc::Sender<String>,
    ) -> Fault {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = 0;
        loop {
            ticks.tick().await;
            let budget = limits.borrow().retained_wal_bytes;
            let retained = match self.retained(budget).await {
                Ok(Some(retained)) => retained,
                Ok(None) => continue,
                // Whoever works on the source learns it too, and says so.
                Err(fault) => {
                    tracing::debug!(%fault, "looking at the WAL that is kept for the slot");
                    continue;
                }
            };
            if retained.is_spent() {
                return self.let_go(retained).await;
            }
            let warning = retained.warning(&mut told);
            if let Some(warning) = warning
                && warnings.send(warning).await.is_err()
            {
                tracing::debug!("nobody listens to warnings any more");
            }
        }
    }

    async fn retained(&self, budget: u64) -> Result<Option<Retained>, Fault> {
        let slot = &self.spec.objects.slot;
        let client = self.control().await?;
        let row = client
            .query_opt(&*client.sql(include_str!("sql/retained.sql")), &[slot])
            .await
            .doing(format!("looking at the WAL that is kept for replication slot {slot}"))?;
        let bytes = |value: i64| u64::try_from(value).unwrap_or_default();
        Ok(row.map(|row| {
            let (left, bound): (Option<i64>, Option<i64>) = (row.get(1), row.get(2));
            let server = left.map(bytes).zip(bound.map(bytes));
            Retained { bytes: bytes(row.get(0)), budget, server }
        }))
    }

    async fn let_go(&self, retained: Retained) -> Fault {
        let slot = &self.spec.objects.slot;
        if let Err(fault) = self.drop_slot_if_exists().await {
            return fault;
        }
        Fault::new(
            Policy::Resync,
            "WalBudgetSpent",
            format!(
                "the source kept {} MB of WAL for replication slot {slot}, and the migration may make it keep {} MB: the slot \
                 was dropped",
                retained.bytes >> 20,
                retained.budget >> 20
            ),
        )
        .remedy(
            "when the source has room: `whimbrel migration update --max-retained-wal SIZE`, then `whimbrel migration retry`: a \
             new slot is made, and every table whose rows are not the source's any more is copied again",
        )
    }
}

impl Retained {
    fn is_spent(self) -> bool {
        self.budget > 0 && self.bytes >= self.budget
    }

    /// How far it is to the nearer of the bounds, in percent.
    fn percent(self) -> Option<u64> {
        let of_budget = self.bytes.saturating_mul(100).checked_div(self.budget);
        let of_server = self.server.and_then(|(left, bound)| {
            bound.saturating_sub(left).saturating_mul(100).checked_div(bound)
        });
        of_budget.max(of_server)
    }

    /// What to tell, once for each step; `told` is the last one.
    fn warning(self, told: &mut u64) -> Option<String> {
        let percent = self.percent()?;
        let step = STEPS.into_iter().rev().find(|step| percent >= *step).unwrap_or_default();
        if step <= *told {
            if percent + LEFT < *told {
                *told = step;
            }
            return None;
        }
        *told = step;
        let budget = match self.budget {
            0 => String::new(),
            bytes => format!("; at {} MB the migration lets go of its slot", bytes >> 20),
        };
        let server = match self.server {
            None => String::new(),
            Some((left, bound)) => format!(
                "; the server takes the slot its WAL away after {} MB more (max_slot_wal_keep_size {} MB)",
                left >> 20,
                bound >> 20
            ),
        };
        Some(format!(
            "the source keeps {} MB of WAL for the migration's slot, {percent} % of what it may{budget}{server}",
            self.bytes >> 20
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(budget: u64, server: Option<u64>, megabytes: &[u64]) -> Vec<bool> {
        let mut told = 0;
        megabytes
            .iter()
            .map(|mb| {
                let bytes = mb << 20;
                let server = server.map(|bound| ((bound << 20).saturating_sub(bytes), bound << 20));
                Retained { bytes, budget: budget << 20, server }.warning(&mut told).is_some()
            })
            .collect()
    }

    #[test]
    fn each_step_to_the_nearer_bound_is_told_once() {
        let way = [10, 50, 60, 75, 74, 80, 90, 99, 88, 91, 20, 50];
        let steps =
            [false, true, false, true, false, false, true, false, false, false, false, true];
        assert_eq!(told(100, None, &way), steps);
        assert_eq!(told(0, Some(100), &way), steps);
        assert_eq!(told(1000, Some(100), &way), steps);
        assert_eq!(told(100, Some(1000), &way), steps);
        assert_eq!(told(0, None, &way), [false; 12]);
    }

    #[test]
    fn only_the_operators_bound_lets_the_slot_go() {
        let retained = |budget| Retained { bytes: 100, budget, server: Some((0, 10)) };
        assert!(retained(100).is_spent());
        assert!(!retained(101).is_spent() && !retained(0).is_spent());
    }
}
