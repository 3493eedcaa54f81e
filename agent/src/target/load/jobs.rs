//! What the workers do, and in which order.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    parts::{TableWork, ranges},
    small::{Small, batches},
};
use crate::{
    target::schema::{Entry, Plan},
    wire::{PageRange, Relation},
};

/// One worker's work.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// Copy a part.
    Copy(Arc<Relation>, Option<PageRange>),
    /// Record that all parts are there, then make the keys: each locks the table.
    Keys(Arc<Relation>, Vec<Entry>),
    /// Make an index.
    Index(Arc<Relation>, Entry),
    /// Statistics; then the table is done.
    Analyze(Arc<Relation>),
    /// All of that, for small tables.
    Small(Vec<Small>),
}

/// Jobs that can be begun, and those that wait for others.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Builds in front: the sooner a large table's index begins, the sooner all is done.
    ready: VecDeque<Job>,
    tables: HashMap<u32, Waiting>,
    /// Small tables that are not done.
    small: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    parts: usize,
    keys: Vec<Entry>,
    indexes: Vec<Entry>,
    indexes_running: usize,
}

impl Board {
    /// The tables in the given order, the largest first.
    pub(super) fn new(tables: Vec<TableWork>, plan: &Plan) -> Self {
        let mut board = Self::default();
        let (small, large): (Vec<_>, Vec<_>) = tables.into_iter().partition(TableWork::is_small);
        board.put_large(large, plan);
        let small: Vec<Small> = small
            .into_iter()
            .map(|work| Small {
                entries: plan.by_table.get(&work.relation.oid).cloned().unwrap_or_default(),
                relation: Arc::new(work.relation),
            })
            .collect();
        board.small = small.len();
        board.ready.extend(batches(small).into_iter().map(Job::Small));
        board
    }

    fn put_large(&mut self, tables: Vec<TableWork>, plan: &Plan) {
        for work in tables {
            let relation = Arc::new(work.relation);
            let entries = plan.by_table.get(&relation.oid).cloned().unwrap_or_default();
            let mut waiting =
                Waiting { keys: entries.keys, indexes: entries.indexes, ..Default::default() };
            if work.copied {
                let keys = std::mem::take(&mut waiting.keys);
                self.ready.push_front(Job::Keys(Arc::clone(&relation), keys));
            } else {
                let ranges = ranges(relation.pages, work.whole);
                waiting.parts = ranges.len();
                for range in ranges {
                    self.ready.push_back(Job::Copy(Arc::clone(&relation), range));
                }
            }
            self.tables.insert(relation.oid, waiting);
        }
    }

    /// The next job that can be begun.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.ready.pop_front()
    }

    /// A job is done; what waited for it can begin.
    pub(super) fn finished(&mut self, job: &Job) {
        let (Job::Copy(relation, _)
        | Job::Keys(relation, _)
        | Job::Index(relation, _)
        | Job::Analyze(relation)) = job
        else {
            if let Job::Small(tables) = job {
                self.small -= tables.len();
            }
            return;
        };
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        match job {
            Job::Copy(..) => {
                waiting.parts -= 1;
                if waiting.parts == 0 {
                    let keys = std::mem::take(&mut waiting.keys);
                    self.ready.push_front(Job::Keys(Arc::clone(relation), keys));
                }
            }
            Job::Keys(..) => {
                let indexes = std::mem::take(&mut waiting.indexes);
                waiting.indexes_running = indexes.len();
                if indexes.is_empty() {
                    self.ready.push_front(Job::Analyze(Arc::clone(relation)));
                }
                for entry in indexes {
                    self.ready.push_front(Job::Index(Arc::clone(relation), entry));
                }
            }
            Job::Index(..) => {
                waiting.indexes_running -= 1;
                if waiting.indexes_running == 0 {
                    self.ready.push_front(Job::Analyze(Arc::clone(relation)));
                }
            }
            Job::Analyze(_) | Job::Small(_) => {
                self.tables.remove(&relation.oid);
            }
        }
    }

    /// Every table went all the way.
    pub(super) fn is_complete(&self) -> bool {
        self.tables.is_empty() && self.small == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        target::schema::Plan,
        wire::{Publish, TableIdentity},
    };

    fn entry(dump_id: i32, kind: &str) -> Entry {
        Entry {
            dump_id,
            class: 0,
            oid: 0,
            kind: kind.into(),
            tag: String::new(),
            sql: String::new(),
        }
    }

    fn table(oid: u32, pages: u32, copied: bool) -> TableWork {
        let relation = Relation {
            oid,
            schema: "public".into(),
            name: format!("t{oid}"),
            pages,
            bytes: 0,
            columns: vec![],
            identity: TableIdentity::Key,
            publish: Publish::All,
            file: None,
            conflicts: false,
            binary: true,
        };
        TableWork { relation, copied, whole: false }
    }

    #[test]
    fn a_table_goes_rows_keys_indexes_statistics() {
        let mut plan = Plan::default();
        let entries = plan.by_table.entry(1).or_default();
        entries.keys.push(entry(1, "CONSTRAINT"));
        entries.indexes = vec![entry(2, "INDEX"), entry(3, "INDEX")];
        let tables = vec![table(1, 60_000, false), table(2, 1, true), table(3, 1, false)];
        let mut board = Board::new(tables, &plan);
        let mut seen = Vec::new();
        while let Some(job) = board.next() {
            seen.push(match &job {
                Job::Copy(r, _) => format!("copy{}", r.oid),
                Job::Keys(r, _) => format!("keys{}", r.oid),
                Job::Index(r, _) => format!("index{}", r.oid),
                Job::Analyze(r) => format!("analyze{}", r.oid),
                Job::Small(tables) => format!("small{}", tables[0].relation.oid),
            });
            assert!(!board.is_complete());
            board.finished(&job);
        }
        assert_eq!(
            seen,
            [
                "keys2", "analyze2", "copy1", "copy1", "copy1", "copy1", "keys1", "index1",
                "index1", "analyze1", "small3"
            ]
        );
        assert!(board.is_complete());
    }
}
