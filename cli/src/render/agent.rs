//! Agents and join tokens.
use std::collections::BTreeMap;

use serde::Serialize;
use whimbrel_proto::v1;

use super::{clock, filled, short, time};
use crate::{
    screen::{Paint, Screen, table_text},
    words,
};

/// `agent show -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agent {
    pub(crate) name: String,
    state: Option<&'static str>,
    labels: BTreeMap<String, String>,
    version: Option<String>,
    created_at: Option<String>,
    last_seen_at: Option<String>,
    running_tasks: u32,
    /// Why it is not served, though it dials.
    #[serde(skip_serializing_if = "Option::is_none")]
    turned_away: Option<String>,
    /// What it runs of migrations that the controller does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_tasks: Vec<String>,
    postgres_programs: Vec<String>,
    uid: String,
    incarnation: Option<String>,
}

/// `agent token create -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    /// The token itself: this is the one place where it is told.
    pub(crate) token: String,
    pub(crate) expires_at: Option<String>,
}

impl From<v1::Agent> for Agent {
    fn from(agent: v1::Agent) -> Self {
        Self {
            name: short(&agent.name).to_owned(),
            state: words::agent_state(agent.state()),
            version: filled(&agent.version),
            created_at: time(agent.create_time.as_ref()),
            last_seen_at: time(agent.last_seen_time.as_ref()),
            running_tasks: agent.running_tasks,
            turned_away: filled(&agent.turned_away),
            unknown_tasks: agent.unknown_tasks,
            incarnation: filled(&agent.incarnation),
            labels: agent.labels.into_iter().collect(),
            postgres_programs: agent.postgres_programs,
            uid: agent.uid,
        }
    }
}

impl From<v1::JoinToken> for Token {
    fn from(token: v1::JoinToken) -> Self {
        Self { expires_at: time(token.expire_time.as_ref()), token: token.token }
    }
}

impl Agent {
    /// For people.
    pub(crate) fn page(&self, screen: &Screen) -> String {
        let paint = match self.state {
            Some("Connected") => Paint::Good,
            Some("Revoked") => Paint::Bad,
            _ => Paint::Notice,
        };
        let state = screen.paint(self.state.unwrap_or("-"), paint);
        let mut page = format!("Name           {}\nState          {state}\n", self.name);
        for (label, value) in [
            ("Version", self.version.as_deref().unwrap_or("-")),
            ("Last seen", &clock(self.last_seen_at.as_ref())),
            ("Enrolled", &clock(self.created_at.as_ref())),
            ("Labels", &self.labels_text()),
            ("Running tasks", &self.running_tasks.to_string()),
        ] {
            page.push_str(&format!("{label:<14} {value}\n"));
        }
        if let Some(why) = &self.turned_away {
            page.push_str(&format!("{:<14} {}\n", "Turned away", screen.paint(why, Paint::Bad)));
        }
        for task in &self.unknown_tasks {
            let text = format!("{task}, of which this controller's store knows nothing");
            page.push_str(&format!("{:<14} {}\n", "Unknown task", screen.paint(&text, Paint::Bad)));
        }
        for program in &self.postgres_programs {
            page.push_str(&format!("{:<14} {program}\n", "Program"));
        }
        page
    }

    fn labels_text(&self) -> String {
        let pairs: Vec<_> =
            self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if pairs.is_empty() { "-".to_owned() } else { pairs.join(",") }
    }
}

/// A line an agent.
pub(crate) fn table(agents: &[Agent], screen: &Screen) -> String {
    let mut table = screen.table(&["Name", "State", "Version", "Last seen", "Tasks", "Labels"]);
    for agent in agents {
        table.add_row(vec![
            agent.name.clone(),
            agent.state.unwrap_or("-").to_owned(),
            agent.version.clone().unwrap_or_else(|| "-".into()),
            clock(agent.last_seen_at.as_ref()),
            agent.running_tasks.to_string(),
            agent.labels_text(),
        ]);
    }
    table_text(&table)
}
