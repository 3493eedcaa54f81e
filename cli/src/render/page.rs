//! `migration show` for people: one readable page, what to do next last.
use std::fmt::{self, Write as _};

use super::{
    bytes, clock,
    database::{Database, Hold},
    migration::Migration,
    next::next,
    seconds,
    table::Table,
    validation::{Validation, ValidationDetails},
};
use crate::screen::{Paint, Screen};

/// The page.
pub(crate) fn page(migration: &Migration, screen: &Screen) -> String {
    let mut page = String::new();
    write(&mut page, migration, screen).expect("invariant: a String can be written");
    page
}

fn write(page: &mut String, migration: &Migration, screen: &Screen) -> fmt::Result {
    let status = migration.status();
    let state = screen.paint(&migration.where_it_is(), paint_of(status.state));
    writeln!(page, "Migration  {} to target {}", migration.name, migration.target)?;
    writeln!(page, "State      {state}")?;
    if let Some(error) = &status.error {
        writeln!(page, "Error      {}", screen.paint(error, Paint::Bad))?;
    }
    write_hold(page, "", status.hold.as_ref(), screen)?;
    write_properties(page, migration)?;
    for database in migration.databases().values() {
        write_database(page, database, migration.moves_rows(), screen)?;
    }
    if let Some(validation) = &status.current_sub_state_details.validation_details {
        write_validation(page, validation, screen)?;
    }
    if let Some(next) = next(migration) {
        writeln!(page, "\nNext: {next}")?;
    }
    Ok(())
}

fn write_properties(page: &mut String, migration: &Migration) -> fmt::Result {
    let properties = &migration.properties;
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    writeln!(
        page,
        "What       {}, {}",
        properties.migration_mode.unwrap_or("-"),
        properties.migration_option.unwrap_or("-"),
    )?;
    let kind = properties.source_type.iter().map(|kind| format!(" ({kind})")).collect::<String>();
    writeln!(
        page,
        "Source     {} as {}{kind}, SSL {}",
        or_dash(&properties.source_server),
        or_dash(&properties.source_user),
        properties.ssl_mode.unwrap_or("-"),
    )?;
    writeln!(page, "Databases  {}", properties.dbs_to_migrate.join(", "))?;
    if let Some(selection) = properties.selection.sentence() {
        writeln!(page, "Of them    {selection}")?;
    }
    let agent = or_dash(&properties.agent);
    match &properties.source_agent {
        Some(source) if *source != agent => writeln!(page, "Agents     {source} to {agent}")?,
        _ => writeln!(page, "Agent      {agent}")?,
    }
    write!(page, "Started    {}", clock(migration.started_at.as_ref()))?;
    if let Some(duration) = migration.duration {
        write!(page, " ({})", seconds(duration))?;
    }
    writeln!(page)
}

fn write_database(
    page: &mut String,
    database: &Database,
    moves_rows: bool,
    screen: &Screen,
) -> fmt::Result {
    let state = database.migration_state.unwrap_or("-");
    write!(page, "\n{}  {}", database.database_name, screen.paint(state, paint_of(Some(state))))?;
    match &database.migration_operation {
        Some(operation) => writeln!(page, ", {operation}")?,
        None => writeln!(page)?,
    }
    if let Some(message) = &database.message {
        writeln!(page, "  {}", screen.paint(message, Paint::Notice))?;
    }
    write_hold(page, "  ", database.hold.as_ref(), screen)?;
    if moves_rows {
        write_progress(page, database)?;
    }
    if let Some(report) = &database.cutover_report {
        let steps = report.steps.iter();
        let steps: Vec<_> =
            steps.map(|s| format!("{} {} {:.3} s", s.number, s.name, s.seconds)).collect();
        writeln!(page, "  Cutover  {}", steps.join(", "))?;
    }
    for table in database.tables.iter().flatten() {
        write_table(page, table)?;
    }
    Ok(())
}

