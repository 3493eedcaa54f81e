//! Which entry of the dump runs when.
use std::collections::HashMap;

use super::Entry;
use crate::wire::Catalog;

/// What pg_restore's own script sets before it begins, less what the target's version may not know, for one transaction.
pub(crate) const RESTORE_SETTINGS: &str = "set local check_function_bodies = false; \
    set local xmloption = content; set local row_security = off; set local search_path = ''; \
    set local standard_conforming_strings = on; set local client_min_messages = warning";

/// The moments at which entries can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// As soon as the rows of its table are there, beside other tables'.
    Table(u32),
    /// When all tables are there, one after the other.
    AllTables,
    /// When the rows of all tables are of one moment.
    ForeignKeys,
    /// When no more changes come.
    Quiet,
    /// In the transaction of the switch: what would act on our own writes, or on nothing but the application's.
    Switch,
}

/// The dump's entries, each at its stage, in the dump's order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Everything before the rows, in order.
    pub before: Vec<Entry>,
    /// Keys and indexes, by table (OID on the source).
    pub by_table: HashMap<u32, TableEntries>,
    /// See [`Stage::AllTables`].
    pub all_tables: Vec<Entry>,
    /// See [`Stage::ForeignKeys`].
    pub foreign_keys: Vec<Entry>,
    /// See [`Stage::Quiet`].
    pub quiet: Vec<Entry>,
    /// See [`Stage::Switch`].
    pub switch: Vec<Entry>,
}

/// What is built on one table.
#[derive(Debug, Default, Clone)]
pub struct TableEntries {
    /// PRIMARY KEY, UNIQUE, EXCLUDE: each locks the table against the others, so one after the other, before the indexes.
    pub keys: Vec<Entry>,
    /// Plain indexes: beside each other.
    pub indexes: Vec<Entry>,
}

/// How an event trigger of ours ends; between versions every name is quoted.
const OUR_FUNCTIONS: [&str; 2] = [" EXECUTE FUNCTION whimbrel.", " EXECUTE FUNCTION \"whimbrel\"."];

impl Plan {
    /// Sorts the entries of both sections.
    pub fn new(before: Vec<Entry>, after: Vec<Entry>, catalog: &Catalog, ours: &[&str]) -> Self {
        let owners: HashMap<u32, u32> = catalog.owners.iter().copied().collect();
        let loaded: std::collections::HashSet<u32> =
            catalog.relations.iter().map(|relation| relation.oid).collect();
        let mut plan = Self { before, ..Self::default() };
        for entry in after {
            // Our own publications are dumped too, and those of other migrations: they are the source's, not the database's.
            if entry.kind.starts_with("PUBLICATION")
                && (ours.iter().any(|name| is_about(&entry.tag, name))
                    || is_of_a_migration(&entry.tag))
            {
                continue;
            }
            // So are our event triggers, of this migration or of another.
            if entry.kind == "EVENT TRIGGER"
                && OUR_FUNCTIONS.iter().any(|one| entry.sql.contains(one))
            {
                continue;
            }
            let table = owners.get(&entry.oid).copied().filter(|table| loaded.contains(table));
            plan.put(stage(&entry, table), entry);
        }
        plan
    }

    fn put(&mut self, stage: Stage, entry: Entry) {
        match stage {
            Stage::Table(table) => {
                let entries = self.by_table.entry(table).or_default();
                if entry.kind == "CONSTRAINT" { &mut entries.keys } else { &mut entries.indexes }
                    .push(entry);
            }
            Stage::AllTables => self.all_tables.push(entry),
            Stage::ForeignKeys => self.foreign_keys.push(entry),
            Stage::Quiet => self.quiet.push(entry),
            Stage::Switch => self.switch.push(entry),
        }
    }
}

/// `table`: the loaded table that the entry is built on, if it is built on one.
fn stage(entry: &Entry, table: Option<u32>) -> Stage {
    match (entry.kind.as_str(), table) {
        ("INDEX" | "CONSTRAINT", Some(table)) => Stage::Table(table),
        ("FK CONSTRAINT", _) => Stage::ForeignKeys,
        ("MATERIALIZED VIEW DATA", _) => Stage::Quiet,
        // A view's own query is a rule too, and others may depend on it.
        ("RULE", _) if entry.tag.ends_with(" _RETURN") => Stage::AllTables,
        (
            "TRIGGER" | "RULE" | "EVENT TRIGGER" | "POLICY" | "ROW SECURITY" | "COMMENT"
            | "SECURITY LABEL",
            _,
        ) => Stage::Switch,
        (kind, _) if kind.starts_with("PUBLICATION") => Stage::Switch,
        _ => Stage::AllTables,
    }
}

/// "whimbrel_0123456789ab_0", or "whimbrel_0123456789ab_0_keyless table": a migration's publications are named by its slot.
fn is_of_a_migration(tag: &str) -> bool {
    let name = tag.split(' ').next().unwrap_or_default();
    let Some(rest) = name.strip_prefix("whimbrel_") else { return false };
    let rest = rest.strip_suffix("_keyless").unwrap_or(rest);
    rest.split_once('_').is_some_and(|(uid, index)| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        uid.len() == 12
            && uid.bytes().all(is_hex)
            && !index.is_empty()
            && index.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// "NAME", or "NAME table".
fn is_about(tag: &str, name: &str) -> bool {
    tag.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, tag: &str) -> Entry {
        Entry {
            dump_id: 1,
            class: 0,
            oid: 0,
            kind: kind.into(),
            tag: tag.into(),
            sql: String::new(),
        }
    }

    #[test]
    fn what_acts_on_writes_waits_for_the_switch() {
        for kind in ["TRIGGER", "EVENT TRIGGER", "POLICY", "ROW SECURITY", "PUBLICATION TABLE"] {
            assert_eq!(stage(&entry(kind, "t x"), None), Stage::Switch, "{kind}");
        }
        assert_eq!(stage(&entry("RULE", "v _RETURN"), None), Stage::AllTables);
        assert_eq!(stage(&entry("RULE", "v r"), None), Stage::Switch);
    }

    #[test]
    fn a_partitioned_tables_index_waits_for_all_tables() {
        assert_eq!(stage(&entry("INDEX", "i"), None), Stage::AllTables);
        assert_eq!(stage(&entry("INDEX", "i"), Some(5)), Stage::Table(5));
    }

    #[test]
    fn our_publications_stay_behind() {
        let catalog = Catalog { server_version: 150_000, ..Catalog::default() };
        let after = vec![
            entry("PUBLICATION", "ours"),
            entry("PUBLICATION TABLE", "ours t"),
            entry("PUBLICATION", "ours2"),
            entry("PUBLICATION", "whimbrel_0123456789ab_0"),
            entry("PUBLICATION TABLE", "whimbrel_0123456789ab_0_keyless t"),
            entry("PUBLICATION", "whimbrel_of_the_app"),
        ];
        let plan = Plan::new(vec![], after, &catalog, &["ours"]);
        assert_eq!(plan.switch.len(), 2);
    }
}
