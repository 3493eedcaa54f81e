//! CompareService: two servers side by side, looked at by their agents. Nothing is recorded.
use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use whimbrel_proto::{
    agent::v1::{LookAround, Selection},
    name,
    pattern::Pattern,
    v1::{self, compare_service_server::CompareService},
};

use super::{
    Rpc,
    migrations::ids,
    status::{invalid, invalid_field, of_driver, of_fleet, refuse},
};
use crate::{
    compare::{CompareError, Comparison, MESSAGES_MAX, Server, Standing, compare, report},
    migration::{Database, DatabasePhase, Migration, Mode},
    translate::{endpoint_in, endpoint_raw, selection_out},
};

type Messages = Pin<Box<dyn Stream<Item = Result<v1::CompareResponse, Status>> + Send>>;

#[async_trait]
impl CompareService for Rpc {
    type CompareMigrationStream = Messages;
    type CompareServersStream = Messages;

    async fn compare_migration(
        &self,
        request: Request<v1::CompareMigrationRequest>,
    ) -> Result<Response<Messages>, Status> {
        let request = request.into_inner();
        let (target, id) = ids("name", &request.name)?;
        let record = self.driver.find(target, id).await.map_err(of_driver)?;
        let spec = &record.migration.spec;
        let scope = scope(request.scope)?;
        let server = |agent: &str, endpoint| Server {
            agent: agent.to_owned(),
            endpoint: endpoint_raw(endpoint),
        };
        Ok(self.comparison(
            server(&spec.source_agent, &spec.source),
            server(&spec.target_agent, &spec.target),
            standings(&record.migration, &request.databases)?,
            scope,
            selection_out(&spec.selection),
        ))
    }

    async fn compare_servers(
        &self,
        request: Request<v1::CompareServersRequest>,
    ) -> Result<Response<Messages>, Status> {
        let request = request.into_inner();
        let agent = name::parse_agent("source_agent", &request.source_agent);
        let agent = agent.map_err(|e| invalid(&e.into()))?.to_owned();
        let source = endpoint_in("source", request.source.as_ref()).map_err(|e| invalid(&e))?;
        let target = name::parse_target("target", &request.target);
        let target = target.map_err(|e| invalid(&e.into()))?;
        let target = self.driver.target(target).await.map_err(of_driver)?;
        if request.databases.is_empty() {
            return Err(invalid_field("databases", "is empty: name at least one"));
        }
        let scope = scope(request.scope)?;
        Ok(self.comparison(
            Server { agent, endpoint: endpoint_raw(&source) },
            Server { agent: target.agent, endpoint: endpoint_raw(&target.endpoint) },
            request.databases.into_iter().map(|name| (name, Standing::Apart)).collect(),
            scope,
            Selection::default(),
        ))
    }

    async fn report_migration(
        &self,
        request: Request<v1::ReportMigrationRequest>,
    ) -> Result<Response<v1::MigrationReport>, Status> {
        let (target, id) = ids("name", &request.get_ref().name)?;
        let record = self.driver.find(target, id).await.map_err(of_driver)?;
        let spec = &record.migration.spec;
        let server = |agent: &str, endpoint| Server {
            agent: agent.to_owned(),
            endpoint: endpoint_raw(endpoint),
        };
        let (source, target) =
            (server(&spec.source_agent, &spec.source), server(&spec.target_agent, &spec.target));
        let wanted = LookAround {
            databases: spec.databases.clone(),
            migrate_roles: spec.migrate_roles,
            selection: Some(selection_out(&spec.selection)),
            ..LookAround::default()
        };
        let told = report(&self.fleet, source, target, wanted).await;
        Ok(Response::new(told.map_err(of_compare)?))
    }
}

impl Rpc {
    /// Compares for as long as somebody reads.
    fn comparison(
        &self,
        source: Server,
        target: Server,
        databases: Vec<(String, Standing)>,
        scope: v1::CompareScope,
        migrated: Selection,
    ) -> Response<Messages> {
        let comparison = Comparison {
            fleet: Arc::clone(&self.fleet),
            source,
            target,
            databases,
            part: scope.part(),
            tables_only: !scope.tables.is_empty(),
            selection: Selection { include_tables: scope.tables, ..Selection::default() },
            migrated,
        };
        let (out, messages) = mpsc::channel(MESSAGES_MAX);
        let stop = self.stop.clone();
        let away = out.clone();
        let work = async move {
            tokio::select! {
                () = compare(comparison, out) => {}
                () = stop.cancelled() => {
                    // A reader that has gone needs no word.
                    drop(away.send(Err(CompareError::Stopped)).await);
                }
            }
        };
        let messages = ReceiverStream::new(messages).map(|message| message.map_err(of_compare));
        // The work is done while the messages are read, and ends with the reader.
        let silent = stream::once(work).filter_map(|()| std::future::ready(None));
        Response::new(Box::pin(stream::select(messages, silent)))
    }
}

/// Databases, and how each stands; those whose rows are still being copied are refused.
fn standings(migration: &Migration, wanted: &[String]) -> Result<Vec<(String, Standing)>, Status> {
    for name in wanted {
        if !migration.databases.iter().any(|database| database.name == *name) {
            let problem = format!("{name:?} is not one of the migration's databases");
            return Err(invalid_field("databases", problem));
        }
    }
    let databases = migration.databases.iter();
    databases
        .filter(|database| wanted.is_empty() || wanted.contains(&database.name))
        .map(|database| Ok((database.name.clone(), standing(migration, database)?)))
        .collect()
}

fn standing(migration: &Migration, database: &Database) -> Result<Standing, Status> {
    let online = migration.spec.mode == Mode::Online;
    match database.phase() {
        DatabasePhase::Copying => {
            let message = format!(
                "database {:?} is still being copied: nothing can be compared",
                database.name
            );
            Err(refuse(Code::FailedPrecondition, "StillCopying", message))
        }
        DatabasePhase::CuttingOver(_) | DatabasePhase::Streaming | DatabasePhase::Ready
            if online =>
        {
            Ok(Standing::Following)
        }
        _ => Ok(Standing::Apart),
    }
}

fn scope(scope: Option<v1::CompareScope>) -> Result<v1::CompareScope, Status> {
    let scope = scope.unwrap_or_default();
    for pattern in &scope.tables {
        Pattern::of_table(pattern).map_err(|e| invalid_field("scope.tables", e.to_string()))?;
    }
    Ok(scope)
}

fn of_compare(error: CompareError) -> Status {
    let message = error.to_string();
    match error {
        CompareError::Fleet(error) => of_fleet(error),
        CompareError::Side { code, remedy, .. } => {
            let message = match remedy.as_str() {
                "" => message,
                remedy => format!("{}. {remedy}", message.trim_end_matches('.')),
            };
            refuse(Code::FailedPrecondition, &code, message)
        }
        CompareError::WrongAnswer { .. } => refuse(Code::Internal, "WrongAnswer", message),
        CompareError::NoDatabase { .. } => refuse(Code::NotFound, "DatabaseNotFound", message),
        CompareError::NothingMatches { .. } => refuse(Code::NotFound, "NothingMatches", message),
        CompareError::Behind { .. } => refuse(Code::FailedPrecondition, "StreamBehind", message),
        CompareError::Stopped => refuse(Code::Unavailable, "GoingAway", message),
        CompareError::Unheard => refuse(Code::Cancelled, "Unheard", message),
    }
}
