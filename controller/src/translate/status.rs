//! Resources, for operators.
use std::collections::HashMap;

use whimbrel_proto::{name, v1};

use super::{endpoint_out, limits::limits_out, time_out, validation_out};
use crate::{
    fleet::AgentState,
    migration::{
        self, CutoverReport, Database, DatabasePhase, DatabaseState, Goal, HeldTable, Hold,
        HoldKind, Migration, Mode, Selection, Spec, State, Step, SubState,
    },
    store::{Agent, EventRecord, Record, Target},
};

/// What is known now, beside the record.
#[derive(Default)]
pub struct Observed {
    /// What was last heard of each database's progress, with what is being done in words.
    pub progress: HashMap<String, (v1::Progress, String)>,
    /// Which of the migration's agents are away, in words.
    pub away: Vec<String>,
    /// Why nothing that happens can be committed.
    pub unwritten: Option<String>,
}

/// A migration.
#[must_use]
pub fn migration_out(record: &Record, observed: &Observed) -> v1::Migration {
    let m = &record.migration;
    v1::Migration {
        name: name::migration(&m.target_id, &m.name),
        uid: m.uid.clone(),
        etag: etag(record.version),
        create_time: Some(time_out(m.created_at)),
        start_time: Some(time_out(m.created_at)),
        end_time: m.ended_at.map(time_out),
        spec: Some(spec_out(&m.spec)),
        status: Some(status_out(m, observed)),
    }
}

/// A version, as an etag.
#[must_use]
pub fn etag(version: u64) -> String {
    format!("v{version}")
}

fn spec_out(spec: &Spec) -> v1::MigrationSpec {
    let mode = match spec.mode {
        Mode::Offline => v1::MigrationMode::Offline,
        Mode::Online => v1::MigrationMode::Online,
    };
    let option = match spec.goal {
        Goal::Validate => v1::MigrationOption::Validate,
        Goal::Migrate => v1::MigrationOption::Migrate,
        Goal::ValidateAndMigrate => v1::MigrationOption::ValidateAndMigrate,
    };
    v1::MigrationSpec {
        mode: mode.into(),
        option: option.into(),
        source_type: spec.source_type.clone(),
        source: Some(endpoint_out(&spec.source)),
        target_override: Some(endpoint_out(&spec.target)),
        databases: spec.databases.clone(),
        selection: Some(chosen_out(&spec.selection)),
        overwrite: spec.overwrite,
        migrate_roles: spec.migrate_roles,
        agent: name::agent(&spec.target_agent),
        source_agent: name::agent(&spec.source_agent),
        setup_logical_replication: spec.setup_logical_replication,
        follow_schema_changes: Some(spec.follow_schema_changes),
        limits: limits_out(spec.limits),
        window_start_time: spec.window_start.map(time_out),
        window_end_time: spec.window_end.map(time_out),
    }
}

fn chosen_out(selection: &Selection) -> v1::Selection {
    let Selection { include_schemas, exclude_schemas, include_tables, exclude_tables } =
        selection.clone();
    v1::Selection { include_schemas, exclude_schemas, include_tables, exclude_tables }
}

fn status_out(m: &Migration, observed: &Observed) -> v1::MigrationStatus {
    let (state, sub_state) = migration::state(m);
    let error = migration::error(m);
    let hold = m.hold.as_ref().or_else(|| m.databases.iter().find_map(|d| d.hold.as_ref()));
    v1::MigrationStatus {
        state: state_out(state).into(),
        sub_state: sub_state_out(sub_state).into(),
        error: error.as_ref().map(migration::Failure::sentence).unwrap_or_default(),
        error_code: error.map(|e| e.code).unwrap_or_default(),
        hold: hold.map(hold_out),
        databases: m.databases.iter().map(|d| database_out(m, d, observed)).collect(),
        validation: m.validation.as_ref().map(validation_out),
    }
}

