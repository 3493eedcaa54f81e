//! Sequences: their values, and how those of two sides differ.
use std::fmt::Write as _;

use futures_util::future::try_join_all;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, literal, qualified},
    selection::Selected,
    wire::SequenceValue,
};

/// Sequences read by one statement: each is a table to PostgreSQL, and planning a UNION ALL of them takes time by the square of their
/// number (15.18: 500 take 65 ms, 25 half a millisecond).
const SEQUENCES: usize = 25;

/// Statements on their way at once: a thousand sequences take three round trips, not forty.
const STATEMENTS: usize = 16;

/// `SEQ_LOG_VALS` of PostgreSQL's sequence.c, the same in every version: so many draws WAL is ahead of `last_value`, at most.
/// What sessions have cached does not add to it: `last_value` is behind that already.
const LOGGED_AHEAD: i128 = 32;

/// Every chosen sequence's value now, ordered by name.
///
/// # Errors
/// The server's.
pub async fn sequence_values(
    client: &Client,
    selected: &Selected,
) -> Result<Vec<SequenceValue>, Fault> {
    let doing = "reading the sequences";
    let sql = selected.sql(include_str!("sequences.sql"));
    let names = client.query(&*client.sql(&sql), &[]).await.doing(doing)?;
    let names: Vec<(String, String, i64)> =
        names.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let statements: Vec<String> = names.chunks(SEQUENCES).map(statement).collect();
    let mut values = Vec::with_capacity(names.len());
    for some in statements.chunks(STATEMENTS) {
        let mut asked = Vec::with_capacity(some.len());
        for sql in some {
            asked.push(client.query(sql, &[]));
        }
        for row in try_join_all(asked).await.doing(doing)?.into_iter().flatten() {
            values.push(SequenceValue {
                name: (row.get(0), row.get(1)),
                last_value: row.get(2),
                is_called: row.get(3),
                log_cnt: row.get(4),
                increment: row.get(5),
            });
        }
    }
    values.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(values)
}

fn statement(names: &[(String, String, i64)]) -> String {
    let mut statement = String::new();
    for (at, (schema, name, increment)) in names.iter().enumerate() {
        let union = if at == 0 { "" } else { " union all " };
        // Writing to a String can't fail.
        write!(
            statement,
            "{union}select {}, {}, last_value, is_called, log_cnt, {increment}::int8 from {}",
            literal(schema),
            literal(name),
            qualified(schema, name)
        )
        .ok();
    }
    statement
}

/// The first sequence that is not the same on both sides, in words. Both lists are ordered by name.
pub fn sequence_difference(source: &[SequenceValue], target: &[SequenceValue]) -> Option<String> {
    if let Some((source, target)) = source.iter().zip(target).find(|(a, b)| differ(a, b)) {
        if source.name != target.name {
            let name = source.name.clone().min(target.name.clone());
            return Some(format!("{}.{} is on one side only", name.0, name.1));
        }
        return Some(format!(
            "{}.{} is at {} on the source, at {} on the target",
            source.name.0, source.name.1, source.last_value, target.last_value
        ));
    }
    (source.len() != target.len())
        .then(|| format!("the source has {} sequences, the target {}", source.len(), target.len()))
}

fn differ(a: &SequenceValue, b: &SequenceValue) -> bool {
    (&a.name, a.last_value, a.is_called) != (&b.name, b.last_value, b.is_called)
}

/// The sequences that differ, as the source has them, if a crash of the source explains each difference; otherwise none.
///
/// WAL has a sequence up to [`LOGGED_AHEAD`] draws ahead, and with `log_cnt = 0`; that is what is there after a crash, until
/// somebody draws. A draw leaves `log_cnt = 0` only each 33rd time, and a `setval` always: one to a number that a crash could
/// have left is not told from a crash, any other is seen. Its value is the source's, so to carry it is right; what else was
/// written is seen by its rows, where there is a stream.
pub fn jumped(source: &[SequenceValue], target: &[SequenceValue]) -> Vec<SequenceValue> {
    let pairs = || source.iter().zip(target).filter(|(a, b)| differ(a, b));
    if source.len() != target.len() || !pairs().all(|(source, target)| leapt(source, target)) {
        return Vec::new();
    }
    pairs().map(|(source, _)| source.clone()).collect()
}

