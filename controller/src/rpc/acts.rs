//! MigrationService: the operator's acts. Each is one event; the driver says whether it may happen now.
use std::{collections::BTreeMap, time::Duration};

use prost::Message;
use tonic::{Response, Status};
use whimbrel_proto::{name, v1};

use super::{
    Rpc,
    migrations::ids,
    request::Repeated,
    status::{invalid, invalid_field, of_driver},
};
use crate::{
    driver::Act,
    migration::{CutoverRequest, Event, HandOver, LimitsChange, Secret},
    translate::{InvalidField, limits_in, secret_in, time_in},
};

type Answer = Result<Response<v1::Migration>, Status>;

/// What every act's request has.
struct Common<'a> {
    method: &'static str,
    name: &'a str,
    etag: &'a str,
    request_id: &'a str,
}

impl Rpc {
    async fn act(&self, common: Common<'_>, message: &impl Message, event: Event) -> Answer {
        let Common { method, name, etag, request_id } = common;
        let (target, id) = ids("name", name)?;
        let Repeated::No(memo) = self.repeated_message(request_id, method, message, name).await?
        else {
            return self.show(target, id).await;
        };
        let act = Act { event, etag: etag.to_owned(), memo };
        let record = self.driver.act(target, id, act).await.map_err(of_driver)?;
        Ok(Response::new(self.out(&record)))
    }

