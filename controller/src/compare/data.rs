//! Rows: tables of both sides in pairs, each pair's sums by chunks, and row by row what is left of those that differ.
use std::cmp::Ordering;

use whimbrel_proto::{
    agent::v1::TableSketch,
    v1::{self, ComparedTable, Verdict, compare_response::Kind},
};

use super::{
    CompareError, Pair, Standing, Teller,
    rounds::{Division, Settled, settle},
    side::Side,
    sums::Sums,
};

/// Rows that one chunk should have: few, so that what an application changes meanwhile spoils little.
const ROWS_PER_CHUNK: u64 = 64;

/// Chunks of one table: some megabytes of sums.
const CHUNKS_MAX: u64 = 65_536;

/// Rows of one table that are told apart one by one: what 64-bit numbers of them take here is a megabyte.
const ROWS_MAX: u64 = 20_000;

/// Heap pages of the tables that are compared together: a question's worth.
const BATCH_PAGES: u64 = 32_768;

/// Tables that are compared together.
const BATCH_TABLES: usize = 200;

/// A page with rows of a table that was never analysed: a guess, only for the number of chunks.
const ROWS_PER_PAGE: u64 = 60;

/// A table that is on both sides.
pub(super) struct Subject {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) chunks: u64,
    pub(super) source_pages: u64,
    pub(super) target_pages: u64,
    materialized_view: bool,
}

/// Said of one that was filled with other rows on each side.
const STALE: &str = "a materialized view: the cutover fills the target's with what its query gives then, the source's has what it was filled \
    with last (refresh materialized view)";

/// Compares every table.
pub(super) async fn compare(
    pair: &Pair,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    let (mut source, mut target) =
        (Tables::new(&pair.source, pair), Tables::new(&pair.target, pair));
    let (mut ours, mut theirs) = (source.next().await?, target.next().await?);
    let mut batch = Vec::new();
    let mut pages = 0;
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.label.cmp(&theirs.label),
        };
        let left = if order.is_le() { ours.take() } else { None };
        let right = if order.is_ge() { theirs.take() } else { None };
        match paired(pair, left, right) {
            Paired::Both(subject) => {
                pages += subject.source_pages.max(subject.target_pages);
                batch.push(subject);
            }
            Paired::Told(table) => tell_table(table, tell, done).await?,
            Paired::Skipped => {}
        }
        if pages >= BATCH_PAGES || batch.len() >= BATCH_TABLES {
            compare_batch(pair, std::mem::take(&mut batch), tell, done).await?;
            pages = 0;
        }
        if order.is_le() {
            ours = source.next().await?;
        }
        if order.is_ge() {
            theirs = target.next().await?;
        }
    }
    compare_batch(pair, batch, tell, done).await
}

enum Paired {
    Both(Subject),
    Told(ComparedTable),
    Skipped,
}

fn paired(pair: &Pair, source: Option<TableSketch>, target: Option<TableSketch>) -> Paired {
    let only = |table: TableSketch, verdict: Verdict| ComparedTable {
        schema: table.schema,
        table: table.name,
        verdict: verdict.into(),
        ..Default::default()
    };
    let (source, target) = match (source, target) {
        (None, None) => return Paired::Skipped,
        // Whether one is filled is compared as a part of its definition.
        (Some(table), None) | (None, Some(table)) if table.materialized_view => {
            return Paired::Skipped;
        }
        // Large objects are carried by the cutover.
        (Some(table), None)
            if pair.standing == Standing::Following && is_of_large_objects(&table) =>
        {
            return Paired::Told(only(table, Verdict::Pending));
        }
        (Some(table), None) => return Paired::Told(only(table, Verdict::OnlyOnSource)),
        (None, Some(table)) => return Paired::Told(only(table, Verdict::OnlyOnTarget)),
        (Some(source), Some(target)) => (source, target),
    };
    let at_cutover = source.materialized_view || is_of_large_objects(&source);
    if pair.standing == Standing::Following && at_cutover {
        return Paired::Told(only(source, Verdict::Pending));
    }
    if source.columns != target.columns {
        let note = "its columns are not the same on both sides: its rows were not compared".into();
        return Paired::Told(ComparedTable { note, ..only(source, Verdict::Differs) });
    }
    let rows = |table: &TableSketch| match table.rows_estimate {
        0 => table.pages * ROWS_PER_PAGE,
        rows => rows,
    };
    let chunks = rows(&source).max(rows(&target)) / ROWS_PER_CHUNK;
    Paired::Both(Subject {
        chunks: chunks.clamp(1, CHUNKS_MAX).next_power_of_two(),
        source_pages: source.pages,
        target_pages: target.pages,
        materialized_view: source.materialized_view,
        schema: source.schema,
        name: source.name,
        columns: source.columns,
        key: source.key,
    })
}

fn is_of_large_objects(table: &TableSketch) -> bool {
    (table.schema.as_str(), table.name.as_str()) == ("pg_catalog", "pg_largeobject")
}

async fn compare_batch(
    pair: &Pair,
    subjects: Vec<Subject>,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let salt = rand::random::<i64>();
    let whole = subjects.iter().enumerate().map(|(at, subject)| Division {
        at,
        chunks: subject.chunks,
        enough: ROWS_MAX,
        ..Division::default()
    });
    let chunks = settle(pair, &subjects, salt, whole.collect()).await?;
    let mut left = Vec::new();
    let mut by_row = Vec::new();
    for (at, settled) in chunks.iter().enumerate() {
        if let Some((division, all)) = rows_of(at, &subjects[at], settled) {
            by_row.push(division);
            left.push((at, all));
        }
    }
    let mut rows: Vec<Option<(Settled, bool)>> = subjects.iter().map(|_| None).collect();
    for ((at, all), settled) in left.into_iter().zip(settle(pair, &subjects, salt, by_row).await?) {
        rows[at] = Some((settled, all));
    }
    let following = pair.standing == Standing::Following;
    for ((subject, chunks), rows) in subjects.into_iter().zip(chunks).zip(rows) {
        tell_table(verdict(subject, &chunks, rows, following), tell, done).await?;
    }
    Ok(())
}

