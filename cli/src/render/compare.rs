//! `migration compare` and `source compare`: what differs, side by side.
use std::fmt::Write as _;

use serde::Serialize;
use whimbrel_proto::v1::{self, Verdict, compare_response::Kind};

use super::filled;
use crate::{
    screen::{Paint, Screen, table_text},
    words,
};

/// Lines shown of one fact of one side: a function's body can have thousands.
const LINES_SHOWN: usize = 12;

/// `-o json`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    /// Nothing differs, and everything could be decided.
    pub(crate) equal: bool,
    databases: Vec<Database>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    database: String,
    equal: bool,
    compared_objects: u64,
    differing_objects: u64,
    pending_objects: u64,
    compared_tables: u64,
    differing_tables: u64,
    undecided_tables: u64,
    objects: Vec<Object>,
    tables: Vec<Table>,
    #[serde(skip)]
    done: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: String,
    name: String,
    verdict: Option<&'static str>,
    differences: Vec<Difference>,
    note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Difference {
    fact: String,
    source: Option<String>,
    target: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    schema: String,
    table: String,
    verdict: Option<&'static str>,
    source_rows: u64,
    target_rows: u64,
    chunks: u32,
    differing_chunks: u32,
    rows_only_on_source: u64,
    rows_only_on_target: u64,
    rows_not_alike: u64,
    rows_changing: u64,
    note: Option<String>,
}

impl Comparison {
    /// Takes in a message; tables that are equal only if `all` are wanted, or they have a note.
    pub(crate) fn take(&mut self, message: v1::CompareResponse, all: bool) {
        if self.databases.last().is_none_or(|last| last.done || last.database != message.database) {
            let database = message.database.clone();
            self.databases.push(Database { database, ..Database::default() });
        }
        let Some(database) = self.databases.last_mut() else { return };
        match message.kind {
            Some(Kind::Object(object)) => database.objects.push(object.into()),
            Some(Kind::Table(table))
                if all || table.verdict() != Verdict::Equal || !table.note.is_empty() =>
            {
                database.tables.push(table.into());
            }
            Some(Kind::Done(done)) => database.end(&done),
            Some(Kind::Table(_)) | None => {}
        }
    }

    /// Nothing more comes.
    pub(crate) fn close(&mut self) {
        self.equal = self.databases.iter().all(|database| database.equal);
    }

    /// What differs, in one line.
    pub(crate) fn summary(&self) -> String {
        let of = |database: &Database| {
            let parts = [
                count(database.differing_objects, "object differs", "objects differ"),
                count(database.differing_tables, "table's rows differ", "tables' rows differ"),
                count(database.undecided_tables, "table undecided", "tables undecided"),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("{}: {}", database.database, parts.join(", "))
        };
        let differing = self.databases.iter().filter(|database| !database.equal);
        differing.map(of).collect::<Vec<_>>().join("; ")
    }

    /// For people.
    pub(crate) fn page(&self, screen: &Screen) -> String {
        self.databases.iter().map(|database| database.page(screen)).collect::<Vec<_>>().join("\n")
    }
}

fn count(count: u64, one: &str, more: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {more}")),
    }
}

impl Database {
    fn end(&mut self, done: &v1::ComparedDatabase) {
        self.done = true;
        self.compared_objects = done.objects;
        self.differing_objects = done.differing_objects;
        self.pending_objects = done.pending_objects;
        self.compared_tables = done.tables;
        self.differing_tables = done.differing_tables;
        self.undecided_tables = done.undecided_tables;
        self.equal = done.differing_objects + done.differing_tables + done.undecided_tables == 0;
    }

    fn page(&self, screen: &Screen) -> String {
        let (verdict, paint) =
            if self.equal { ("equal", Paint::Good) } else { ("differs", Paint::Bad) };
        let mut page = format!(
            "{}  {}\n  Objects  {} compared, {} differ, {} come with the cutover\n",
            self.database,
            screen.paint(verdict, paint),
            self.compared_objects,
            self.differing_objects,
            self.pending_objects
        );
        for object in &self.objects {
            object.write(&mut page, screen);
        }
        let undecided = match self.undecided_tables {
            0 => String::new(),
            tables => format!(", {tables} undecided"),
        };
        page.push_str(&format!(
            "  Rows     of {} tables compared, {} differ{undecided}\n",
            self.compared_tables, self.differing_tables
        ));
        if !self.tables.is_empty() {
            page.push_str(&self.rows(screen));
        }
        page
    }

    fn rows(&self, screen: &Screen) -> String {
        let mut table = screen.table(&["    Table", "Source", "Target", "Rows", ""]);
        for one in &self.tables {
            table.add_row(vec![
                format!("    {}.{}", one.schema, one.table),
                one.source_rows.to_string(),
                one.target_rows.to_string(),
                one.verdict.unwrap_or("-").to_owned(),
                one.told(),
            ]);
        }
        table_text(&table)
    }
}

impl Object {
    fn write(&self, page: &mut String, screen: &Screen) {
        let verdict = self.verdict.unwrap_or("-");
        let paint = if verdict == "Pending" { Paint::Notice } else { Paint::Bad };
        let verdict = screen.paint(verdict, paint);
        // Writing to a String can't fail.
        writeln!(page, "    {} {}  {verdict}", self.kind, self.name).ok();
        for difference in &self.differences {
            writeln!(page, "      {}", difference.fact).ok();
            for (side, value) in [("source", &difference.source), ("target", &difference.target)] {
                writeln!(page, "        {side}  {}", shown(value.as_deref())).ok();
            }
        }
        if let Some(note) = &self.note {
            writeln!(page, "      {note}").ok();
        }
    }
}

/// Later lines under the first one.
fn shown(value: Option<&str>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let mut lines: Vec<&str> = value.trim_end().lines().collect();
    let more = lines.len().saturating_sub(LINES_SHOWN);
    lines.truncate(LINES_SHOWN);
    let mut text = lines.join("\n                ");
    if more > 0 {
        text.push_str(&format!("\n                … {more} more lines (-o json has all)"));
    }
    text
}

impl Table {
    fn told(&self) -> String {
        let parts = [
            count(self.rows_only_on_source, "row only on the source", "rows only on the source"),
            count(self.rows_only_on_target, "row only on the target", "rows only on the target"),
            count(self.rows_not_alike, "row not alike", "rows not alike"),
            count(self.rows_changing, "row changing", "rows changing"),
            self.note.clone(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl From<v1::ComparedObject> for Object {
    fn from(object: v1::ComparedObject) -> Self {
        Self {
            verdict: words::verdict(object.verdict()),
            note: filled(&object.note),
            kind: object.kind,
            name: object.name,
            differences: object.differences.into_iter().map(Difference::from).collect(),
        }
    }
}

impl From<v1::FactDifference> for Difference {
    fn from(difference: v1::FactDifference) -> Self {
        Self {
            fact: difference.fact,
            source: filled(&difference.source),
            target: filled(&difference.target),
        }
    }
}

impl From<v1::ComparedTable> for Table {
    fn from(table: v1::ComparedTable) -> Self {
        Self {
            verdict: words::verdict(table.verdict()),
            note: filled(&table.note),
            schema: table.schema,
            table: table.table,
            source_rows: table.source_rows,
            target_rows: table.target_rows,
            chunks: table.chunks,
            differing_chunks: table.differing_chunks,
            rows_only_on_source: table.rows_only_on_source,
            rows_only_on_target: table.rows_only_on_target,
            rows_not_alike: table.rows_not_alike,
            rows_changing: table.rows_changing,
        }
    }
}
