//! The shape of a database: every object with a digest of its definition.
use std::collections::BTreeMap;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    selection::Selected,
    wire::ShapeItem,
};

/// Every chosen object, ordered.
///
/// # Errors
/// The server's.
pub async fn shape_of(client: &Client, selected: &Selected) -> Result<Vec<ShapeItem>, Fault> {
    let sql = selected.sql(include_str!("shape.sql"));
    let rows = client
        .query(&*client.sql(&sql), &[])
        .await
        .doing("reading the definitions of the database's objects")?;
    Ok(rows.iter().map(|row| ShapeItem { object: row.get(0), digest: row.get(1) }).collect())
}

/// Objects that are named in a difference; the rest is counted.
const NAMED: usize = 5;

/// What the items of foreign keys begin with that are not enforced. Nothing of that is carried.
const DISABLED: &str = "disabled foreign key ";

/// Foreign keys whose triggers are disabled, for an operator to read: where they are made they are enforced.
pub fn disabled_keys(source: &[ShapeItem]) -> Option<String> {
    let keys = source.iter().filter_map(|item| item.object.strip_prefix(DISABLED));
    let keys: Vec<&str> = keys.collect();
    let named = keys[..keys.len().min(NAMED)].join(", ");
    let more = match keys.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (!keys.is_empty()).then(|| {
        format!(
            "enforced on the target, though their triggers are disabled on the source (look for rows that violate them, and for \
             what writes such rows): foreign keys {named}{more}"
        )
    })
}

/// How the shape has changed, in words; `None` when it has not.
pub fn shape_difference(then: &[ShapeItem], now: &[ShapeItem]) -> Option<String> {
    let index = |items: &[ShapeItem]| -> BTreeMap<String, String> {
        let told = items.iter().filter(|item| !item.object.starts_with(DISABLED));
        told.map(|item| (item.object.clone(), item.digest.clone())).collect()
    };
    let (then, now) = (index(then), index(now));
    let mut found = Vec::new();
    for (object, digest) in &now {
        match then.get(object) {
            None => found.push(format!("{object} is new")),
            Some(before) if before != digest => found.push(format!("{object} was altered")),
            Some(_) => {}
        }
    }
    found.extend(
        then.keys().filter(|object| !now.contains_key(*object)).map(|o| format!("{o} is gone")),
    );
    let rest = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    match (found.is_empty(), rest) {
        (true, _) => None,
        (false, 0) => Some(found.join("; ")),
        (false, rest) => Some(format!("{}; and {rest} more", found.join("; "))),
    }
}

/// The source's schema is no longer what was dumped.
pub fn schema_changed(difference: &str) -> Fault {
    Fault::hold(
        "SourceSchemaChanged",
        format!("the source's schema was changed after it was dumped: {difference}"),
    )
    .remedy(
        "order the cutover again: it takes the change over; before the stream runs: undo the change on the source and try again, or cancel and start a new migration",
    )
}

/// What was changed on the source is not so on the target.
pub fn schema_not_carried(objects: &str) -> Fault {
    Fault::hold(
        "SourceSchemaChanged",
        format!("the source's schema was changed, and these are not on the target as they are there: {objects}"),
    )
    .remedy(
        "order the cutover again: what was changed while this one ran has come by then; what is named once more, make so on the target (pg_dump --schema-only of both shows the difference), and order it again; or cancel and start a new migration",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(object: &str, digest: &str) -> ShapeItem {
        ShapeItem { object: object.into(), digest: digest.into() }
    }

    #[test]
    fn a_key_that_is_disabled_is_no_change() {
        let item = |n: usize| item(&format!("disabled foreign key k{n} of public.t"), "");
        assert_eq!(disabled_keys(&[]), None);
        assert_eq!(shape_difference(&[], &[item(1)]), None);
        let told = disabled_keys(&(0..6).map(item).collect::<Vec<_>>()).unwrap();
        assert!(told.ends_with("k4 of public.t, and 1 more"), "{told}");
    }

    #[test]
    fn what_changed_is_named() {
        let then = [item("table a", "1"), item("table b", "1")];
        assert_eq!(shape_difference(&then, &then), None);
        let now = [item("table b", "2"), item("table c", "1")];
        assert_eq!(
            shape_difference(&then, &now).as_deref(),
            Some("table b was altered; table c is new; table a is gone")
        );
        let many: Vec<ShapeItem> = (0..9).map(|n| item(&format!("table {n}"), "1")).collect();
        assert!(shape_difference(&[], &many).is_some_and(|text| text.ends_with("and 4 more")));
    }
}
