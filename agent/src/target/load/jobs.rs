//! What the workers do, and in which order.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    forward::has_key,
    parts::TableWork,
    small::{Small, batches},
};
use crate::{
    target::schema::{Entry, Plan, TableEntries},
    wire::{PageRange, Relation},
};

/// One worker's work.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// Copy a part.
    Copy(Arc<Relation>, Option<PageRange>),
    /// Make the keys: each locks the table.
    Keys(Arc<Relation>, Vec<Entry>),
    /// Make an index.
    Index(Arc<Relation>, Entry),
    /// Statistics; then the table is done.
    Analyze(Arc<Relation>),
    /// All of that, for small tables.
    Small(Vec<Small>),
}

impl Job {
    /// Whether it reads from the source.
    fn is_copy(&self) -> bool {
        matches!(self, Self::Copy(..) | Self::Small(_))
    }

    /// Whether it waits for the servers' disks more than it takes of their processors.
    pub(super) fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }
}

/// Which jobs may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The next one.
    Any,
    /// Only what is not better done under the next snapshot.
    BeforeNewSnapshot,
}

/// How many copies may be under way when another one is begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtMost {
    /// When it is a part of a large table.
    pub(super) large: usize,
    /// When it is of small tables.
    pub(super) small: usize,
}

/// Jobs that can be begun, and those that wait for others.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Builds in front: the sooner a large table's index begins, the sooner all is done.
    ready: VecDeque<Job>,
    tables: HashMap<u32, Waiting>,
    /// Small tables that are not done.
    small: usize,
    /// Copies under way.
    copying: usize,
    /// How many there may be; none: as many as there are workers.
    at_most: Option<AtMost>,
    /// Tables whose last part has come.
    whole: Vec<Arc<Relation>>,
}

