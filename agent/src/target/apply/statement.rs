//! The SQL of a row change.
use bytes::Bytes;

use super::{
    table::{Table, TableColumn},
    value::Parameter,
};
use crate::{
    fault::{Fault, Policy},
    postgres::identifier,
    replication::pgoutput::{OldTuple, Value},
};

/// A statement and its values. Statements of one shape have one text, so that they are prepared once.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) sql: String,
    pub(super) values: Vec<Parameter>,
}

/// Collects values while the text grows.
#[derive(Default)]
struct Writer {
    values: Vec<Parameter>,
}

impl Writer {
    fn value(&mut self, value: Option<Bytes>) -> String {
        self.values.push(Parameter::text(value));
        format!("${}", self.values.len())
    }
}

pub(super) fn insert(table: &Table, new: Vec<Value>) -> Result<Change, Fault> {
    check_width(table, new.len())?;
    let mut writer = Writer::default();
    let mut names = Vec::with_capacity(new.len());
    let mut places = Vec::with_capacity(new.len());
    for (column, value) in table.columns.iter().zip(new) {
        names.push(identifier(&column.name));
        places.push(writer.value(known(table, column, value)?));
    }
    let sql = if names.is_empty() {
        format!("insert into {} default values", table.name)
    } else {
        // The value of an identity column is the source's, not the sequence's.
        format!(
            "insert into {} ({}) overriding system value values ({}){}",
            table.name,
            names.join(", "),
            places.join(", "),
            table.on_conflict()
        )
    };
    Ok(Change { sql, values: writer.values })
}

pub(super) fn update(
    table: &Table,
    old: Option<OldTuple>,
    new: Vec<Value>,
) -> Result<Change, Fault> {
    check_width(table, new.len())?;
    let mut writer = Writer::default();
    // A key that did not change is not sent apart, and is found by its new value.
    let key_changed = old.is_some();
    let old = old.unwrap_or_else(|| OldTuple::Key(new.clone()));
    let mut sets = Vec::new();
    for (column, value) in table.columns.iter().zip(new) {
        if column.key && !key_changed {
            continue;
        }
        // Not sent because not changed: the row has it already.
        if value == Value::UnchangedToast {
            continue;
        }
        let place = writer.value(known(table, column, value)?);
        sets.push(format!("{} = {place}", identifier(&column.name)));
    }
    let condition = condition(table, old, &mut writer)?;
    if sets.is_empty() {
        // Only the key is published: that the row is there must still be seen.
        let Some(column) = table.columns.first() else {
            return Err(unidentified(table));
        };
        let name = identifier(&column.name);
        sets.push(format!("{name} = {name}"));
    }
    let sql = format!("update only {} set {} where {condition}", table.name, sets.join(", "));
    Ok(Change { sql, values: writer.values })
}

pub(super) fn delete(table: &Table, old: OldTuple) -> Result<Change, Fault> {
    let mut writer = Writer::default();
    let condition = condition(table, old, &mut writer)?;
    Ok(Change {
        sql: format!("delete from only {} where {condition}", table.name),
        values: writer.values,
    })
}

/// Which row: by its key, or one of those that are the same in every column.
fn condition(table: &Table, old: OldTuple, writer: &mut Writer) -> Result<String, Fault> {
    let (values, full) = match old {
        OldTuple::Key(values) => (values, false),
        OldTuple::Full(values) => (values, true),
    };
    check_width(table, values.len())?;
    let mut terms = Vec::new();
    for (column, value) in table.columns.iter().zip(values) {
        if full {
            terms.push(same(column, known(table, column, value)?, writer));
        } else if column.key {
            let value = known(table, column, value)?.ok_or_else(|| unidentified(table))?;
            terms.push(column.equals("", &writer.value(Some(value))));
        }
    }
    match (terms.is_empty(), full) {
        (true, false) => Err(unidentified(table)),
        (false, false) => Ok(terms.join(" and ")),
        (none, true) => Ok(format!(
            "ctid = (select ctid from only {} where {} limit 1)",
            table.name,
            if none { "true".to_owned() } else { terms.join(" and ") }
        )),
    }
}

/// That a column has the very value, whatever its type takes for equal.
fn same(column: &TableColumn, value: Option<Bytes>, writer: &mut Writer) -> String {
    let name = identifier(&column.name);
    let Some(value) = value else {
        // `is null` would take a composite of nulls for a null.
        return format!("{name} is not distinct from null");
    };
    let value = column.cast(&writer.value(Some(value)));
    if column.exact {
        return format!("{name} operator(pg_catalog.=) {value}");
    }
    // Texts of this server's own making on both sides, made once for the value. A null's is empty, and no empty text.
    format!("{name} is distinct from null and {} = (select {})", text_of(&name), text_of(&value))
}

