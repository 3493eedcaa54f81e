//! One statement for many rows: their columns as arrays.
use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    fold::{Folded, Row},
    statement::{Change, check_width, text_of},
    table::{Table, TableColumn},
    value::Parameter,
};
use crate::{fault::Fault, postgres::identifier, replication::pgoutput::Value};

/// A statement, and how many rows it must meet.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) change: Change,
    /// `None`: any number.
    pub(super) rows: Option<u64>,
    pub(super) verb: &'static str,
}

/// Deletes, then updates, then inserts: a value of a unique column is given up before it is taken.
pub(super) fn statements(table: &Table, folded: Folded<'_>) -> Result<Vec<Bulk>, Fault> {
    let whole = folded.whole_deletes.iter().map(|(row, _)| row);
    for row in folded.deletes.iter().chain(&folded.updates).chain(&folded.inserts).chain(whole) {
        check_width(table, row.len())?;
    }
    let mut bulks = Vec::new();
    if !folded.deletes.is_empty() {
        bulks.push(delete(table, &folded.deletes)?);
    }
    if !folded.whole_deletes.is_empty() {
        bulks.push(delete_whole(table, folded.whole_deletes)?);
    }
    let partly = |row: &Row<'_>| row.contains(&Value::UnchangedToast);
    let (in_part, whole): (Vec<Row<'_>>, Vec<Row<'_>>) =
        folded.updates.into_iter().partition(partly);
    if !whole.is_empty() {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        bulks.push(update(table, &all, &whole)?);
    }
    // Rows that tell the same columns go together: an unchanged TOASTed value is not sent.
    let mut by_columns: BTreeMap<Vec<usize>, Vec<Row<'_>>> = BTreeMap::new();
    for row in in_part {
        let told = (0..row.len()).filter(|at| row[*at] != Value::UnchangedToast).collect();
        by_columns.entry(told).or_default().push(row);
    }
    for (told, rows) in by_columns {
        bulks.push(update(table, &told, &rows)?);
    }
    if !folded.inserts.is_empty() {
        bulks.push(insert(table, &folded.inserts)?);
    }
    Ok(bulks)
}

