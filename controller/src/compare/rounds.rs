//! Looks again at what differs, until it is equal, or stays different, or will not stand still.
//!
//! The target is looked at when its ledger is behind all that the source's look saw. So a chunk that differs and is the
//! same in several looks in a row, on both sides, differs for good: had the source changed it meanwhile, it would show.
use std::{collections::BTreeMap, time::Duration};

use whimbrel_proto::agent::v1::SumTable;

use super::{
    CompareError, Pair, Standing,
    data::Subject,
    sums::{Found, How, Look, Sum, Sums, Want, look},
};

/// Looks at what differs while the stream flows. A row that was changed before each of them is changed all the time.
const ROUNDS: u32 = 7;

/// So often in a row the same: a value that the application switches to and fro looks so by chance only.
const CONFIRMED: u32 = 4;

/// Before the second look; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(50);

/// And at most so long.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// A division of a table's rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Division {
    /// Place of the table.
    pub(super) at: usize,
    /// As `SumTable.chunks`.
    pub(super) chunks: u64,
    /// As `SumTable.within_chunks`.
    pub(super) within_chunks: u64,
    /// As `SumTable.within`.
    pub(super) within: Vec<u64>,
    /// Stop looking again when no more rows than these are left to be told apart.
    pub(super) enough: u64,
}

/// What became of a division.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) source: Sums,
    pub(super) target: Sums,
    /// Differ for good.
    pub(super) differing: Vec<u64>,
    /// Differed at each look, in another way each time.
    pub(super) changing: Vec<u64>,
    pub(super) failure: Option<(String, String)>,
}

/// A chunk that differed: how it was, and how often in a row.
#[derive(Clone, Copy, PartialEq)]
struct Seen {
    source: Sum,
    target: Sum,
    times: u32,
}

struct Open {
    division: Division,
    settled: Settled,
    seen: BTreeMap<u64, Seen>,
    over: bool,
}

