//! A line a change, for logs: events, states, each tenth of the copy. Not a line an update: those come many a second.
use std::collections::HashMap;

use whimbrel_proto::v1::WatchMigrationResponse;

use crate::render::{
    bytes, database::Database, event::Event, migration::Migration, next::next, seconds,
};

/// A line is due whenever the copy has come this much further, in percent.
const PERCENT_STEP: f64 = 10.0;

/// What was said last.
#[derive(Default)]
pub(in crate::verb::migration) struct Lines {
    place: String,
    databases: HashMap<String, String>,
    next: Option<String>,
}

impl Lines {
    /// The lines for what is new.
    pub(in crate::verb::migration) fn changes(
        &mut self,
        response: &WatchMigrationResponse,
        migration: &Migration,
    ) -> Vec<String> {
        let mut lines: Vec<_> =
            response.events.iter().map(|event| Event::from(event).line()).collect();
        let place = migration.where_it_is();
        if self.place != place {
            lines.push(format!("{}: {place}", migration.name));
            self.place = place;
        }
        for (name, database) in migration.databases() {
            let key = key(database);
            if self.databases.get(name) != Some(&key) {
                lines.push(format!("{name}: {}", describe(database)));
                self.databases.insert(name.clone(), key);
            }
        }
        // While it simply runs, "next" is this very command.
        let next = next(migration).filter(|next| !next.contains("migration watch"));
        if self.next != next {
            lines.extend(next.as_ref().map(|next| format!("next: {next}")));
            self.next = next;
        }
        lines
    }
}

/// What makes a new line of a database due.
fn key(database: &Database) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {}",
        database.migration_state,
        database.migration_operation,
        database.message,
        database.hold.as_ref().map(|hold| (hold.kind, &hold.code)),
        (database.percent / PERCENT_STEP).floor(),
    )
}

/// One database, in a line.
fn describe(database: &Database) -> String {
    let mut line = doing(database);
    if !database.streams && database.total_bytes > 0 {
        line.push_str(&format!(", {:.0} %", database.percent));
    }
    line
}

/// What it does and how far it is, without the percentage, which a bar shows by itself.
pub(super) fn doing(database: &Database) -> String {
    // "InProgress" says less than what it is doing.
    let state = database.migration_state.filter(|state| *state != "InProgress");
    let mut parts: Vec<String> = state.map(str::to_owned).into_iter().collect();
    parts.extend(database.migration_operation.clone());
    if parts.is_empty() {
        parts.push(database.migration_state.unwrap_or("-").to_owned());
    }
    if database.streams {
        parts.push(format!("latency {:.2} s", database.latency));
        parts.push(format!("{} behind", bytes(database.lag_bytes)));
        parts.push(format!("{} changes applied", database.applied_changes));
    } else if database.total_bytes > 0 {
        parts.push(format!("{} of {}", bytes(database.copied_bytes), bytes(database.total_bytes)));
        parts.extend(database.eta_seconds.map(|eta| format!("{} left", seconds(eta))));
    }
    if let Some(hold) = &database.hold {
        parts.push(format!("{} {}: {} {}", hold.kind, hold.code, hold.message, hold.remedy));
    } else {
        parts.extend(database.message.clone());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::v1::{
        self, DatabaseStatus, MigrationEvent, MigrationStatus, Progress,
        migration_status::{State, SubState},
    };

    use super::*;

    fn at(percent: f64, sub_state: SubState) -> Migration {
        let progress = Progress { percent, total_bytes: 100, ..<_>::default() };
        let database =
            DatabaseStatus { database: "d".into(), progress: Some(progress), ..<_>::default() };
        let status = MigrationStatus {
            state: State::InProgress.into(),
            sub_state: sub_state.into(),
            databases: vec![database],
            ..<_>::default()
        };
        let name = "targets/t/migrations/m".into();
        (&v1::Migration { name, status: Some(status), ..<_>::default() }).into()
    }

    #[test]
    fn an_update_that_changes_nothing_to_speak_of_is_no_line() {
        let mut lines = Lines::default();
        let none = WatchMigrationResponse::default();
        assert_eq!(lines.changes(&none, &at(1.0, SubState::MigratingData)).len(), 2);
        for percent in [2.0, 5.0, 9.9] {
            assert!(lines.changes(&none, &at(percent, SubState::MigratingData)).is_empty());
        }
        assert_eq!(lines.changes(&none, &at(10.0, SubState::MigratingData)).len(), 1);
    }

    #[test]
    fn an_event_and_what_to_do_next_are_lines() {
        let mut lines = Lines::default();
        let event = MigrationEvent { r#type: "CopyFinished".into(), ..<_>::default() };
        let response = WatchMigrationResponse { events: vec![event], ..<_>::default() };
        let said = lines.changes(&response, &at(100.0, SubState::WaitingForCutoverTrigger));
        assert!(said[0].contains("CopyFinished"), "{said:?}");
        assert!(said.last().unwrap().contains("migration cutover m --target t"), "{said:?}");
    }
}