    pub(super) async fn confirm(&self, request: v1::ConfirmOverwriteRequest) -> Answer {
        let common = Common {
            method: "ConfirmOverwrite",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        self.act(common, &request, Event::ConfirmOverwrite).await
    }

    pub(super) async fn cutover(&self, request: v1::CutoverMigrationRequest) -> Answer {
        let max_latency = request.max_latency.map(Duration::try_from).transpose();
        let max_latency = max_latency.map_err(|_| invalid_field("max_latency", "is negative"))?;
        let event = Event::Cutover(CutoverRequest {
            databases: request.databases.clone(),
            max_latency: max_latency.map(|d| d.as_secs_f64()),
            fence: request.fence,
            allow_source_writes: request.allow_source_writes,
            ..CutoverRequest::default()
        });
        let common = Common {
            method: "CutoverMigration",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        self.act(common, &request, event).await
    }

    pub(super) async fn cancel(&self, request: v1::CancelMigrationRequest) -> Answer {
        let common = Common {
            method: "CancelMigration",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        let event = Event::Cancel { databases: request.databases.clone() };
        self.act(common, &request, event).await
    }

    pub(super) async fn leave_source(&self, request: v1::LeaveSourceRequest) -> Answer {
        let common = Common {
            method: "LeaveSource",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        let event = Event::LeaveSource { databases: request.databases.clone() };
        self.act(common, &request, event).await
    }

    pub(super) async fn pause(&self, request: v1::PauseMigrationRequest) -> Answer {
        let common = Common {
            method: "PauseMigration",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        let event = Event::Pause { databases: request.databases.clone() };
        self.act(common, &request, event).await
    }

    pub(super) async fn resume(&self, request: v1::ResumeMigrationRequest) -> Answer {
        let common = Common {
            method: "ResumeMigration",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        let event = Event::Resume { databases: request.databases.clone() };
        self.act(common, &request, event).await
    }

    pub(super) async fn retry(&self, request: v1::RetryMigrationRequest) -> Answer {
        let common = Common {
            method: "RetryMigration",
            name: &request.name,
            etag: &request.etag,
            request_id: &request.request_id,
        };
        let event =
            Event::Retry { databases: request.databases.clone(), tables: request.tables.clone() };
        self.act(common, &request, event).await
    }

    pub(super) async fn update(&self, request: v1::UpdateMigrationRequest) -> Answer {
        let missing = || invalid_field("migration", "is missing");
        let migration = request.migration.as_ref().ok_or_else(missing)?;
        let common = Common {
            method: "UpdateMigration",
            name: &migration.name,
            etag: &migration.etag,
            request_id: &request.request_id,
        };
        let event = update_in(&request, migration).map_err(|e| invalid(&e))?;
        self.act(common, &request, event).await
    }
}

/// Agents and passwords, or the window: each is an act of its own.
fn update_in(
    request: &v1::UpdateMigrationRequest,
    migration: &v1::Migration,
) -> Result<Event, InvalidField> {
    let paths = request.update_mask.as_ref().map(|mask| mask.paths.as_slice());
    let paths = paths.unwrap_or_default();
    let spec = migration.spec.as_ref();
    if paths.iter().any(|path| path.starts_with(LIMITS)) {
        return limits_change(paths, spec).map(Event::UpdateLimits);
    }
    let (mut source, mut target) = (None, None);
    let (mut start, mut end) = (None, None);
    let (mut source_agent, mut target_agent) = (None, None);
    for path in paths {
        match path.as_str() {
            "spec.agent" => target_agent = Some(agent(path, spec.map(|s| s.agent.as_str()))?),
            "spec.source_agent" => {
                source_agent = Some(agent(path, spec.map(|s| s.source_agent.as_str()))?);
            }
            "spec.source.password" => {
                source = Some(password(path, spec.and_then(|s| s.source.as_ref()))?);
            }
            "spec.target_override.password" => {
                target = Some(password(path, spec.and_then(|s| s.target_override.as_ref()))?);
            }
            "spec.window_start_time" => {
                start = Some(moment(path, spec.and_then(|s| s.window_start_time.as_ref()))?);
            }
            "spec.window_end_time" => {
                end = Some(moment(path, spec.and_then(|s| s.window_end_time.as_ref()))?);
            }
            other => {
                let problem = format!("{other:?} can't be changed once the migration is recorded");
                return Err(InvalidField::new("update_mask", problem));
            }
        }
    }
    let agents = source_agent.is_some() || target_agent.is_some();
    let secrets = source.is_some() || target.is_some();
    let problem = match (agents || secrets, start.is_some() || end.is_some()) {
        (true, false) if agents => {
            let incarnations = BTreeMap::new();
            let order = HandOver { source_agent, target_agent, source, target, incarnations };
            return Ok(Event::HandOver(order));
        }
        (true, false) => return Ok(Event::UpdateSecrets { source, target }),
        (false, true) => return Ok(Event::UpdateWindow { start, end }),
        (false, false) => "is empty: name what changes",
        (true, true) => "names the window, and agents or passwords: change one, then the other",
    };
    Err(InvalidField::new("update_mask", problem))
}

const LIMITS: &str = "spec.limits.";

fn limits_change(
    paths: &[String],
    spec: Option<&v1::MigrationSpec>,
) -> Result<LimitsChange, InvalidField> {
    let told = limits_in(spec.and_then(|spec| spec.limits.as_ref()))?;
    let mut change = LimitsChange::default();
    for path in paths {
        match path.strip_prefix(LIMITS) {
            Some("copy_jobs") => change.copy_jobs = Some(told.copy_jobs),
            Some("copy_bytes_per_second") => {
                change.copy_bytes_per_second = Some(told.copy_bytes_per_second);
            }
            Some("snapshot_age") => change.snapshot_seconds = Some(told.snapshot_seconds),
            Some("retained_wal_bytes") => {
                change.retained_wal_bytes = Some(told.retained_wal_bytes);
            }
            Some(_) => {
                let problem = format!("{path:?} is not a limit");
                return Err(InvalidField::new("update_mask", problem));
            }
            None => {
                let problem = "names limits, and more: change one, then the other";
                return Err(InvalidField::new("update_mask", problem));
            }
        }
    }
    Ok(change)
}

/// None takes it away.
fn moment(
    path: &str,
    time: Option<&prost_types::Timestamp>,
) -> Result<Option<jiff::Timestamp>, InvalidField> {
    let field = format!("migration.{path}");
    let read = |time| time_in(time).ok_or_else(|| InvalidField::new(field, "is not a time"));
    time.map(read).transpose()
}

fn agent(path: &str, agent: Option<&str>) -> Result<String, InvalidField> {
    let field = format!("migration.{path}");
    match agent.unwrap_or_default() {
        "" => Err(InvalidField::new(field, "is missing")),
        agent => {
            let id = name::parse_agent("agent", agent);
            id.map(str::to_owned).map_err(|e| InvalidField::new(field, e.to_string()))
        }
    }
}

fn password(path: &str, endpoint: Option<&v1::Endpoint>) -> Result<Secret, InvalidField> {
    let field = format!("migration.{path}");
    let secret = endpoint.and_then(|endpoint| endpoint.password.as_ref());
    secret_in(&field, secret.ok_or_else(|| InvalidField::new(&field, "is missing"))?)
}
