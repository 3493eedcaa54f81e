//! A copy that makes way: while others keep the source's server at work, it takes half of the workers that it would choose for
//! itself. What an operator chose is never changed.
use std::{collections::VecDeque, convert::Infallible, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{
    fault::Fault,
    target::{fact::Fact, receive::Receiver},
    wire::{Answer, Ask, unexpected_answer},
};

/// How often the source is asked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often before the first rows are copied: by then it is to be known.
const FIRST_LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Looks that are put together: a moment says little.
const LOOKS: usize = 8;

/// Looks before anything is concluded.
const LOOKS_MIN: usize = 4;

/// What was seen lately.
#[derive(Debug, Default)]
pub(in crate::target) struct Others {
    /// Sessions at work, the newest last.
    active: VecDeque<u32>,
    busy: bool,
}

impl Others {
    /// One look more. Busy: on average at least as many of others' sessions are at work as we would have workers; no more when
    /// they are fewer than half of that, lest it changes all the time.
    fn look(&mut self, active: u32, workers: usize) -> bool {
        self.active.push_back(active);
        if self.active.len() > LOOKS {
            self.active.pop_front();
        }
        if self.active.len() >= LOOKS_MIN {
            let (sum, looks) = (self.sum(), self.active.len());
            let enough = workers * looks;
            self.busy = if self.busy { sum * 2 >= enough } else { sum >= enough };
        }
        self.busy
    }

    fn sum(&self) -> usize {
        self.active
            .iter()
            .map(|active| usize::try_from(*active).unwrap_or(usize::MAX / LOOKS))
            .sum()
    }
}

impl Receiver {
    /// Some looks in quick succession, while something else goes on before the copy.
    pub(super) async fn first_look_at_others(&self) -> Others {
        let mut others = Others::default();
        self.look(&mut others).await;
        for _ in 1..LOOKS_MIN {
            sleep(FIRST_LOOKS_EVERY).await;
            self.look(&mut others).await;
        }
        others
    }

    /// Looks at the source for as long as the copy lasts, and says whether to make way.
    pub(super) async fn look_at_others(
        &self,
        mut others: Others,
        makes_way: watch::Sender<bool>,
    ) -> Infallible {
        let mut told = false;
        loop {
            let busy = others.busy && self.limits.is_free();
            makes_way.send_if_modified(|way| std::mem::replace(way, busy) != busy);
            if busy && !told {
                told = true;
                self.tell_of_others().await;
            }
            sleep(LOOK_EVERY).await;
            self.look(&mut others).await;
        }
    }

    async fn look(&self, others: &mut Others) {
        match self.others_at_work().await {
            Ok(active) => {
                others.look(active, self.limits.jobs());
            }
            // Only the pace hangs on it. A source that is away stops the copies themselves, with the cause.
            Err(fault) => tracing::debug!(%fault, "could not ask how busy the source is"),
        }
    }

    async fn others_at_work(&self) -> Result<u32, Fault> {
        match self.caller.ask(Ask::Load).await? {
            Answer::Load(active) => Ok(active),
            _ => Err(unexpected_answer()),
        }
    }

    async fn tell_of_others(&self) {
        let all = self.limits.jobs();
        let fewer = self.limits.beside_others(all);
        let text = format!(
            "others keep at least {all} sessions of the source's server at work: {fewer} instead of {all} parts are copied at once \
             while they do (migration update --copy-jobs sets another number, for good)"
        );
        self.tell(Fact::Milestone("CopyMakesWay", text)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_not_busy_and_a_while_is() {
        let mut others = Others::default();
        assert!(!others.look(100, 2) && !others.look(100, 2) && !others.look(0, 2));
        assert!(others.look(0, 2), "on average");
        let mut others = Others::default();
        for _ in 0..20 {
            assert!(!others.look(1, 2), "fewer than we would have workers");
        }
    }

    #[test]
    fn it_ends_when_others_are_few() {
        let mut others = Others::default();
        for _ in 0..8 {
            others.look(4, 4);
        }
        let looks: Vec<bool> = (0..8).map(|_| others.look(2, 4)).collect();
        assert_eq!(looks, [true; 8], "half as many are enough to go on");
        let looks: Vec<bool> = (0..8).map(|_| others.look(0, 4)).collect();
        assert_eq!(looks, [false; 8]);
    }
}
