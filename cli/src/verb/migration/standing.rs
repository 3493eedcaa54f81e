//! What a migration's state means to someone who waits: that it needs a person, or that it ended badly.
use whimbrel_proto::v1::{DatabaseStatus, Hold, Migration, hold, migration_status::State};

use crate::{failure::Failure, render, words};

/// A hold of the migration, or of one of its databases, as a bad end; `None` when nothing is held.
pub(super) fn needs_person(migration: &Migration) -> Option<Failure> {
    let status = migration.status.as_ref()?;
    if let Some(hold) = status.hold.as_ref().filter(|hold| holds(hold)) {
        return Some(held(migration, "", hold));
    }
    status.databases.iter().find_map(|database| needs_person_for(migration, database))
}

/// A hold of this database, as a bad end.
pub(super) fn needs_person_for(
    migration: &Migration,
    database: &DatabaseStatus,
) -> Option<Failure> {
    let hold = database.hold.as_ref().filter(|hold| holds(hold))?;
    (!words::is_database_final(database.state())).then(|| held(migration, &database.database, hold))
}

fn holds(hold: &Hold) -> bool {
    hold.kind() != hold::Kind::Unspecified
}

fn held(migration: &Migration, database: &str, hold: &Hold) -> Failure {
    let shown = render::migration::Migration::from(migration);
    let of = if database.is_empty() { String::new() } else { format!(" ({database})") };
    let kind = words::hold_kind(hold.kind()).unwrap_or("Held");
    let remedy = match render::next::next(&shown) {
        Some(next) if hold.remedy.is_empty() => next,
        Some(next) => match next.strip_prefix("mend it, then: ") {
            Some(command) => format!("{}: {command}", hold.remedy),
            None => format!("{}; then: {next}", hold.remedy),
        },
        None => hold.remedy.clone(),
    };
    Failure::BadEnd {
        message: format!(
            "{}{of} stands still in {} ({kind}): {}",
            shown.name,
            shown.where_it_is(),
            hold.message
        ),
        code: hold.code.clone(),
        remedy,
    }
}

/// A final state that is not `Succeeded`, as a bad end; `None` for `Succeeded`.
pub(super) fn not_succeeded(migration: &Migration) -> Option<Failure> {
    let status = migration.status.as_ref()?;
    (status.state() != State::Succeeded).then(|| ended(migration))
}

/// The state that it ended in, as a bad end.
pub(super) fn ended(migration: &Migration) -> Failure {
    let shown = render::migration::Migration::from(migration);
    let status = shown.status();
    let error = status.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let code = migration.status.as_ref().map(|status| status.error_code.clone());
    Failure::BadEnd {
        message: format!(
            "{} ended {}{error}",
            shown.name,
            status.state.unwrap_or("in an unknown state")
        ),
        code: code.unwrap_or_default(),
        remedy: render::next::next(&shown).unwrap_or_default(),
    }
}
