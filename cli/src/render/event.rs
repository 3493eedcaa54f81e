//! `migration events`: one event.
use serde::Serialize;
use whimbrel_proto::v1;

use super::{clock, filled, time};

/// One line of `migration events -o json`.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    pub(crate) sequence: u64,
    time: Option<String>,
    database: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    message: String,
    actor: Option<String>,
}

impl From<&v1::MigrationEvent> for Event {
    fn from(event: &v1::MigrationEvent) -> Self {
        Self {
            sequence: event.sequence,
            time: time(event.time.as_ref()),
            database: filled(&event.database),
            kind: event.r#type.clone(),
            code: filled(&event.code),
            message: event.message.clone(),
            actor: filled(&event.actor),
        }
    }
}

impl Event {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} {}", clock(self.time.as_ref()), self.kind);
        if let Some(database) = &self.database {
            line.push_str(&format!(" [{database}]"));
        }
        if let Some(code) = self.code.as_ref().filter(|code| **code != self.kind) {
            line.push_str(&format!(" {code}"));
        }
        if !self.message.is_empty() {
            line.push_str(&format!(": {}", self.message));
        }
        line
    }
}