fn hold_out(hold: &Hold) -> v1::Hold {
    let kind = match hold.kind {
        HoldKind::Paused => v1::hold::Kind::Paused,
        HoldKind::Held => v1::hold::Kind::Held,
        HoldKind::NeedsResync => v1::hold::Kind::NeedsResync,
        HoldKind::NeedsCredentials => v1::hold::Kind::NeedsCredentials,
    };
    v1::Hold {
        kind: kind.into(),
        code: hold.code.clone(),
        message: hold.message.clone(),
        remedy: hold.remedy.clone(),
        since: Some(time_out(hold.since)),
    }
}

fn database_out(m: &Migration, database: &Database, observed: &Observed) -> v1::DatabaseStatus {
    let heard = observed.progress.get(&database.name);
    let state = match migration::database_state(m, database) {
        DatabaseState::InProgress => v1::database_status::State::InProgress,
        DatabaseState::WaitingForCutoverTrigger => {
            v1::database_status::State::WaitingForCutoverTrigger
        }
        DatabaseState::Failed => v1::database_status::State::Failed,
        DatabaseState::Canceled => v1::database_status::State::Canceled,
        DatabaseState::Succeeded => v1::database_status::State::Succeeded,
        DatabaseState::Canceling => v1::database_status::State::Canceling,
    };
    let told = heard.map(|(_, operation)| operation.as_str()).unwrap_or_default();
    let operation = operation_out(m, database, told, observed);
    let message = database.message.as_ref();
    let cutover = match database.phase().cutover() {
        Some(running) => {
            let report = running.report(running.started_at);
            Some(CutoverReport { ended_at: None, ..report })
        }
        None => database.last_cutover.clone(),
    };
    v1::DatabaseStatus {
        database: database.name.clone(),
        state: state.into(),
        operation,
        start_time: database.started_at.map(time_out),
        end_time: database.ended_at.map(time_out),
        message: message.map(migration::Failure::sentence).unwrap_or_default(),
        message_code: message.map(|f| f.code.clone()).unwrap_or_default(),
        hold: database.hold.as_ref().map(hold_out),
        progress: heard.map(|(progress, _)| *progress),
        cutover: cutover.map(|report| cutover_out(m.spec.mode, &report)),
        held_tables: database.held_tables.iter().map(held_table_out).collect(),
    }
}

fn held_table_out(held: &HeldTable) -> v1::HeldTable {
    v1::HeldTable {
        table: held.table.clone(),
        code: held.code.clone(),
        message: held.message.clone(),
        since: Some(time_out(held.since)),
    }
}

fn operation_out(m: &Migration, database: &Database, told: &str, observed: &Observed) -> String {
    let operation = in_words(database.phase(), told, migration::operation(m, database));
    match (&observed.unwritten, &observed.away[..]) {
        _ if database.phase().is_final() => operation,
        (Some(why), _) => format!("{operation} ({why})"),
        (None, [absence, ..]) => format!("{operation} ({absence})"),
        (None, []) => operation,
    }
}

/// What an agent's words say of whom it waits for begins so.
const WAITING: &str = "waiting on the ";

/// While tables are copied the agent's words say more than the phase does; in a cutover, whom its step waits for.
fn in_words(phase: &DatabasePhase, told: &str, ours: String) -> String {
    match phase {
        DatabasePhase::Copying if !told.is_empty() => told.to_owned(),
        DatabasePhase::CuttingOver(_) => match told.find(WAITING) {
            Some(at) => format!("{ours}: {}", &told[at..]),
            None => ours,
        },
        _ => ours,
    }
}

fn cutover_out(mode: Mode, report: &CutoverReport) -> v1::CutoverReport {
    let number = |step: Step| u32::try_from(step.number(mode).unwrap_or_default());
    let steps = report.steps.iter().map(|done| v1::CutoverStepReport {
        number: number(done.step).unwrap_or_default(),
        name: done.step.name().to_owned(),
        seconds: done.seconds,
    });
    v1::CutoverReport {
        start_time: Some(time_out(report.started_at)),
        end_time: report.ended_at.map(time_out),
        end_lsn: report.end_lsn,
        steps: steps.collect(),
    }
}

