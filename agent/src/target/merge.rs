//! Two forms of one object that were told by transactions which knew nothing of each other: each has what its own command has made,
//! and the rest as it was before the other's.
//!
//! Commands on parts of an object that do not lock it (an index's name, a constraint's validity, a type's labels) do not wait for each
//! other, and nothing in two forms says which part of which is the newer one. What the catalog has now is: of each part the one that
//! has stayed. A part that is a third one by now stays as it is known; what has changed it is told yet.
use serde_json::{Map, Value};

use crate::{fault::Fault, wire::Structure};

/// What parts of lists are known by.
const NUMBERS: [&str; 2] = ["num", "oid"];

/// The known form, with those parts of the older one that the object has now.
///
/// # Errors
/// `StreamUnreadable`, if it is no form.
pub(super) fn merged(
    known: &Structure,
    older: &Structure,
    now: &Structure,
) -> Result<Structure, Fault> {
    let values = [known, older, now].map(serde_json::to_value);
    let [Ok(known_value), Ok(older), Ok(now)] = values else { return Err(no_form(known)) };
    serde_json::from_value(merge(&known_value, &older, &now)).map_err(|_| no_form(known))
}

fn no_form(of: &Structure) -> Fault {
    Fault::hold(
        "StreamUnreadable",
        format!(
            "joining two forms of {} that were told at once: what comes of it is none",
            of.label()
        ),
    )
}

fn merge(known: &Value, older: &Value, now: &Value) -> Value {
    match (known, older, now) {
        (Value::Object(known), Value::Object(older), Value::Object(now)) => {
            Value::Object(merge_objects(known, older, now))
        }
        (Value::Array(known), Value::Array(older), Value::Array(now))
            if known.iter().chain(older).all(|item| number(item).is_some()) =>
        {
            Value::Array(merge_lists(known, older, now))
        }
        _ if now == older => older.clone(),
        _ => known.clone(),
    }
}

fn merge_objects(
    known: &Map<String, Value>,
    older: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Map<String, Value> {
    let of = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
    let keys = known.keys().chain(older.keys().filter(|key| !known.contains_key(*key)));
    keys.map(|key| (key.clone(), merge(&of(known, key), &of(older, key), &of(now, key)))).collect()
}

/// What only the older one has it has made, if it is there yet. It takes nothing away: that is told by itself.
fn merge_lists(known: &[Value], older: &[Value], now: &[Value]) -> Vec<Value> {
    let in_list =
        |list: &[Value], item: &Value| list.iter().position(|it| number(it) == number(item));
    let of =
        |list: &[Value], item: &Value| in_list(list, item).and_then(|at| list.get(at)).cloned();
    let mut items: Vec<Value> = known
        .iter()
        .map(|item| match (of(older, item), of(now, item)) {
            (Some(older), Some(now)) => merge(item, &older, &now),
            _ => item.clone(),
        })
        .collect();
    let made = older.iter().filter(|item| of(known, item).is_none() && of(now, item).is_some());
    items.extend(made.cloned());
    match items.iter().all(|item| item.get("num").is_some()) {
        true => items.sort_by_key(|item| number(item).map(|(_, number)| number)),
        // Labels have an order of their own.
        false => items.sort_by_key(|item| in_list(now, item).unwrap_or(usize::MAX)),
    }
    items
}

/// A column's number, a constraint's OID.
fn number(of: &Value) -> Option<(&'static str, i64)> {
    NUMBERS.iter().find_map(|name| Some((*name, of.get(name)?.as_i64()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_each_part_the_one_stays_that_is_there_now() {
        let known = json!({ "name": "old", "owner": "new", "options": "three" });
        let older = json!({ "name": "new", "owner": "old", "options": "two" });
        let now = json!({ "name": "new", "owner": "new", "options": "four" });
        let wanted = json!({ "name": "new", "owner": "new", "options": "three" });
        assert_eq!(merge(&known, &older, &now), wanted);
    }

    #[test]
    fn what_the_older_form_has_made_is_there_in_its_place() {
        let known = json!([{ "oid": 1, "label": "x" }, { "oid": 2, "label": "b" }]);
        let older = json!([{ "oid": 3, "label": "c" }, { "oid": 1, "label": "a" }, { "oid": 4, "label": "d" }]);
        let now = json!([{ "oid": 3, "label": "c" }, { "oid": 1, "label": "x" }, { "oid": 2, "label": "b" }]);
        assert_eq!(merge(&known, &older, &now), now);
        let columns = |nums: &[i64]| Value::from_iter(nums.iter().map(|num| json!({ "num": num })));
        let all = merge(&columns(&[1, 3]), &columns(&[1, 4]), &columns(&[1, 4]));
        assert_eq!(all, columns(&[1, 3, 4]));
    }

    #[test]
    fn an_index_gets_the_parent_that_it_was_attached_to() {
        let index = |parent: Value| json!({ "indexes": [{ "oid": 1, "parent": parent }] });
        let (free, attached) = (index(Value::Null), index("s.i".into()));
        assert_eq!(merge(&free, &attached, &attached), attached);
        assert_eq!(merge(&attached, &free, &attached), attached);
        let none = json!({ "indexes": null });
        assert_eq!(merge(&none, &attached, &attached), attached);
    }
}
