//! `migration update`: other agents, new passwords, sealed to the agents that are to act; or another window.
use prost_types::FieldMask;
use whimbrel_proto::v1::{
    GetMigrationRequest, Limits, Migration, MigrationSpec, Secret, UpdateMigrationRequest,
};

use super::{
    draft::timestamp,
    full_name,
    passwords::{PasswordOf, SOURCE, TARGET, seal},
    print_acted,
};
use crate::{
    args::{
        Moment, SecretArg, Size,
        migration::{LimitArgs, Update},
    },
    client::{call, request_id},
    failure::Failure,
    secret::Reader,
    verb::{
        Session, agent_name,
        password::{Found, find},
    },
};

pub(super) async fn run(session: &Session, args: Update) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    let mut reader = Reader::default();
    let mut spec = MigrationSpec::default();
    let mut paths = Vec::new();
    for (agent, path, place) in [
        (&args.agent, "spec.agent", &mut spec.agent),
        (&args.source_agent, "spec.source_agent", &mut spec.source_agent),
    ] {
        let Some(agent) = agent else { continue };
        *place = agent_name(agent);
        paths.push(path.to_owned());
    }
    if let Some(text) = &args.source_password {
        let secret = new_secret(session, &args, &mut reader, &SOURCE, text).await?;
        spec.source.get_or_insert_default().password = Some(secret);
        paths.push("spec.source.password".to_owned());
    }
    if let Some(text) = &args.target_password {
        let secret = new_secret(session, &args, &mut reader, &TARGET, text).await?;
        spec.target_override.get_or_insert_default().password = Some(secret);
        paths.push("spec.target_override.password".to_owned());
    }
    if let Some(Moment(time)) = args.window_start {
        spec.window_start_time = time.map(timestamp);
        paths.push("spec.window_start_time".to_owned());
    }
    if let Some(Moment(time)) = args.window_end {
        spec.window_end_time = time.map(timestamp);
        paths.push("spec.window_end_time".to_owned());
    }
    put_limits(&args.limits, &mut spec, &mut paths);
    if paths.is_empty() {
        return Err(Failure::Usage(
            "nothing to change: give --agent A, --source-password SECRET, --target-password SECRET, --window-start TIME, \
             --window-end TIME, --copy-jobs N, --copy-rate-limit SIZE, --snapshot-age DURATION or --max-retained-wal SIZE"
                .into(),
        ));
    }
    let request = UpdateMigrationRequest {
        migration: Some(Migration { name, spec: Some(spec), ..Migration::default() }),
        update_mask: Some(FieldMask { paths }),
        request_id: request_id(),
    };
    let answer = session.client.migrations().update_migration(call(request)).await?;
    print_acted(session, &answer.into_inner(), "updated")
}

fn put_limits(args: &LimitArgs, spec: &mut MigrationSpec, paths: &mut Vec<String>) {
    let mut limits = Limits::default();
    let mut changes = |field: &str| paths.push(format!("spec.limits.{field}"));
    if let Some(jobs) = args.copy_jobs {
        limits.copy_jobs = jobs;
        changes("copy_jobs");
    }
    if let Some(Size(bytes)) = args.copy_rate_limit {
        limits.copy_bytes_per_second = bytes;
        changes("copy_bytes_per_second");
    }
    if let Some(age) = args.snapshot_age {
        let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        limits.snapshot_age = Some(prost_types::Duration { seconds, nanos: 0 });
        changes("snapshot_age");
    }
    if let Some(Size(bytes)) = args.max_retained_wal {
        limits.retained_wal_bytes = bytes;
        changes("retained_wal_bytes");
    }
    spec.limits = Some(limits);
}

async fn new_secret(
    session: &Session,
    args: &Update,
    reader: &mut Reader,
    of: &PasswordOf,
    text: &SecretArg,
) -> Result<Secret, Failure> {
    let password = match find(reader, &of.asked(text))? {
        Found::Reference(secret) => return Ok(secret),
        Found::Password(password) => password,
    };
    let migration = &args.migration;
    let request = call(GetMigrationRequest { name: full_name(migration)? });
    let now = session.client.migrations().get_migration(request).await?.into_inner();
    let now = now.spec.unwrap_or_default();
    let new = |agent: &Option<String>| agent.as_deref().map(agent_name).unwrap_or_default();
    let (agent, source_agent) = (new(&args.agent), new(&args.source_agent));
    // Whoever is to act from now on comes before whoever acts now.
    let named = match of.option == SOURCE.option {
        true => [source_agent, agent, now.source_agent, now.agent],
        false => [agent, now.agent, String::new(), String::new()],
    };
    seal(session, &password, migration, named.iter().map(String::as_str)).await
}
