//! Sequences: their values, and how those of two sides differ.
use std::fmt::Write as _;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, literal, qualified},
    selection::Selected,
    wire::SequenceValue,
};

/// Sequences read by one statement: each is a table to PostgreSQL, and a statement's locks are held together.
const SEQUENCES: usize = 500;

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
    let names: Vec<(String, String)> = names.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut values = Vec::with_capacity(names.len());
    for some in names.chunks(SEQUENCES) {
        for row in client.query(&statement(some), &[]).await.doing(doing)? {
            values.push(SequenceValue {
                name: (row.get(0), row.get(1)),
                last_value: row.get(2),
                is_called: row.get(3),
            });
        }
    }
    values.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(values)
}

fn statement(names: &[(String, String)]) -> String {
    let mut statement = String::new();
    for (at, (schema, name)) in names.iter().enumerate() {
        let union = if at == 0 { "" } else { " union all " };
        // Writing to a String can't fail.
        write!(
            statement,
            "{union}select {}, {}, last_value, is_called from {}",
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
    if let Some((source, target)) = source.iter().zip(target).find(|(a, b)| a != b) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_seen() {
        let value = |name: &str, last_value, is_called| SequenceValue {
            name: ("s".into(), name.into()),
            last_value,
            is_called,
        };
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