/// The chunks that differ, row by row, as far as there is room; and whether that is all of them.
fn rows_of(at: usize, subject: &Subject, settled: &Settled) -> Option<(Division, bool)> {
    let mut within = Vec::new();
    let mut rows = 0;
    let mut all = true;
    for chunk in settled.differing.iter().chain(&settled.changing) {
        let count = |sums: &Sums| sums.get(chunk).map_or(0, |sum| sum.0);
        rows += count(&settled.source).max(count(&settled.target));
        if rows > ROWS_MAX {
            all = false;
            break;
        }
        within.push(*chunk);
    }
    let division = Division { at, within_chunks: subject.chunks, within, ..Division::default() };
    (!division.within.is_empty()).then_some((division, all))
}

fn verdict(
    subject: Subject,
    chunks: &Settled,
    rows: Option<(Settled, bool)>,
    following: bool,
) -> ComparedTable {
    let total = |sums: &Sums| sums.values().map(|sum| sum.0).sum();
    let mut table = ComparedTable {
        schema: subject.schema,
        table: subject.name,
        source_rows: total(&chunks.source),
        target_rows: total(&chunks.target),
        chunks: u32::try_from(subject.chunks).unwrap_or(u32::MAX),
        ..Default::default()
    };
    let failure = rows.as_ref().and_then(|(rows, _)| rows.failure.as_ref());
    if let Some((code, message)) = chunks.failure.as_ref().or(failure) {
        table.set_verdict(Verdict::Undecided);
        table.note = if code.is_empty() { message.clone() } else { format!("{code}: {message}") };
        return table;
    }
    let for_good = if following {
        chunks.differing.len()
    } else {
        chunks.differing.len() + chunks.changing.len()
    };
    let mut differs = for_good > 0;
    let mut undecided = !chunks.changing.is_empty() && rows.is_none();
    if let Some((rows, all)) = &rows {
        differs |= count_rows(rows, following, &mut table);
        undecided |= following && !all && !chunks.changing.is_empty();
    }
    table.differing_chunks =
        if differs { u32::try_from(for_good.max(1)).unwrap_or(u32::MAX) } else { 0 };
    table.set_verdict(match (differs, undecided) {
        (true, _) => Verdict::Differs,
        (false, true) => Verdict::Undecided,
        (false, false) => Verdict::Equal,
    });
    note(&mut table);
    if differs && subject.materialized_view {
        table.set_verdict(Verdict::Stale);
        STALE.clone_into(&mut table.note);
    }
    table
}

/// Whether rows differ for good; how many and how goes into `table`.
fn count_rows(rows: &Settled, following: bool, table: &mut ComparedTable) -> bool {
    let none: &[u64] = &[];
    let (differing, changing) = match following {
        true => (rows.differing.as_slice(), rows.changing.as_slice()),
        false => (rows.changing.as_slice(), none),
    };
    for row in differing {
        let count = |sums: &Sums| sums.get(row).map_or(0, |sum| sum.0);
        let (source, target) = (count(&rows.source), count(&rows.target));
        match source.cmp(&target) {
            Ordering::Greater => table.rows_only_on_source += source - target,
            Ordering::Less => table.rows_only_on_target += target - source,
            Ordering::Equal => table.rows_not_alike += source,
        }
    }
    table.rows_changing = u64::try_from(changing.len()).unwrap_or(u64::MAX);
    !differing.is_empty()
}

fn note(table: &mut ComparedTable) {
    match table.verdict() {
        Verdict::Equal => {
            // What was changed between the two looks.
            table.source_rows = table.target_rows;
            if table.rows_changing > 0 {
                table.note = format!(
                    "{} rows were changed at every look, and could not be compared: compare again when they rest",
                    table.rows_changing
                );
            }
        }
        Verdict::Undecided => {
            table.note =
                "too many rows were changed at every look: compare again when they rest".into();
        }
        _ => {}
    }
}

async fn tell_table(
    table: ComparedTable,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    done.tables += 1;
    match table.verdict() {
        Verdict::Equal | Verdict::Pending | Verdict::Stale => {}
        Verdict::Undecided => done.undecided_tables += 1,
        _ => done.differing_tables += 1,
    }
    tell.send(Kind::Table(table)).await
}

/// One side's tables, a page in memory.
struct Tables<'a> {
    side: &'a Side,
    pair: &'a Pair,
    waiting: std::vec::IntoIter<TableSketch>,
    next: Option<String>,
}

impl<'a> Tables<'a> {
    fn new(side: &'a Side, pair: &'a Pair) -> Self {
        Self { side, pair, waiting: Vec::new().into_iter(), next: Some(String::new()) }
    }

    async fn next(&mut self) -> Result<Option<TableSketch>, CompareError> {
        loop {
            if let Some(table) = self.waiting.next() {
                return Ok(Some(table));
            }
            let Some(after) = self.next.take() else { return Ok(None) };
            let page = self.side.tables(&after, &self.pair.scope).await?;
            self.next = (!page.next.is_empty()).then_some(page.next);
            self.waiting = page.tables.into_iter();
        }
    }
}
