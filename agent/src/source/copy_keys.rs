//! Rows by their keys, as COPY gives them: those of a table's copied pages that have changed since.
use super::{
    copy_out::{on_pages, to_stdout},
    sender::Sender,
};
use crate::{
    fault::Fault,
    postgres::{identifier, literal, qualified, same_to_index},
    wire::{Column, CopyOf, FrameSender, PageRange},
};

impl Sender {
    pub(super) async fn copy_keys(
        &self,
        copy: &CopyOf,
        key: &[Column],
        keys: &[Vec<String>],
        pages: &[PageRange],
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        self.send_copy(copy, &statement(copy, key, keys, pages), reply).await
    }
}

/// COPY takes no parameters, so the keys are written out. They are looked for by the key's own index and operator, and a row
/// comes once, however many of them the operator finds to be its own.
fn statement(copy: &CopyOf, key: &[Column], keys: &[Vec<String>], pages: &[PageRange]) -> String {
    let numbered = || key.iter().enumerate();
    let columns: Vec<String> =
        copy.columns.iter().map(|name| format!("t.{}", identifier(name))).collect();
    let rows: Vec<String> = keys.iter().map(|row| values(key, row)).collect();
    let names: Vec<String> = numbered().map(|(at, _)| format!("c{at}")).collect();
    let terms: Vec<String> = numbered().map(|(at, column)| term(column, at)).collect();
    let mut which = format!(
        "exists (select from (values {}) as v({}) where {})",
        rows.join(", "),
        names.join(", "),
        terms.join(" and ")
    );
    if !pages.is_empty() {
        let ranges: Vec<String> =
            pages.iter().map(|range| format!("({})", on_pages("t.ctid", *range))).collect();
        which.push_str(&format!(" and ({})", ranges.join(" or ")));
    }
    let what = format!(
        "(select {} from only {} t where {which})",
        columns.join(", "),
        qualified(&copy.name.0, &copy.name.1),
    );
    to_stdout(&what, copy.format)
}

fn term(column: &Column, at: usize) -> String {
    let (left, right) = (format!("t.{}", identifier(&column.name)), format!("v.c{at}"));
    let (operator, collation) = column
        .key
        .as_ref()
        .map_or(("=", None), |key| (key.operator.as_str(), key.collation.as_deref()));
    same_to_index(&left, operator, &right, collation)
}

/// Each a constant of the column's type: a text that is cast to it can go through a function of the database's own.
fn values(key: &[Column], row: &[String]) -> String {
    let value =
        |(column, text): (&Column, &String)| format!("{}::{}", literal(text), column.type_name);
    let values: Vec<String> = key.iter().zip(row).map(value).collect();
    format!("({})", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CopyFormat, KeyEquality};

    #[test]
    fn rows_are_found_by_their_key_on_the_pages_that_were_copied() {
        let column = Column {
            name: "id".into(),
            type_oid: 25,
            typmod: -1,
            type_name: "text".into(),
            exact_equality: true,
            key: Some(KeyEquality {
                operator: "operator(pg_catalog.=)".into(),
                collation: Some("\"pg_catalog\".\"C\"".into()),
            }),
            identity_always: false,
        };
        let copy = CopyOf {
            table: 1,
            name: ("s".into(), "t".into()),
            columns: vec!["id".into(), "v".into()],
            pages: None,
            format: CopyFormat::Binary,
        };
        let keys = [vec!["it's".to_owned()], vec!["b".to_owned()]];
        let pages = [PageRange { from: 0, to: Some(4) }, PageRange { from: 8, to: None }];
        assert_eq!(
            statement(&copy, &[column], &keys, &pages),
            "copy (select t.\"id\", t.\"v\" from only \"s\".\"t\" t where exists (\
             select from (values ('it''s'::text), ('b'::text)) as v(c0) \
             where t.\"id\" operator(pg_catalog.=) v.c0 collate \"pg_catalog\".\"C\") and \
             ((t.ctid >= '(0,0)'::tid and t.ctid < '(4,0)'::tid) or (t.ctid >= '(8,0)'::tid))) to stdout (format binary)"
        );
    }
}