/// Whether a crash takes it from what was carried to what is there. The target's increment counts: a source before 10 has
/// told none.
fn leapt(source: &SequenceValue, target: &SequenceValue) -> bool {
    let (way, ahead) = (
        i128::from(target.increment),
        i128::from(source.last_value) - i128::from(target.last_value),
    );
    // One that was never drawn from is not ahead in WAL.
    let drawn = source.is_called && target.is_called && source.log_cnt == 0;
    source.name == target.name
        && drawn
        && way != 0
        && ahead % way == 0
        && (1..=LOGGED_AHEAD).contains(&(ahead / way))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, last_value: i64, is_called: bool) -> SequenceValue {
        let name = ("s".into(), name.into());
        SequenceValue { name, last_value, is_called, log_cnt: 0, increment: 1 }
    }

    fn named(source: SequenceValue, target: &[SequenceValue]) -> Vec<String> {
        let jumped = jumped(&[value("a", 1, true), source], target);
        jumped.into_iter().map(|value| value.name.1).collect()
    }

    #[test]
    fn only_a_leap_ahead_that_nobody_drew_is_a_crash() {
        let drawn = SequenceValue { log_cnt: 32, ..value("b", 34, true) };
        let here = [value("a", 1, true), value("b", 2, true)];
        assert_eq!(named(value("b", 34, true), &here), ["b"]);
        assert!(named(value("b", 2, true), &here).is_empty());
        assert!(named(drawn, &here).is_empty(), "somebody drew");
        assert!(named(value("b", 1, true), &here).is_empty(), "never back");
        assert!(named(value("b", 34, false), &here).is_empty(), "set anew");
        assert!(named(value("c", 34, true), &here).is_empty(), "another one");
        assert!(named(value("b", 34, true), &here[..1]).is_empty(), "one more");
        let unused = [value("a", 1, true), value("b", 2, false)];
        assert!(named(value("b", 34, true), &unused).is_empty(), "drawn for the first time");
    }

    #[test]
    fn a_leap_is_as_long_as_a_crash_makes_it() {
        let by = |increment, last| SequenceValue { increment, ..value("b", last, true) };
        let leaps = |increment: i64, from: i64, to: i64| {
            !named(by(increment, to), &[value("a", 1, true), by(increment, from)]).is_empty()
        };
        assert!(leaps(1, 2, 34) && !leaps(1, 2, 35), "32 draws");
        assert!(leaps(-3, -2, -98) && !leaps(-3, -2, -101), "down");
        assert!(!leaps(-3, -98, -2) && !leaps(3, 98, 2), "against its way");
        assert!(leaps(7, 10, 17) && !leaps(7, 10, 18), "where no draw leads");
        assert!(leaps(i64::MAX, i64::MIN + 1, 0) && !leaps(1, i64::MIN, i64::MAX));
        assert!(!leaps(0, 2, 34), "not known");
    }

    #[test]
    fn every_difference_is_seen() {
        let one = [value("a", 1, true), value("b", 2, true)];
        assert_eq!(sequence_difference(&one, &one), None);
        assert!(sequence_difference(&one, &[value("a", 1, true), value("b", 2, false)]).is_some());
        assert!(sequence_difference(&one, &[value("a", 1, true), value("b", 3, true)]).is_some());
        assert!(sequence_difference(&one, &one[..1]).is_some());
        assert_eq!(
            sequence_difference(&one, &one[1..]),
            Some("s.a is on one side only".to_owned())
        );
    }
}
