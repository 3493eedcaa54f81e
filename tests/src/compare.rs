//! Are two databases the same? Every row of every table, every sequence, and the schema as `pg_dump` writes it.
//!
//! Nothing is taken from the programs under test, nor from what they left in the databases.
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read, Write as _},
    process::Command,
};

use postgres::{Client, GenericClient, IsolationLevel, Transaction};

use crate::{Context, Outcome, installation::stdout};

/// Enough of a difference to see what it is.
const SHOWN_LENGTH: usize = 200;

/// Text forms that do not depend on the server's settings, and memory for the sorts.
const SETTINGS: &str = "
set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local extra_float_digits = 3;
set local bytea_output = 'hex'; set local timezone = 'UTC'; set local xmloption = 'content';
set local search_path = pg_catalog; set local row_security = off; set local work_mem = '256MB'";

const ROUNDED: &str = "set local extra_float_digits = 0";

const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%'";

// What is in one is as old as its last REFRESH, here and there; that it can be read is the same.
const FILLED_VIEWS: &str = "
select format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'm' and c.relispopulated";

const SEQUENCES: &str = "
select format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and n.nspname not like 'pg\\_temp%'";

/// Minor releases of 2026 keep a number for themselves among a column's options, and an older pg_dump writes it.
const OWN_MARK: &str = " SET (pg_attver=";

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Tables that both have.
    pub tables: usize,
    /// Rows that were compared.
    pub rows: u64,
    /// Sequences that both have.
    pub sequences: usize,
    /// Where they differ; empty when they are the same.
    pub differences: Vec<String>,
    /// Those of the differences that a crash of the source after the switch explains: sequences that leapt ahead there.
    pub leaps: Vec<String>,
}

/// Every sequence.
pub type Sequences = BTreeMap<String, Sequence>;

/// The columns of a sequence.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as the columns")]
pub struct Sequence {
    pub last_value: i64,
    pub is_called: bool,
    pub log_cnt: i64,
}

/// How far a crash makes a sequence leap, at most: WAL has it 32 draws (`SEQ_LOG_VALS`) ahead of what a session has cached,
/// and the bank's tickets go by sevens, five at once.
const LEAP_MAX: i64 = (32 + 5) * 7;

/// Compares the tables and sequences of two databases, as they are now.
///
/// # Errors
/// When one of them can't be read.
pub fn compare(source: &mut Client, target: &mut Client) -> Outcome<Comparison> {
    let (mut source, mut target) = (pin(source)?, pin(target)?);
    let versions = "select min(current_setting('server_version_num')::int)";
    let mut old = false;
    for side in [&mut source, &mut target] {
        old |= side.query_one(versions, &[])?.get::<_, i32>(0) < 120_000;
    }
    if old {
        // Before 12 a float is written with all its digits, from then on with as few as tell it apart. Rounded they are the
        // same; whoever compares such versions looks at the floats' own bytes besides.
        source.batch_execute(ROUNDED)?;
        target.batch_execute(ROUNDED)?;
    }
    let sequences = (sequences(&mut source)?, sequences(&mut target)?);
    compare_pinned(&mut source, &mut target, &sequences.0, &sequences.1)
}

/// Holds a database as it is now: what is read in this transaction is of this moment.
///
/// # Errors
/// When the connection is gone.
pub fn pin(client: &mut Client) -> Outcome<Transaction<'_>> {
    let mut transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()?;
    transaction.batch_execute(SETTINGS)?;
    Ok(transaction)
}

/// Every sequence as it is now: sequences know no transactions, so a pinned database does not hold them.
///
/// # Errors
/// When one can't be read.
pub fn sequences(client: &mut impl GenericClient) -> Outcome<Sequences> {
    let mut found = Sequences::new();
    for name in names(client, SEQUENCES)? {
        let sql = format!("select last_value, is_called, log_cnt from {name}");
        let row = client.query_one(&sql, &[])?;
        let (last_value, is_called, log_cnt) = (row.get(0), row.get(1), row.get(2));
        found.insert(name, Sequence { last_value, is_called, log_cnt });
    }
    Ok(found)
}

/// Compares two pinned databases, and the sequences that were read when they were pinned.
///
/// # Errors
/// When one of them can't be read.
pub fn compare_pinned(
    source: &mut Transaction<'_>,
    target: &mut Transaction<'_>,
    source_sequences: &Sequences,
    target_sequences: &Sequences,
) -> Outcome<Comparison> {
    let mut found = Comparison::default();
    compare_sequences(source_sequences, target_sequences, &mut found);
    let (ours, theirs) = (names(source, TABLES)?, names(target, TABLES)?);
    for name in ours.symmetric_difference(&theirs) {
        found.differences.push(format!("table {name} is on one side only"));
    }
    for name in names(source, FILLED_VIEWS)?.symmetric_difference(&names(target, FILLED_VIEWS)?) {
        found.differences.push(format!("materialized view {name} is filled on one side only"));
    }
    for name in ours.intersection(&theirs) {
        found.tables += 1;
        let compared = compare_table(source, target, name, &mut found.differences)
            .context(|| format!("compare {name}"))?;
        found.rows += compared;
    }
    Ok(found)
}

