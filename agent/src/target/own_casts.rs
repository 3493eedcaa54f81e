//! Casts of the database's own from a text to a type: `value::type` takes such a one, and what it makes of the text is its own matter.
//! A row's text is for the type's input function, which a string of another type without a cast of its own gets to.
use std::collections::HashMap;

use tokio_postgres::GenericClient;

use super::{apply::Elements, bare};
use crate::{
    fault::{Doing, Fault},
    wire::Column,
};

/// By the type's name, without quotes and modifier: how its values travel; `None`: there is no way but one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnCasts(HashMap<String, Option<Elements>>);

impl OwnCasts {
    /// Those that are here.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn here(client: &impl GenericClient) -> Result<Self, Fault> {
        // By names as the server writes them: reading one needs a right on its schema.
        let rows = client
            .query(include_str!("sql/own_casts.sql"), &[])
            .await
            .doing("looking for casts from text to types of the target's own")?;
        let through = |string: Option<&str>| string.map(Elements::through);
        let casts = rows.iter().map(|row| (bare(row.get(0)), through(row.get(1))));
        Ok(Self(casts.collect()))
    }

    /// How values of the column travel.
    pub(super) fn elements(&self, column: &Column) -> Option<Elements> {
        match Elements::of(column.type_oid) {
            Elements::Text => self.string(column),
            // Sent as the type itself, or as a number: there is no text to be cast.
            usual => Some(usual),
        }
    }

    /// From which string type its values are cast.
    pub(super) fn string(&self, column: &Column) -> Option<Elements> {
        if self.0.is_empty() {
            return Some(Elements::Text);
        }
        let name = bare(&without_modifier(&column.type_name));
        self.0.get(&name).copied().unwrap_or(Some(Elements::Text))
    }
}

/// `timestamp(3) with time zone` is a `timestamp with time zone`; an interval has fields too.
fn without_modifier(type_name: &str) -> String {
    let (mut name, mut quoted, mut depth) = (String::new(), false, 0_u32);
    for c in type_name.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            _ => {}
        }
        if depth == 0 {
            name.push(c);
        }
        if c == ')' && !quoted {
            depth = depth.saturating_sub(1);
        }
    }
    match name.strip_prefix("interval ") {
        Some(fields) if fields.ends_with("[]") => "interval[]".into(),
        Some(_) => "interval".into(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_with_a_cast_of_its_own_is_known_by_its_name() {
        let column = |type_oid, type_name: &str| Column {
            name: "c".into(),
            type_oid,
            typmod: -1,
            type_name: type_name.into(),
            exact_equality: true,
            key: None,
            identity_always: false,
        };
        let casts =
            [("s.a b", Some(Elements::Varchar)), ("bigint", Some(Elements::Bpchar)), ("t", None)];
        let casts = OwnCasts(casts.map(|(name, string)| (name.to_owned(), string)).into());
        assert_eq!(casts.elements(&column(70_000, "s.\"a b\"(3)")), Some(Elements::Varchar));
        assert_eq!(casts.elements(&column(70_000, "s.\"a b\"[]")), Some(Elements::Text));
        assert_eq!(casts.elements(&column(70_000, "t")), None);
        let number = column(20, "bigint");
        assert_eq!(casts.elements(&number), Some(Elements::Int8));
        assert_eq!(casts.string(&number), Some(Elements::Bpchar));
    }

    #[test]
    fn a_types_name_stays_without_its_modifier() {
        for (whole, name) in [
            ("s.mood", "s.mood"),
            ("numeric(12,2)[]", "numeric[]"),
            ("timestamp(3) with time zone", "timestamp with time zone"),
            ("s.\"of (it)\"(Point,4326)", "s.\"of (it)\""),
            ("interval day to second(3)", "interval"),
            ("interval year[]", "interval[]"),
        ] {
            assert_eq!(without_modifier(whole), name);
        }
    }
}
