//! What objects of an older dump are called by a newer one: here they have been renamed with it.
use std::collections::HashMap;

use super::{
    make_anew::owned_object,
    redump::entries,
    schema::{Entry, Plan},
};

/// Kinds of relations, as COMMENT and OWNER TO name them. Before 15 pg_dump says TABLE of every one.
const RELATIONS: [&str; 5] = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE"];

/// Names as SQL writes them, old ones to new ones.
#[derive(Default)]
pub(super) struct Renamed {
    relations: HashMap<String, String>,
    /// With their kinds before them.
    others: HashMap<String, String>,
    schemas: Vec<(String, String)>,
}

impl Renamed {
    /// By the source's OIDs, which stay.
    pub(super) fn between(before: &Plan, after: &Plan) -> Self {
        let owned = |entry: &Entry| owned_object(&entry.sql).map(str::to_owned);
        let now: HashMap<(u32, u32), String> = entries(after)
            .filter(|entry| entry.oid != 0)
            .filter_map(|entry| Some(((entry.class, entry.oid), owned(entry)?)))
            .collect();
        let mut renamed = Self::default();
        for entry in entries(before).filter(|entry| entry.oid != 0) {
            let Some(old) = owned(entry) else { continue };
            match now.get(&(entry.class, entry.oid)) {
                Some(new) if *new != old => renamed.add(&old, new),
                _ => {}
            }
        }
        renamed
    }

    fn add(&mut self, old: &str, new: &str) {
        if let (Some(old), Some(new)) = (old.strip_prefix("SCHEMA "), new.strip_prefix("SCHEMA ")) {
            self.schemas.push((old.to_owned(), new.to_owned()));
        }
        match (relation(old), relation(new)) {
            (Some(old), Some(new)) => self.relations.insert(old.to_owned(), new.to_owned()),
            _ => self.others.insert(old.to_owned(), new.to_owned()),
        };
    }

    /// What `object` of the older dump ("COLUMN s.t.c", as COMMENT names it) is called by the newer one.
    pub(super) fn now(&self, object: &str) -> String {
        if let Some(new) = self.others.get(object) {
            return new.clone();
        }
        let of = |name: &str| self.relations.get(name).cloned();
        if let Some(name) = relation(object)
            && let Some(new) = of(name)
        {
            return format!("{}{new}", object.strip_suffix(name).unwrap_or_default());
        }
        if let Some(column) = object.strip_prefix("COLUMN ")
            && let Some((table, column)) = split_last(column)
            && let Some(new) = of(table)
        {
            return format!("COLUMN {new}.{column}");
        }
        if let Some((part, table)) = object.rsplit_once(" ON ")
            && let Some(new) = of(table)
        {
            return format!("{part} ON {new}");
        }
        self.with_its_schema(object)
    }

    /// Wherever a renamed schema's name stands before a point.
    pub(super) fn with_its_schema(&self, sql: &str) -> String {
        let (mut done, mut rest) = (String::new(), sql);
        'next: while let Some(first) = rest.chars().next() {
            let begins = !done.ends_with(|c: char| c.is_alphanumeric() || "_$.\"".contains(c));
            for (old, new) in self.schemas.iter().filter(|_| begins) {
                if let Some(after) = rest.strip_prefix(old.as_str())
                    && after.starts_with('.')
                {
                    done.push_str(new);
                    rest = after;
                    continue 'next;
                }
            }
            done.push(first);
            rest = &rest[first.len_utf8()..];
        }
        done
    }
}

fn relation(object: &str) -> Option<&str> {
    RELATIONS.iter().find_map(|kind| object.strip_prefix(kind)?.strip_prefix(' '))
}

/// At the last point that is not between quotes.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut last = None;
    for (at, c) in name.char_indices() {
        quoted ^= c == '"';
        if c == '.' && !quoted {
            last = Some(at);
        }
    }
    last.map(|at| (&name[..at], &name[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_called_as_it_is_now() {
        let mut renamed = Renamed::default();
        renamed.add("SCHEMA s1", "SCHEMA core");
        renamed.add("SCHEMA \"s 2\"", "SCHEMA two");
        renamed.add("TABLE s1.t", "TABLE core.t2");
        renamed.add("FUNCTION s1.f(a integer)", "FUNCTION other.g(a integer)");
        for (old, new) in [
            ("TABLE s1.t", "TABLE core.t2"),
            ("COLUMN s1.t.\"a.b\"", "COLUMN core.t2.\"a.b\""),
            ("COLUMN s1.u.a", "COLUMN core.u.a"),
            ("CONSTRAINT t_pkey ON s1.t", "CONSTRAINT t_pkey ON core.t2"),
            ("FUNCTION s1.f(a integer)", "FUNCTION other.g(a integer)"),
            ("OPERATOR s1.=== (s1.u, \"s 2\".u)", "OPERATOR core.=== (core.u, two.u)"),
            ("SCHEMA s1", "SCHEMA core"),
            ("TABLE xs1.t", "TABLE xs1.t"),
            ("COLUMN public.s1.t", "COLUMN public.s1.t"),
        ] {
            assert_eq!(renamed.now(old), new);
        }
    }
}