fn compare_sequences(source: &Sequences, target: &Sequences, found: &mut Comparison) {
    let names: BTreeSet<_> = source.keys().chain(target.keys()).collect();
    for name in names {
        found.sequences += 1;
        let (ours, theirs) = (source.get(name), target.get(name));
        let drawn = |it: &Sequence| (it.last_value, it.is_called);
        if ours.map(drawn) == theirs.map(drawn) {
            continue;
        }
        let difference = format!("sequence {name}: {ours:?} became {theirs:?}");
        if ours.zip(theirs).is_some_and(|(ours, theirs)| is_leap(ours, theirs)) {
            found.leaps.push(difference.clone());
        }
        found.differences.push(difference);
    }
}

/// Nobody has drawn from it since it leapt.
fn is_leap(ours: &Sequence, theirs: &Sequence) -> bool {
    let ahead = ours.last_value - theirs.last_value;
    ours.is_called && ours.log_cnt == 0 && (1..=LEAP_MAX).contains(&ahead)
}

fn names(client: &mut impl GenericClient, sql: &str) -> Outcome<BTreeSet<String>> {
    Ok(client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}

/// Both sides' rows as text, sorted by the bytes of the text, line by line side by side; so the order in which a table
/// has its rows, and rows that are there twice, are no matter.
fn compare_table(
    source: &mut Transaction<'_>,
    target: &mut Transaction<'_>,
    name: &str,
    differences: &mut Vec<String>,
) -> Outcome<u64> {
    let copy = format!(
        "copy (select * from {name} as one_row order by one_row::text collate \"C\") to stdout"
    );
    let mut ours = Lines::new(source.copy_out(&copy)?);
    let mut theirs = Lines::new(target.copy_out(&copy)?);
    let mut rows = 0;
    loop {
        let (left, right) = (ours.next()?, theirs.next()?);
        if left != right {
            differences.push(format!(
                "table {name}, row {} of the sorted ones: {} became {}",
                rows + 1,
                shown(left),
                shown(right)
            ));
            return Ok(rows);
        }
        if left.is_none() {
            return Ok(rows);
        }
        rows += 1;
    }
}

struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new() }
    }

    fn next(&mut self) -> Outcome<Option<&[u8]>> {
        self.line.clear();
        // COPY's text format escapes a newline inside a value, so a line is a row.
        let length = self.reader.read_until(b'\n', &mut self.line)?;
        Ok((length > 0).then_some(self.line.as_slice()))
    }
}

fn shown(line: Option<&[u8]>) -> String {
    line.map_or_else(
        || "no row".to_owned(),
        |line| String::from_utf8_lossy(&line[..line.len().min(SHOWN_LENGTH)]).trim_end().to_owned(),
    )
}

/// Compares two schemas as `pg_dump` writes them; gives the lines that only one of them has.
///
/// # Errors
/// When a dump fails.
pub fn compare_schemas(source: Command, target: Command) -> Outcome<Vec<String>> {
    let (ours, theirs) = (schema(source)?, schema(target)?);
    if ours == theirs {
        return Ok(Vec::new());
    }
    let only = |these: &[String], those: &[String], side: &str| -> Vec<String> {
        let those: BTreeSet<_> = those.iter().collect();
        these
            .iter()
            .filter(|line| !those.contains(line))
            .map(|line| format!("schema, {side} only: {line}"))
            .collect()
    };
    let mut differences = only(&ours, &theirs, "source");
    differences.extend(only(&theirs, &ours, "target"));
    if differences.is_empty() {
        differences.push("the schema's statements are in another order".to_owned());
    }
    Ok(differences)
}

/// Makes on one server the schema of another: what pg_dump and psql make of it, for comparing servers of two versions.
/// Errors are not looked at: what is missing then, the comparison names.
///
/// # Errors
/// When the dump fails, or psql can't be run.
pub fn copy_schema(mut pg_dump: Command, mut psql: Command) -> Outcome {
    // As pg_dump's manual has it for another version: keywords differ.
    let text = stdout(pg_dump.args(["--schema-only", "--quote-all-identifiers"]))?;
    let text: Vec<&str> = text.lines().filter(|line| !line.contains(OWN_MARK)).collect();
    let text = text.join("\n");
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    stdout(psql.args(["-Xq", "-f"]).arg(file.path())).map(drop)
}

fn schema(mut pg_dump: Command) -> Outcome<Vec<String>> {
    let text = stdout(pg_dump.arg("--schema-only"))?;
    // Comments name versions, and \restrict a random word, new in each dump.
    let noise = ["--", "\\restrict", "\\unrestrict"];
    Ok(text
        .lines()
        .filter(|line| !line.is_empty() && !noise.iter().any(|prefix| line.starts_with(prefix)))
        .filter(|line| !line.contains(OWN_MARK))
        .map(str::to_owned)
        .collect())
}