const fn state_out(state: State) -> v1::migration_status::State {
    use v1::migration_status::State as Wire;
    match state {
        State::InProgress => Wire::InProgress,
        State::WaitingForUserAction => Wire::WaitingForUserAction,
        State::Canceled => Wire::Canceled,
        State::Failed => Wire::Failed,
        State::ValidationFailed => Wire::ValidationFailed,
        State::Succeeded => Wire::Succeeded,
        State::CleaningUp => Wire::CleaningUp,
    }
}

const fn sub_state_out(state: SubState) -> v1::migration_status::SubState {
    use v1::migration_status::SubState as Wire;
    match state {
        SubState::PerformingPreRequisiteSteps => Wire::PerformingPreRequisiteSteps,
        SubState::ValidationInProgress => Wire::ValidationInProgress,
        SubState::WaitingForTargetDBOverwriteConfirmation => {
            Wire::WaitingForTargetDbOverwriteConfirmation
        }
        SubState::WaitingForDataMigrationWindow => Wire::WaitingForDataMigrationWindow,
        SubState::MigratingData => Wire::MigratingData,
        SubState::WaitingForCutoverTrigger => Wire::WaitingForCutoverTrigger,
        SubState::CompletingMigration => Wire::CompletingMigration,
        SubState::Completed => Wire::Completed,
        SubState::Failed => Wire::Failed,
        SubState::CancelingRequestedDBMigrations => Wire::CancelingRequestedDbMigrations,
    }
}

/// A target.
#[must_use]
pub fn target_out(target: &Target) -> v1::Target {
    v1::Target {
        name: name::target(&target.id),
        uid: target.uid.clone(),
        endpoint: Some(endpoint_out(&target.endpoint)),
        agent: name::agent(&target.agent),
        create_time: Some(time_out(target.created_at)),
        update_time: Some(time_out(target.updated_at)),
        etag: etag(target.version),
    }
}

/// An agent, with what the fleet knows of it.
#[must_use]
pub fn agent_out(agent: &Agent, state: &AgentState) -> v1::Agent {
    v1::Agent {
        name: name::agent(&agent.id),
        uid: agent.uid.clone(),
        state: state.state.into(),
        labels: agent.labels.clone().into_iter().collect(),
        version: agent.program_version.clone(),
        incarnation: agent.incarnation.clone(),
        create_time: Some(time_out(agent.created_at)),
        last_seen_time: state.last_seen.map(time_out),
        sealing_key: agent.sealing_key.clone(),
        postgres_programs: agent.postgres_programs.clone(),
        running_tasks: state.running_tasks,
        turned_away: state.turned_away.clone().unwrap_or_default(),
        unknown_tasks: state.strays.clone(),
        etag: etag(agent.version),
    }
}

/// An event.
#[must_use]
pub fn event_out(event: EventRecord) -> v1::MigrationEvent {
    v1::MigrationEvent {
        sequence: event.sequence,
        time: Some(time_out(event.at)),
        database: event.database,
        r#type: event.kind,
        code: event.code,
        message: event.message,
        actor: event.actor,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::migration::Cutover;

    #[test]
    fn whom_a_cutover_waits_for_is_shown_beside_its_step() {
        let cutover = Cutover::new(1, Mode::Online, false, Timestamp::UNIX_EPOCH);
        let shown = |phase: &DatabasePhase, told: &str| {
            in_words(phase, told, "cutover 8/10: switch".to_owned())
        };
        let cutting = DatabasePhase::CuttingOver(cutover);
        assert_eq!(
            shown(&cutting, "waiting on the target for pid 7"),
            "cutover 8/10: switch: waiting on the target for pid 7"
        );
        assert_eq!(
            shown(&cutting, "cutover step 5: waiting on the source for pid 7"),
            "cutover 8/10: switch: waiting on the source for pid 7"
        );
        assert_eq!(shown(&cutting, "cutover step 8 of 11: switch"), "cutover 8/10: switch");
        assert_eq!(shown(&DatabasePhase::Ready, "waiting on the"), "cutover 8/10: switch");
    }
}