/// The text of a value, by its type's output function (`::text` of some types is another), compared byte by byte.
pub(super) fn text_of(value: &str) -> String {
    format!("format('%s', {value}) collate \"C\"")
}

/// A value that must be there.
fn known(table: &Table, column: &TableColumn, value: Value) -> Result<Option<Bytes>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Text(bytes) => Ok(Some(bytes)),
        Value::UnchangedToast | Value::Binary(_) => Err(Fault::hold(
            "StreamUnreadable",
            format!(
                "applying a change of {}: the value of column {:?} did not come as text",
                table.label, column.name
            ),
        )),
    }
}

pub(super) fn check_width(table: &Table, values: usize) -> Result<(), Fault> {
    if values == table.columns.len() {
        return Ok(());
    }
    Err(Fault::hold(
        "StreamUnreadable",
        format!(
            "applying a change of {}: {values} values came for {} columns",
            table.label,
            table.columns.len()
        ),
    ))
}

fn unidentified(table: &Table) -> Fault {
    Fault::new(
        Policy::Hold,
        "RowNotIdentified",
        format!("applying a change of {}: nothing in it says which row is meant", table.label),
    )
    .remedy(
        "give the table a primary key or REPLICA IDENTITY FULL, cancel, and start a new migration",
    )
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::Lsn;

    use super::*;
    use crate::target::apply::array::Elements;

    fn table(full_identity: bool) -> Table {
        let column = |name: &str, key, exact| TableColumn {
            name: name.into(),
            type_name: "text".into(),
            elements: Elements::Text,
            key,
            exact,
            operator: "operator(x.=)".into(),
            collation: (name == "id").then(|| "\"C\"".into()),
            used: false.into(),
        };
        Table {
            oid: 1,
            label: "s.t".into(),
            name: "\"s\".\"t\"".into(),
            point: Lsn(0),
            columns: vec![
                column("id", !full_identity, true),
                column("n", false, false),
                column("v", false, true),
            ],
            conflicts: false,
            alone: false,
            full_identity,
            keyed: !full_identity,
        }
    }

    fn text(text: &'static str) -> Value {
        Value::Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn an_unchanged_key_finds_the_row_and_is_not_set() {
        let change = update(&table(false), None, vec![text("1"), text("x"), Value::Null]).unwrap();
        assert_eq!(
            change.sql,
            "update only \"s\".\"t\" set \"n\" = $1, \"v\" = $2 \
             where \"id\" operator(x.=) $3::text collate \"C\""
        );
        assert_eq!(change.values.len(), 3);
    }

    #[test]
    fn a_changed_key_is_found_by_the_old_one() {
        let old = OldTuple::Key(vec![text("1"), Value::Null, Value::Null]);
        let change =
            update(&table(false), Some(old), vec![text("2"), Value::UnchangedToast, text("v")])
                .unwrap();
        assert_eq!(
            change.sql,
            "update only \"s\".\"t\" set \"id\" = $1, \"v\" = $2 \
             where \"id\" operator(x.=) $3::text collate \"C\""
        );
    }

    #[test]
    fn a_full_identity_takes_one_row_and_minds_nulls() {
        let old = OldTuple::Full(vec![text("1"), text("1.0"), Value::Null]);
        let change = delete(&table(true), old).unwrap();
        assert_eq!(
            change.sql,
            "delete from only \"s\".\"t\" where ctid = (select ctid from only \"s\".\"t\" \
             where \"id\" operator(pg_catalog.=) $1::text \
             and \"n\" is distinct from null and format('%s', \"n\") collate \"C\" = (select format('%s', $2::text) collate \"C\") \
             and \"v\" is not distinct from null limit 1)"
        );
    }

    #[test]
    fn what_names_no_row_is_refused() {
        let mut keyless = table(false);
        keyless.columns[0].key = false;
        let old = OldTuple::Key(vec![text("1"), Value::Null, Value::Null]);
        assert_eq!(delete(&keyless, old).unwrap_err().code, "RowNotIdentified");
        let short = OldTuple::Key(vec![text("1")]);
        assert_eq!(delete(&table(false), short).unwrap_err().code, "StreamUnreadable");
    }
}