fn write_progress(page: &mut String, database: &Database) -> fmt::Result {
    let d = database;
    writeln!(
        page,
        "  Copy     {:.1} %, {} of {}, {} rows{}",
        d.percent,
        bytes(d.copied_bytes),
        bytes(d.total_bytes),
        d.copied_rows,
        d.eta_seconds.map(|eta| format!(", {} left", seconds(eta))).unwrap_or_default(),
    )?;
    writeln!(
        page,
        "  Tables   {} queued, {} loading, {} completed, {} errored",
        d.full_load_queued_tables,
        d.full_load_loading_tables,
        d.full_load_completed_tables,
        d.full_load_errored_tables,
    )?;
    if !d.streams {
        return Ok(());
    }
    writeln!(
        page,
        "  Changes  {} applied ({} inserts, {} updates, {} deletes), {} incoming",
        d.applied_changes,
        d.cdc_insert_counter,
        d.cdc_update_counter,
        d.cdc_delete_counter,
        d.incoming_changes,
    )?;
    writeln!(
        page,
        "  Latency  {:.2} s, {} behind (applied {}, source {})",
        d.latency,
        bytes(d.lag_bytes),
        d.applied_lsn,
        d.source_lsn,
    )
}

fn write_table(page: &mut String, table: &Table) -> fmt::Result {
    writeln!(
        page,
        "    {:<10} {:>5.1} %  {}.{}  {} of {}, {} rows{}",
        table.state.unwrap_or("-"),
        table.percent,
        table.schema,
        table.table,
        bytes(table.copied_bytes),
        bytes(table.total_bytes),
        table.copied_rows,
        table.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default(),
    )
}

fn write_hold(
    page: &mut String,
    indent: &str,
    hold: Option<&Hold>,
    screen: &Screen,
) -> fmt::Result {
    let Some(hold) = hold else { return Ok(()) };
    let what = format!("{} {}: {}", hold.kind, hold.code, hold.message);
    writeln!(page, "{indent}Hold       {}", screen.paint(&what, Paint::Notice))?;
    if !hold.remedy.is_empty() {
        writeln!(page, "{indent}Remedy     {}", hold.remedy)?;
    }
    Ok(())
}

fn write_validation(
    page: &mut String,
    details: &ValidationDetails,
    screen: &Screen,
) -> fmt::Result {
    let status = details.status.unwrap_or("-");
    writeln!(page, "\nChecks  {}", screen.paint(status, paint_of(details.status)))?;
    for check in &details.server_level_validation_details {
        write_check(page, "server", check, screen)?;
    }
    for database in &details.db_level_validation_details {
        for check in &database.summary {
            write_check(page, &database.database_name, check, screen)?;
        }
    }
    match details.notes() {
        0 => Ok(()),
        1 => writeln!(page, "  and 1 note, only to be known (-o json has it)"),
        notes => writeln!(page, "  and {notes} notes, only to be known (-o json has them)"),
    }
}

/// Only what did not simply succeed: that is what somebody has to read.
fn write_check(page: &mut String, of: &str, check: &Validation, screen: &Screen) -> fmt::Result {
    for message in check.messages.iter().filter(|message| message.state != Some("Succeeded")) {
        let state = message.state.unwrap_or("-");
        let state = screen.paint(state, paint_of(message.state));
        let object = message.object.as_ref().map(|o| format!(" {o}:")).unwrap_or_default();
        writeln!(page, "  {state} [{of}] {}:{object} {}", check.kind, message.message)?;
        if let Some(remedy) = &message.remedy {
            writeln!(page, "    remedy: {remedy}")?;
        }
    }
    Ok(())
}

/// The colour of a state, of whatever.
pub(crate) fn paint_of(state: Option<&str>) -> Paint {
    match state {
        Some("Succeeded") => Paint::Good,
        Some("Failed" | "ValidationFailed") => Paint::Bad,
        Some("WaitingForUserAction" | "WaitingForCutoverTrigger" | "Warning" | "CleaningUp") => {
            Paint::Notice
        }
        _ => Paint::Plain,
    }
}
