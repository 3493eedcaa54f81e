//! Sums of tables' rows on one side: questions of bounded work, their answers added up.
use std::collections::BTreeMap;

use whimbrel_proto::agent::v1 as link;

use super::{CompareError, side::Side};

/// Pages in one question: 256 MB of heap, seconds of work.
const PAGES_MAX: u64 = 32_768;

/// Tables in one question: each is a statement.
const TABLES_MAX: usize = 200;

/// Rows and the sum of their hashes.
pub(super) type Sum = (u64, i128);

/// By chunk.
pub(super) type Sums = BTreeMap<u64, Sum>;

/// What to sum of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Want {
    /// As the agents know it; its pages are this side's.
    pub(super) table: link::SumTable,
    /// Heap pages on this side.
    pub(super) pages: u64,
}

/// What was found of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) sums: Sums,
    /// Why it could not be looked at.
    pub(super) failure: Option<(String, String)>,
}

/// One look at one side.
pub(super) struct Look {
    /// In the order of what was wanted.
    pub(super) tables: Vec<Found>,
    /// Behind everything that was seen.
    pub(super) lsn: u64,
}

/// How a look is made.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) salt: i64,
    pub(super) common_version: u32,
    pub(super) after_lsn: u64,
}

/// Looks at the tables.
pub(super) async fn look(side: &Side, wants: &[Want], how: How) -> Result<Look, CompareError> {
    let mut look = Look { tables: vec![Found::default(); wants.len()], lsn: 0 };
    for question in questions(wants) {
        let tables = question.iter().map(|(_, table)| table.clone()).collect();
        let asked = link::SumRows {
            tables,
            salt: how.salt,
            common_version: how.common_version,
            after_lsn: how.after_lsn,
            ..Default::default()
        };
        let answer = side.sums(asked).await?;
        look.lsn = look.lsn.max(answer.lsn);
        for ((at, _), sums) in question.iter().zip(answer.tables) {
            add(&mut look.tables[*at], sums);
        }
    }
    Ok(look)
}

/// Each a list of (place in `wants`, table with its range of pages).
fn questions(wants: &[Want]) -> Vec<Vec<(usize, link::SumTable)>> {
    let mut questions = Vec::new();
    let mut question = Vec::new();
    let mut pages = 0;
    for (at, want) in wants.iter().enumerate() {
        let mut from = 0;
        loop {
            let rest = want.pages.saturating_sub(from);
            let last = rest <= PAGES_MAX;
            let to = if last { 0 } else { from + PAGES_MAX };
            question
                .push((at, link::SumTable { page_from: from, page_to: to, ..want.table.clone() }));
            pages += rest.min(PAGES_MAX);
            if pages >= PAGES_MAX || question.len() >= TABLES_MAX {
                questions.push(std::mem::take(&mut question));
                pages = 0;
            }
            if last {
                break;
            }
            from = to;
        }
    }
    if !question.is_empty() {
        questions.push(question);
    }
    questions
}

fn add(found: &mut Found, sums: link::TableSums) {
    if !sums.code.is_empty() {
        found.failure = Some((sums.code, sums.message));
    }
    if sums.cut {
        found.failure = Some((String::new(), "it has more chunks than an answer holds".to_owned()));
    }
    let values = sums.rows.into_iter().zip(sums.sum);
    for (chunk, (rows, sum)) in sums.chunk.into_iter().zip(values) {
        let all = found.sums.entry(chunk).or_default();
        all.0 += rows;
        // A number that is none changes the sum: it is the agent's mistake, and shows as a difference.
        all.1 = all.1.wrapping_add(sum.parse().unwrap_or(i128::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(pages: u64) -> Want {
        Want { pages, ..Want::default() }
    }

    #[test]
    fn a_large_table_is_asked_for_in_ranges_and_small_ones_together() {
        let asked = questions(&[want(10), want(70_000), want(5), want(0)]);
        let shape: Vec<Vec<(usize, u64, u64)>> = asked
            .iter()
            .map(|q| q.iter().map(|(at, t)| (*at, t.page_from, t.page_to)).collect())
            .collect();
        assert_eq!(
            shape,
            [
                vec![(0, 0, 0), (1, 0, 32_768)],
                vec![(1, 32_768, 65_536)],
                vec![(1, 65_536, 0), (2, 0, 0), (3, 0, 0)],
            ]
        );
        assert_eq!(questions(&vec![want(0); 450]).len(), 3);
    }

    #[test]
    fn ranges_add_up() {
        let mut found = Found::default();
        let part = |sum: &str| link::TableSums {
            chunk: vec![3],
            rows: vec![2],
            sum: vec![sum.to_owned()],
            ..Default::default()
        };
        add(&mut found, part("9223372036854775807"));
        add(&mut found, part("9223372036854775807"));
        assert_eq!(found.sums[&3], (4, 18_446_744_073_709_551_614));
    }
}