/// Settles each division.
pub(super) async fn settle(
    pair: &Pair,
    subjects: &[Subject],
    salt: i64,
    divisions: Vec<Division>,
) -> Result<Vec<Settled>, CompareError> {
    let mut all: Vec<Open> = divisions.into_iter().map(Open::new).collect();
    let following = pair.standing == Standing::Following;
    let mut pause = PAUSE;
    for round in 0..ROUNDS {
        let open: Vec<usize> = (0..all.len()).filter(|&i| !all[i].over).collect();
        if open.is_empty() {
            break;
        }
        if round > 0 {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        let wanted: Vec<Division> = open.iter().map(|&i| all[i].wanted()).collect();
        let (source, target) = look_at_both(pair, subjects, salt, &wanted).await?;
        for ((&i, source), target) in open.iter().zip(source.tables).zip(target.tables) {
            all[i].take(source, target, following);
        }
    }
    Ok(all.into_iter().map(Open::end).collect())
}

/// The source first; both at once where neither waits for the other.
async fn look_at_both(
    pair: &Pair,
    subjects: &[Subject],
    salt: i64,
    divisions: &[Division],
) -> Result<(Look, Look), CompareError> {
    let how = How { salt, common_version: pair.common_version(), after_lsn: 0 };
    let wants = |pages: fn(&Subject) -> u64| -> Vec<Want> {
        divisions.iter().map(|division| want(division, &subjects[division.at], pages)).collect()
    };
    let (ours, theirs) =
        (wants(|subject| subject.source_pages), wants(|subject| subject.target_pages));
    if pair.standing == Standing::Apart {
        return tokio::try_join!(look(&pair.source, &ours, how), look(&pair.target, &theirs, how));
    }
    let source = look(&pair.source, &ours, how).await?;
    let how = How { after_lsn: source.lsn, ..how };
    let target = look(&pair.target, &theirs, how).await?;
    Ok((source, target))
}

fn want(division: &Division, subject: &Subject, pages: fn(&Subject) -> u64) -> Want {
    let table = SumTable {
        schema: subject.schema.clone(),
        name: subject.name.clone(),
        columns: subject.columns.clone(),
        key: subject.key.clone(),
        chunks: division.chunks,
        within_chunks: division.within_chunks,
        within: division.within.clone(),
        ..SumTable::default()
    };
    Want { table, pages: pages(subject) }
}

impl Open {
    fn new(division: Division) -> Self {
        Self { division, settled: Settled::default(), seen: BTreeMap::new(), over: false }
    }

    /// All of it the first time; then what differed.
    fn wanted(&self) -> Division {
        if self.seen.is_empty() {
            return self.division.clone();
        }
        Division {
            within_chunks: self.division.chunks,
            within: self.seen.keys().copied().collect(),
            ..self.division.clone()
        }
    }

    fn take(&mut self, source: Found, target: Found, following: bool) {
        if let Some(failure) = source.failure.or(target.failure) {
            self.settled.failure = Some(failure);
            self.over = true;
            return;
        }
        if self.seen.is_empty() {
            (self.settled.source, self.settled.target) = (source.sums, target.sums);
            let chunks: Vec<u64> =
                self.settled.source.keys().chain(self.settled.target.keys()).copied().collect();
            for chunk in chunks {
                self.look_at(chunk);
            }
        } else {
            for chunk in self.seen.keys().copied().collect::<Vec<_>>() {
                put(&mut self.settled.source, chunk, source.sums.get(&chunk));
                put(&mut self.settled.target, chunk, target.sums.get(&chunk));
                self.look_at(chunk);
            }
        }
        let few = self.division.enough > 0 && self.rows_left() <= self.division.enough;
        self.over = !following || few || self.seen.values().all(|seen| seen.times >= CONFIRMED);
    }

    fn look_at(&mut self, chunk: u64) {
        let sum = |sums: &Sums| sums.get(&chunk).copied().unwrap_or_default();
        let (source, target) = (sum(&self.settled.source), sum(&self.settled.target));
        if source == target {
            self.seen.remove(&chunk);
            return;
        }
        let before = self.seen.get(&chunk);
        let same = before.is_some_and(|seen| (seen.source, seen.target) == (source, target));
        let times = if same { before.map_or(0, |seen| seen.times + 1) } else { 0 };
        self.seen.insert(chunk, Seen { source, target, times });
    }

    fn rows_left(&self) -> u64 {
        self.seen.values().map(|seen| seen.source.0.max(seen.target.0)).sum()
    }

    fn end(mut self) -> Settled {
        // Where nothing flows there is one look: what differs there is told as changing too, and the caller knows.
        for (chunk, seen) in &self.seen {
            let for_good = seen.times >= CONFIRMED;
            if for_good { &mut self.settled.differing } else { &mut self.settled.changing }
                .push(*chunk);
        }
        self.settled
    }
}

fn put(sums: &mut Sums, chunk: u64, sum: Option<&Sum>) {
    match sum {
        Some(sum) => sums.insert(chunk, *sum),
        None => sums.remove(&chunk),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(chunks: &[(u64, i128)]) -> Found {
        Found { sums: chunks.iter().map(|&(c, s)| (c, (1, s))).collect(), ..Found::default() }
    }

    #[test]
    fn what_stays_different_differs_and_what_changes_does_not() {
        let mut open = Open::new(Division { chunks: 8, ..Division::default() });
        open.take(found(&[(1, 1), (2, 2), (3, 3)]), found(&[(1, 1), (2, 9), (3, 4)]), true);
        assert_eq!(open.wanted().within, [2, 3]);
        for round in 0..5 {
            open.take(found(&[(2, 2), (3, 10 + round)]), found(&[(2, 9), (3, 5 + round)]), true);
        }
        assert!(!open.over);
        let settled = open.end();
        assert_eq!((settled.differing, settled.changing), (vec![2], vec![3]));
    }

    #[test]
    fn what_the_stream_brings_is_equal() {
        let mut open = Open::new(Division { chunks: 8, ..Division::default() });
        open.take(found(&[(1, 1)]), found(&[(1, 2), (4, 4)]), true);
        open.take(found(&[(1, 2)]), found(&[(1, 2)]), true);
        assert!(open.over);
        let settled = open.end();
        assert!(settled.differing.is_empty() && settled.changing.is_empty());
        assert_eq!(settled.source, settled.target);
    }
}
