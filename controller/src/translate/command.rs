//! Commands, for the link: what to do, with the endpoints and names that the migration has now.
use whimbrel_proto::agent::v1 as link;
use whimbrel_proto::v1;

use super::{duration_out, endpoint_raw, limits::age_out};
use crate::{
    migration::{
        Command, CommandKind, CopyAgain, Goal, Level, Limits, Migration, Mode, Selection, Step,
        StepOrder,
    },
    store::OutboxEntry,
};

/// The command as the agent gets it; `None` when the migration has no such database.
#[must_use]
pub fn link_command(
    entry: &OutboxEntry,
    migration: &Migration,
    term: u64,
) -> Option<link::Command> {
    let kind = kind(&entry.command, migration)?;
    Some(link::Command {
        command_id: entry.id.clone(),
        term,
        migration_uid: entry.migration_uid.clone(),
        database: entry.command.database.clone(),
        epoch: entry.command.epoch,
        number: entry.position,
        kind: Some(kind),
    })
}

fn kind(command: &Command, migration: &Migration) -> Option<link::command::Kind> {
    use link::command::Kind;
    let spec = &migration.spec;
    let objects = || {
        let objects = migration.source_objects(&command.database)?;
        Some(link::SourceObjects {
            slot: objects.slot,
            publication: objects.publication,
            keyless_publication: objects.keyless_publication,
        })
    };
    Some(match &command.kind {
        CommandKind::CheckSource { level } => Kind::CheckSource(link::CheckSource {
            source: Some(endpoint_raw(&spec.source)),
            databases: spec.databases.clone(),
            level: level_out(*level),
            mode: mode_out(spec.mode),
            migrate_roles: spec.migrate_roles,
            // A run that only validates changes nothing.
            setup_logical_replication: spec.setup_logical_replication
                && spec.goal != Goal::Validate,
            selection: Some(selection_out(&spec.selection)),
        }),
        CommandKind::CheckTarget { level, facts } => Kind::CheckTarget(link::CheckTarget {
            target: Some(endpoint_raw(&spec.target)),
            databases: spec.databases.clone(),
            level: level_out(*level),
            mode: mode_out(spec.mode),
            overwrite: spec.overwrite || migration.overwrite_confirmed,
            migrate_roles: spec.migrate_roles,
            source_facts: facts.clone(),
        }),
        CommandKind::Send => Kind::Send(link::Send {
            source: Some(endpoint_raw(&spec.source)),
            mode: mode_out(spec.mode),
            objects: Some(objects()?),
            follow_schema_changes: spec.follow_schema_changes,
            copy_limits: Some(copy_limits(spec.limits)),
            selection: Some(selection_out(&spec.selection)),
        }),
        CommandKind::Receive => Kind::Receive(receive(command, migration, objects()?)?),
        CommandKind::CutoverStep(order) => Kind::CutoverStep(step_out(order)),
        CommandKind::CutoverBack { attempt } => {
            Kind::CutoverBack(link::CutoverBack { attempt: *attempt })
        }
        CommandKind::CleanSource => Kind::CleanSource(link::CleanSource {
            source: Some(endpoint_raw(&spec.source)),
            objects: Some(objects()?),
        }),
        CommandKind::Guard => Kind::GuardSource(link::GuardSource {
            source: Some(endpoint_raw(&spec.source)),
            objects: Some(objects()?),
            copy_limits: Some(copy_limits(spec.limits)),
        }),
        CommandKind::Limits => Kind::CopyLimits(copy_limits(spec.limits)),
        CommandKind::Stop => Kind::Stop(link::Stop {}),
    })
}

fn receive(
    command: &Command,
    migration: &Migration,
    objects: link::SourceObjects,
) -> Option<link::Receive> {
    let (_, database) = migration.database(&command.database)?;
    let spec = &migration.spec;
    Some(link::Receive {
        target: Some(endpoint_raw(&spec.target)),
        mode: mode_out(spec.mode),
        objects: Some(objects),
        overwrite_oid: database.existing_oid,
        target_oid: database.target_oid,
        past_attempts: database.past_attempts(),
        migrate_roles: spec.migrate_roles,
        switched: database.has_switched(),
        copy_again: database.copy_again.iter().map(again_out).collect(),
        copy_limits: Some(copy_limits(spec.limits)),
        selection: Some(selection_out(&spec.selection)),
    })
}

fn copy_limits(limits: Limits) -> link::CopyLimits {
    let Limits { copy_jobs, copy_bytes_per_second, snapshot_seconds, retained_wal_bytes } = limits;
    link::CopyLimits {
        jobs: copy_jobs,
        bytes_per_second: copy_bytes_per_second,
        snapshot_age: age_out(snapshot_seconds),
        part_pages: 0,
        retained_wal_bytes,
    }
}

/// Which objects, as agents are told.
#[must_use]
pub fn selection_out(selection: &Selection) -> link::Selection {
    let Selection { include_schemas, exclude_schemas, include_tables, exclude_tables } =
        selection.clone();
    link::Selection { include_schemas, exclude_schemas, include_tables, exclude_tables }
}

fn again_out(request: &CopyAgain) -> link::CopyAgain {
    let CopyAgain { number, tables, new_slot } = request.clone();
    link::CopyAgain { number, tables, new_slot }
}

fn step_out(order: &StepOrder) -> link::CutoverStep {
    let open = order.open.iter().map(|open| link::OpenTransaction {
        id: open.id.clone(),
        prepared: open.prepared,
        pid: open.pid,
        user: open.user.clone(),
        application: open.application.clone(),
    });
    link::CutoverStep {
        step: wire_step(order.step).into(),
        attempt: order.attempt,
        open: open.collect(),
        end_lsn: order.end_lsn,
        allow_source_writes: order.allow_source_writes,
        timeout: order.step.timeout().map(duration_out),
    }
}

const fn wire_step(step: Step) -> link::Step {
    match step {
        Step::Mark => link::Step::Mark,
        Step::Settle => link::Step::Settle,
        Step::MarkEnd => link::Step::MarkEnd,
        Step::Drain => link::Step::Drain,
        Step::Complete => link::Step::Complete,
        Step::Sequences => link::Step::Sequences,
        Step::Verify => link::Step::Verify,
        Step::Switch => link::Step::Switch,
        Step::RemoveSource => link::Step::RemoveSource,
        Step::RemoveLedger => link::Step::RemoveLedger,
    }
}

fn level_out(level: Level) -> i32 {
    match level {
        Level::Prerequisites => link::CheckLevel::Prerequisites.into(),
        Level::Preflight => link::CheckLevel::Preflight.into(),
    }
}

fn mode_out(mode: Mode) -> i32 {
    match mode {
        Mode::Offline => v1::MigrationMode::Offline.into(),
        Mode::Online => v1::MigrationMode::Online.into(),
    }
}
