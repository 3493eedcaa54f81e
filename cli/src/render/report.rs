//! `migration report`: what is left to do by hand.
use std::fmt::Write as _;

use serde::Serialize;
use whimbrel_proto::v1;

use super::filled;
use crate::screen::{Paint, Screen};

/// `-o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    topic: String,
    database: Option<String>,
    /// Otherwise it is there to be known.
    to_do: bool,
    code: String,
    object: Option<String>,
    message: String,
    remedy: Option<String>,
}

impl From<v1::MigrationReport> for Report {
    fn from(report: v1::MigrationReport) -> Self {
        Self { items: report.items.into_iter().map(Item::from).collect() }
    }
}

impl From<v1::ReportItem> for Item {
    fn from(item: v1::ReportItem) -> Self {
        let finding = item.finding.unwrap_or_default();
        Self {
            to_do: finding.state() != v1::FindingState::FindingSucceeded,
            topic: item.topic,
            database: filled(&item.database),
            code: finding.code,
            object: filled(&finding.object),
            message: finding.message,
            remedy: filled(&finding.remedy),
        }
    }
}

impl Report {
    /// For people: by topic, what is to be done first.
    pub(crate) fn page(&self, screen: &Screen) -> String {
        let mut page = String::new();
        let mut topic = "";
        for item in &self.items {
            if item.topic != topic {
                topic = &item.topic;
                // Writing to a String can't fail.
                writeln!(page, "{topic}").ok();
            }
            item.write(&mut page, screen);
        }
        if page.is_empty() {
            page.push_str("nothing is left to do\n");
        }
        page
    }
}

impl Item {
    fn write(&self, page: &mut String, screen: &Screen) {
        let word =
            if self.to_do { screen.paint("to do", Paint::Notice) } else { "note ".to_owned() };
        let database = self.database.as_ref().map(|name| format!("[{name}] ")).unwrap_or_default();
        let object = self.object.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        writeln!(page, "  {word}  {database}{object}{}", self.message).ok();
        if let Some(remedy) = &self.remedy {
            writeln!(page, "         {remedy}").ok();
        }
    }
}