fn insert(table: &Table, rows: &[Row<'_>]) -> Result<Bulk, Fault> {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let sent = sent(table, rows, &all);
    let names = list(&all, |at| identifier(&table.columns[at].name));
    let values = list(&all, |at| value(table, &sent, at));
    let sql = format!(
        "insert into {} ({names}) overriding system value select {values} from {}{}",
        table.name,
        unnest(table, &sent),
        table.on_conflict()
    );
    Ok(Bulk {
        change: Change { sql, values: arrays(table, rows, &sent)? },
        rows: (!table.conflicts).then_some(rows.len() as u64),
        verb: "inserts into",
    })
}

fn update(table: &Table, told: &[usize], rows: &[Row<'_>]) -> Result<Bulk, Fault> {
    let sent = sent(table, rows, told);
    let key = |at: &usize| table.columns[*at].key;
    let set: Vec<usize> = told.iter().copied().filter(|at| !key(at)).collect();
    let sets = if set.is_empty() {
        // Only the key is published: that the row is there must still be seen.
        let name = told.first().map_or_else(String::new, |at| identifier(&table.columns[*at].name));
        format!("{name} = t.{name}")
    } else {
        list(&set, |at| {
            format!("{} = {}", identifier(&table.columns[at].name), value(table, &sent, at))
        })
    };
    let sql = format!(
        "update only {} t set {sets} from {} where {}",
        table.name,
        unnest(table, &sent),
        condition(table)
    );
    Ok(Bulk {
        change: Change { sql, values: arrays(table, rows, &sent)? },
        rows: Some(rows.len() as u64),
        verb: "updates of",
    })
}

/// Those of the columns whose values travel; the others are null in all rows. One at least, for it says how many rows.
fn sent(table: &Table, rows: &[Row<'_>], columns: &[usize]) -> Vec<usize> {
    let used = |at: &usize| table.columns[*at].is_used(rows.iter().map(|row| &row[*at]));
    let sent: Vec<usize> = columns.iter().copied().filter(used).collect();
    if sent.is_empty() { columns.to_vec() } else { sent }
}

/// What a column is set to.
fn value(table: &Table, sent: &[usize], at: usize) -> String {
    let column = &table.columns[at];
    // In the order of the columns.
    if sent.binary_search(&at).is_ok() { cast(column, at) } else { column.cast("null") }
}

fn delete(table: &Table, rows: &[Row<'_>]) -> Result<Bulk, Fault> {
    let keys: Vec<usize> = (0..table.columns.len()).filter(|at| table.columns[*at].key).collect();
    let sql = format!(
        "delete from only {} t using {} where {}",
        table.name,
        unnest(table, &keys),
        condition(table)
    );
    Ok(Bulk {
        change: Change { sql, values: arrays(table, rows, &keys)? },
        rows: Some(rows.len() as u64),
        verb: "deletes from",
    })
}

/// Of rows that are the same, as many as are said. Where `=` will do it is there for an index or a hash; else texts are
/// compared, as arrays, whose nulls are equal.
fn delete_whole(table: &Table, rows: Vec<(Row<'_>, u32)>) -> Result<Bulk, Fault> {
    let (rows, counts): (Vec<Row<'_>>, Vec<u32>) = rows.into_iter().unzip();
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let plain =
        |at: &&usize| table.columns[**at].exact && rows.iter().all(|row| row[**at] != Value::Null);
    let mut terms: Vec<String> = all
        .iter()
        .filter(plain)
        .map(|at| {
            let column = &table.columns[*at];
            format!("t.{} operator(pg_catalog.=) {}", identifier(&column.name), cast(column, *at))
        })
        .collect();
    let others: Vec<usize> = all.iter().copied().filter(|at| !plain(&at)).collect();
    if !others.is_empty() {
        let here =
            list(&others, |at| nullable(&format!("t.{}", identifier(&table.columns[at].name))));
        let there = list(&others, |at| nullable(&cast(&table.columns[at], at)));
        terms.push(format!("array[{here}] = array[{there}]"));
    }
    if terms.is_empty() {
        terms.push("true".to_owned());
    }
    let sql = format!(
        "delete from only {name} where ctid = any (array(select m.ctid from (\
         select t.ctid, v.n, row_number() over (partition by v.i) as nth from only {name} t \
         join unnest({places}) with ordinality as v({names}n, i) on {terms}) m where m.nth <= m.n))",
        name = table.name,
        places = places(table, &all) + &format!("${}::int4[]", all.len() + 1),
        names = all.iter().map(|at| format!("c{at}, ")).collect::<String>(),
        terms = terms.join(" and "),
    );
    let mut values = arrays(table, &rows, &all)?;
    let listed = counts.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    values.push(Parameter::text(Some(Bytes::from(format!("{{{listed}}}")))));
    let rows = counts.iter().copied().map(u64::from).sum();
    Ok(Bulk { change: Change { sql, values }, rows: Some(rows), verb: "deletes from" })
}

/// A text that is null only where the value is: a composite of nulls is a value.
fn nullable(value: &str) -> String {
    format!("case when {value} is not distinct from null then null else {} end", text_of(value))
}

fn condition(table: &Table) -> String {
    let terms: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.key)
        .map(|(at, column)| column.equals("t.", &format!("v.c{at}")))
        .collect();
    terms.join(" and ")
}

/// `unnest($1::bigint[], …) as v(c0, …)`; a column is numbered by its place in the table.
fn unnest(table: &Table, columns: &[usize]) -> String {
    let places = places(table, columns);
    let places = places.trim_end_matches(", ");
    format!("unnest({places}) as v({})", list(columns, |at| format!("c{at}")))
}

fn places(table: &Table, columns: &[usize]) -> String {
    let of = |at: &usize| table.columns[*at].elements.type_name();
    columns.iter().zip(1..).map(|(at, place)| format!("${place}::{}[], ", of(at))).collect()
}

fn cast(column: &TableColumn, at: usize) -> String {
    column.cast(&format!("v.c{at}"))
}

fn list(columns: &[usize], write: impl Fn(usize) -> String) -> String {
    columns.iter().map(|at| write(*at)).collect::<Vec<_>>().join(", ")
}

/// The columns of the rows, an array for each.
fn arrays(table: &Table, rows: &[Row<'_>], columns: &[usize]) -> Result<Vec<Parameter>, Fault> {
    let array = |at: &usize| {
        let column = &table.columns[*at];
        let array = column.elements.array(rows.iter().map(|row| &row[*at]));
        array.ok_or_else(|| not_of_its_type(table, column))
    };
    columns.iter().map(array).collect()
}

fn not_of_its_type(table: &Table, column: &TableColumn) -> Fault {
    let (label, name, of) = (&table.label, &column.name, &column.type_name);
    Fault::hold(
        "StreamUnreadable",
        format!("applying changes of {label}: a value of column {name:?} is no {of}"),
    )
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Arc};

    use whimbrel_proto::Lsn;

    use super::*;
    use crate::target::apply::array::Elements;

    fn table() -> Arc<Table> {
        let column = |name: &str| TableColumn {
            name: name.into(),
            type_name: "text".into(),
            elements: Elements::Text,
            key: name == "id",
            exact: true,
            operator: "operator(pg_catalog.=)".into(),
            collation: None,
            used: false.into(),
        };
        Arc::new(Table {
            oid: 1,
            label: "s.t".into(),
            name: "t".into(),
            point: Lsn(0),
            columns: ["id", "a", "b"].map(column).into(),
            conflicts: false,
            alone: false,
            full_identity: false,
            keyed: true,
        })
    }

    fn sql(table: &Table, rows: &[[&'static str; 3]]) -> (String, usize) {
        let value = |text: &&'static str| match *text {
            "" => Value::Null,
            text => Value::Text(Bytes::from_static(text.as_bytes())),
        };
        let rows = rows.iter().map(|row| Cow::from(row.iter().map(value).collect::<Vec<_>>()));
        let folded = Folded { updates: rows.collect(), ..Folded::default() };
        let mut bulks = statements(table, folded).unwrap();
        let Bulk { change, .. } = bulks.pop().unwrap();
        (change.sql, change.values.len())
    }

    #[test]
    fn a_column_that_was_never_used_is_not_sent() {
        let table = table();
        let (first, values) = sql(&table, &[["1", "x", ""], ["2", "", ""]]);
        assert!(first.contains("\"a\" = v.c1::text, \"b\" = null::text"), "{first}");
        assert!(first.contains("as v(c0, c1)"), "{first}");
        assert_eq!(values, 2);
        let (second, values) = sql(&table, &[["1", "", "y"]]);
        assert!(second.contains("as v(c0, c1, c2)"), "{second}");
        assert_eq!(values, 3);
        assert_eq!(
            sql(&table, &[["1", "", ""]]).0,
            second,
            "what was used once is sent from then on"
        );
    }

    #[test]
    fn rows_of_nulls_are_as_many_as_they_are() {
        let mut table = table();
        let keyless = Arc::get_mut(&mut table).unwrap();
        keyless.columns[0].key = false;
        keyless.keyed = false;
        let row = || Cow::from(vec![Value::Null; 3]);
        let folded = Folded { inserts: vec![row(), row()], ..Folded::default() };
        let bulks = statements(&table, folded).unwrap();
        assert!(bulks[0].change.sql.contains("as v(c0, c1, c2)"), "{}", bulks[0].change.sql);
        assert_eq!(bulks[0].rows, Some(2));
    }
}
