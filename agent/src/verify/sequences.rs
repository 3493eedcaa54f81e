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
    let names: Vec<(String, String, bool)> =
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
                descends: row.get(5),
            });
        }
    }
    values.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(values)
}

fn statement(names: &[(String, String, bool)]) -> String {
    let mut statement = String::new();
    for (at, (schema, name, descends)) in names.iter().enumerate() {
        let union = if at == 0 { "" } else { " union all " };
        // Writing to a String can't fail.
        write!(
            statement,
            "{union}select {}, {}, last_value, is_called, log_cnt, {descends} from {}",
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
/// WAL has a sequence up to 32 draws ahead, and with `log_cnt = 0`; that is what is there after a crash, until somebody
/// draws. A draw leaves `log_cnt = 0` only each 33rd time, and a `setval` always: such a write is not told from a crash. Its value
/// is the source's, so to carry it is right; what else was written is seen by its rows, where there is a stream.
pub fn jumped(source: &[SequenceValue], target: &[SequenceValue]) -> Vec<SequenceValue> {
    let pairs = || source.iter().zip(target).filter(|(a, b)| differ(a, b));
    let explained = |(source, target): (&SequenceValue, &SequenceValue)| {
        let ahead = match target.descends {
            false => source.last_value > target.last_value,
            true => source.last_value < target.last_value,
        };
        source.name == target.name && source.is_called && source.log_cnt == 0 && ahead
    };
    if source.len() != target.len() || !pairs().all(explained) {
        return Vec::new();
    }
    pairs().map(|(source, _)| source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, last_value: i64, is_called: bool) -> SequenceValue {
        let name = ("s".into(), name.into());
        SequenceValue { name, last_value, is_called, log_cnt: 0, descends: false }
    }

    #[test]
    fn only_a_leap_ahead_that_nobody_drew_is_a_crash() {
        let drawn = SequenceValue { log_cnt: 32, ..value("b", 34, true) };
        let down = |last| SequenceValue { descends: true, ..value("b", last, true) };
        let here = [value("a", 1, true), value("b", 2, true)];
        let names = |b: SequenceValue, here: &[SequenceValue]| -> Vec<String> {
            let jumped = jumped(&[value("a", 1, true), b], here);
            jumped.into_iter().map(|value| value.name.1).collect()
        };
        assert_eq!(names(value("b", 34, true), &here), ["b"]);
        assert!(names(value("b", 2, true), &here).is_empty());
        assert!(names(drawn, &here).is_empty(), "somebody drew");
        assert!(names(value("b", 1, true), &here).is_empty(), "never back");
        assert!(names(value("b", 34, false), &here).is_empty(), "set anew");
        assert!(names(value("c", 34, true), &here).is_empty(), "another one");
        assert!(names(value("b", 34, true), &here[..1]).is_empty(), "one more");
        assert_eq!(names(down(-34), &[value("a", 1, true), down(-2)]), ["b"]);
        assert!(names(down(34), &[value("a", 1, true), down(2)]).is_empty());
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