#[derive(Debug, Default)]
struct Waiting {
    parts: usize,
    /// Some parts of it are here, or on their way.
    begun: bool,
    /// Half copied, it can go on under another snapshot.
    can_wait: bool,
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
            let entries = plan.by_table.get(&work.relation.oid).cloned().unwrap_or_default();
            let can_wait = has_key(&work.relation);
            let TableEntries { keys, indexes } = entries;
            let waiting = Waiting { can_wait, keys, indexes, ..Default::default() };
            self.tables.insert(work.relation.oid, waiting);
            if work.copied {
                self.build(&Arc::new(work.relation));
            } else {
                self.put_parts(work);
            }
        }
    }

    fn put_parts(&mut self, work: TableWork) {
        let relation = Arc::new(work.relation);
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        (waiting.parts, waiting.begun) = (work.parts.len(), work.begun);
        let copies = work.parts.into_iter().map(|range| Job::Copy(Arc::clone(&relation), range));
        self.ready.extend(copies);
        if waiting.parts == 0 {
            self.whole.push(relation);
        }
    }

    /// What is still to be copied, now that there is another snapshot. Nothing may be under way under the one before.
    pub(super) fn renew(&mut self, tables: Vec<TableWork>) {
        self.ready.retain(|job| !matches!(job, Job::Copy(..)));
        for work in tables.into_iter().filter(|work| !work.copied) {
            self.put_parts(work);
        }
    }

    /// How many copies there may be at once, from now on: those under way go on. At least one is always begun.
    pub(super) fn limit_copies(&mut self, at_most: Option<AtMost>) {
        self.at_most = at_most;
    }

    /// Whether there is room for it beside the copies under way.
    fn has_room(&self, job: &Job) -> bool {
        let Some(most) = self.at_most else { return true };
        let most = if job.is_small() { most.small } else { most.large };
        !job.is_copy() || self.copying < most.max(1)
    }

    /// The next job that can be begun; only a small one if there is no room for a large one.
    pub(super) fn next(&mut self, turn: Turn, large: bool) -> Option<Job> {
        let at = self.ready.iter().position(|job| {
            (large || job.is_small())
                && self.has_room(job)
                && (turn == Turn::Any || !self.can_wait(job))
        })?;
        let job = self.ready.remove(at)?;
        self.copying += usize::from(job.is_copy());
        if let Job::Copy(relation, _) = &job
            && let Some(waiting) = self.tables.get_mut(&relation.oid)
        {
            waiting.begun = true;
        }
        Some(job)
    }

    /// Whether the next snapshot is as good for it.
    fn can_wait(&self, job: &Job) -> bool {
        match job {
            Job::Small(_) => true,
            Job::Copy(relation, _) => self
                .tables
                .get(&relation.oid)
                .is_some_and(|waiting| waiting.can_wait || !waiting.begun),
            Job::Keys(..) | Job::Index(..) | Job::Analyze(_) => false,
        }
    }

    /// Nothing needs the snapshot of now any more.
    pub(super) fn can_renew(&self) -> bool {
        let needs = |job: &Job| matches!(job, Job::Copy(..)) && !self.can_wait(job);
        self.copying == 0 && !self.ready.iter().any(needs)
    }

    /// Tables whose last part has come since the last call: to be recorded, and then to be built.
    pub(super) fn take_whole(&mut self) -> Vec<Arc<Relation>> {
        std::mem::take(&mut self.whole)
    }

    /// A table's rows are there, and recorded: its keys can be made.
    pub(super) fn build(&mut self, relation: &Arc<Relation>) {
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        let keys = std::mem::take(&mut waiting.keys);
        self.ready.push_front(Job::Keys(Arc::clone(relation), keys));
    }

    /// A job is done; what waited for it can begin.
    pub(super) fn finished(&mut self, job: &Job) {
        match job {
            Job::Small(tables) => {
                self.copying -= 1;
                self.small -= tables.len();
            }
            Job::Copy(relation, _) => {
                self.copying -= 1;
                self.copied(relation);
            }
            Job::Keys(relation, _) => self.keys_made(relation),
            Job::Index(relation, _) => self.index_made(relation),
            Job::Analyze(relation) => {
                self.tables.remove(&relation.oid);
            }
        }
    }

    fn copied(&mut self, relation: &Arc<Relation>) {
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        waiting.parts -= 1;
        if waiting.parts == 0 {
            self.whole.push(Arc::clone(relation));
        }
    }

    fn keys_made(&mut self, relation: &Arc<Relation>) {
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        let indexes = std::mem::take(&mut waiting.indexes);
        waiting.indexes_running = indexes.len();
        if indexes.is_empty() {
            self.ready.push_front(Job::Analyze(Arc::clone(relation)));
        }
        for entry in indexes {
            self.ready.push_front(Job::Index(Arc::clone(relation), entry));
        }
    }

    fn index_made(&mut self, relation: &Arc<Relation>) {
        let Some(waiting) = self.tables.get_mut(&relation.oid) else { return };
        waiting.indexes_running -= 1;
        if waiting.indexes_running == 0 {
            self.ready.push_front(Job::Analyze(Arc::clone(relation)));
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
        target::{limits::PART_PAGES, schema::Plan},
        wire::{Column, KeyEquality, Publish, TableIdentity},
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

    fn range(from: u32) -> PageRange {
        PageRange { from, to: Some(from + PART_PAGES) }
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
        let parts = match pages.div_ceil(PART_PAGES) {
            0 | 1 => vec![None],
            parts => (0..parts).map(|at| Some(range(at * PART_PAGES))).collect(),
        };
        TableWork { relation, copied, parts, begun: false }
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
        loop {
            for relation in board.take_whole() {
                seen.push(format!("whole{}", relation.oid));
                board.build(&relation);
            }
            let Some(job) = board.next(Turn::Any, true) else { break };
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
                "keys2", "analyze2", "copy1", "copy1", "copy1", "copy1", "whole1", "keys1",
                "index1", "index1", "analyze1", "small3"
            ]
        );
        assert!(board.is_complete());
    }

    #[test]
    fn small_tables_fill_up_beside_large_ones() {
        let tables = vec![table(1, 60_000, false), table(2, 1, false)];
        let mut board = Board::new(tables, &Plan::default());
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Copy(..))));
        assert!(matches!(board.next(Turn::Any, false), Some(Job::Small(_))));
        assert!(board.next(Turn::Any, false).is_none());
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Copy(..))));
    }

    #[test]
    fn copies_make_way_and_builds_do_not() {
        let mut plan = Plan::default();
        plan.by_table.entry(2).or_default().indexes = vec![entry(2, "INDEX"), entry(3, "INDEX")];
        let tables = vec![table(1, 60_000, false), table(2, 60_000, true), table(3, 1, false)];
        let mut board = Board::new(tables, &plan);
        let at_most = |large, small| Some(AtMost { large, small });
        board.limit_copies(at_most(1, 1));
        let keys = board.next(Turn::Any, true).unwrap();
        let first = board.next(Turn::Any, true).unwrap();
        assert!(matches!((&keys, &first), (Job::Keys(..), Job::Copy(..))));
        assert!(board.next(Turn::Any, true).is_none(), "no second copy, large or small");
        board.finished(&keys);
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Index(..))));
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Index(..))));
        board.limit_copies(None);
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Copy(..))));
        board.limit_copies(at_most(2, 3));
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Small(_))), "of these more");
        board.limit_copies(at_most(0, 0));
        assert!(board.next(Turn::Any, true).is_none());
        for _ in 0..2 {
            board.finished(&first);
        }
        board.limit_copies(at_most(2, 2));
        assert!(matches!(board.next(Turn::Any, true), Some(Job::Copy(..))), "one has room again");
    }

    #[test]
    fn before_a_new_snapshot_only_what_needs_the_old_one_is_begun() {
        let keyed = |oid| {
            let mut work = table(oid, 60_000, false);
            work.relation.columns.push(key_column());
            work
        };
        // 1 has no key and is begun, 2 has none, 3 has one, 4 is small.
        let mut begun = table(1, 60_000, false);
        begun.begun = true;
        let tables = vec![begun, table(2, 60_000, false), keyed(3), table(4, 1, false)];
        let mut board = Board::new(tables, &Plan::default());
        for _ in 0..4 {
            assert!(!board.can_renew());
            let job = board.next(Turn::BeforeNewSnapshot, true).unwrap();
            assert!(matches!(&job, Job::Copy(relation, _) if relation.oid == 1));
            assert!(!board.can_renew(), "it is on its way");
            board.finished(&job);
        }
        assert!(board.can_renew());
        assert!(board.next(Turn::BeforeNewSnapshot, true).is_none());
        let mut left = keyed(3);
        left.parts.truncate(1);
        board.renew(vec![table(2, 60_000, false), left]);
        let copies =
            std::iter::from_fn(|| board.next(Turn::Any, true)).filter_map(|job| match job {
                Job::Copy(relation, _) => Some(relation.oid),
                _ => None,
            });
        assert_eq!(copies.collect::<Vec<_>>(), [2, 2, 2, 2, 3]);
    }

    fn key_column() -> Column {
        Column {
            name: "id".into(),
            type_oid: 23,
            typmod: -1,
            type_name: "integer".into(),
            exact_equality: true,
            key: Some(KeyEquality { operator: "=".into(), collation: None }),
            identity_always: false,
        }
    }
}
