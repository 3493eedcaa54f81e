//! MigrationService: what makes, shows and deletes. The acts are in `acts`, the watch in `watch`.
use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use tonic::{Request, Response, Status};
use whimbrel_proto::{
    name,
    v1::{self, migration_service_server::MigrationService},
};

use super::{
    Rpc, page,
    request::{self, Repeated},
    status::{invalid, invalid_field, of_driver},
};
use crate::{
    driver::{DriverError, Order},
    store::{MigrationQuery, Record},
    translate::{Defaults, Observed, event_out, migration_out, spec_in},
};

/// A parent that stands for all targets.
const ALL_TARGETS: &str = "-";

#[async_trait]
impl MigrationService for Rpc {
    type WatchMigrationStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchMigrationResponse, Status>> + Send>>;

    async fn check_migration_name(
        &self,
        request: Request<v1::CheckMigrationNameRequest>,
    ) -> Result<Response<v1::CheckMigrationNameResponse>, Status> {
        let request = request.into_inner();
        let target = target_id(&request.parent)?;
        self.driver.target(target).await.map_err(of_driver)?;
        let taken = |reason: &str, message: String| {
            Ok(Response::new(v1::CheckMigrationNameResponse {
                available: false,
                reason: reason.to_owned(),
                message,
            }))
        };
        if let Err(error) = name::check_id("migration_id", &request.migration_id) {
            return taken("Invalid", error.to_string());
        }
        match self.driver.find(target, &request.migration_id).await {
            Ok(_) => taken("AlreadyExists", "the target has a migration of that name".to_owned()),
            Err(DriverError::MigrationNotFound { .. }) => {
                let available = true;
                let free = v1::CheckMigrationNameResponse { available, ..Default::default() };
                Ok(Response::new(free))
            }
            Err(error) => Err(of_driver(error)),
        }
    }

    async fn create_migration(
        &self,
        request: Request<v1::CreateMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        let request = request.into_inner();
        let target = target_id(&request.parent)?;
        let id = request.migration_id.as_str();
        name::check_id("migration_id", id).map_err(|e| invalid(&e.into()))?;
        let subject = name::migration(target, id);
        let repeated =
            self.repeated_message(&request.request_id, "CreateMigration", &request, &subject);
        let Repeated::No(memo) = repeated.await? else { return self.show(target, id).await };
        let spec = request.spec.as_ref().ok_or_else(|| invalid_field("spec", "is missing"))?;
        let defaults = self.driver.target(target).await.map_err(of_driver)?;
        let defaults = Defaults { endpoint: &defaults.endpoint, agent: &defaults.agent };
        let spec = spec_in(spec, &defaults).map_err(|e| invalid(&e))?;
        let order = Order {
            target_id: target.to_owned(),
            name: id.to_owned(),
            spec,
            validate_only: request.validate_only,
            memo,
        };
        let record = self.driver.create(order).await.map_err(of_driver)?;
        Ok(Response::new(self.out(&record)))
    }

    async fn get_migration(
        &self,
        request: Request<v1::GetMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        let (target, id) = ids("name", &request.get_ref().name)?;
        self.show(target, id).await
    }

    async fn list_migrations(
        &self,
        request: Request<v1::ListMigrationsRequest>,
    ) -> Result<Response<v1::ListMigrationsResponse>, Status> {
        let request = request.into_inner();
        let target = match request.parent.strip_prefix("targets/") {
            Some(ALL_TARGETS) => None,
            _ => Some(target_id(&request.parent)?.to_owned()),
        };
        if let Some(target) = &target {
            self.driver.target(target).await.map_err(of_driver)?;
        }
        let size = page::size(request.page_size)?;
        let active = request.filter != i32::from(v1::list_migrations_request::Filter::All);
        let scope = format!("migrations {} {active}", request.parent);
        let before = before(&page::cursor(&scope, &request.page_token)?)?;
        let query = MigrationQuery { target_id: target, active, before, limit: size + 1 };
        let mut found = self.driver.list(query).await.map_err(of_driver)?;
        let next_page_token = page::cut(&mut found, size, &scope, |record| {
            let migration = &record.migration;
            format!("{} {}", migration.created_at.as_microsecond(), migration.uid)
        });
        let migrations = found.iter().map(|record| self.out(record)).collect();
        Ok(Response::new(v1::ListMigrationsResponse { migrations, next_page_token }))
    }

    async fn delete_migration(
        &self,
        request: Request<v1::DeleteMigrationRequest>,
    ) -> Result<Response<v1::DeleteMigrationResponse>, Status> {
        let request = request.into_inner();
        let (target, id) = ids("name", &request.name)?;
        let repeated =
            self.repeated_message(&request.request_id, "DeleteMigration", &request, &request.name);
        if let Repeated::No(memo) = repeated.await? {
            match self.driver.delete(target, id, &request.etag, memo).await {
                Err(DriverError::Store(error)) if request::done_by_another(&error) => {}
                done => done.map_err(of_driver)?,
            }
        }
        Ok(Response::new(v1::DeleteMigrationResponse {}))
    }

    async fn update_migration(
        &self,
        request: Request<v1::UpdateMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.update(request.into_inner()).await
    }

    async fn confirm_overwrite(
        &self,
        request: Request<v1::ConfirmOverwriteRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.confirm(request.into_inner()).await
    }

    async fn cutover_migration(
        &self,
        request: Request<v1::CutoverMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.cutover(request.into_inner()).await
    }

    async fn cancel_migration(
        &self,
        request: Request<v1::CancelMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.cancel(request.into_inner()).await
    }

    async fn leave_source(
        &self,
        request: Request<v1::LeaveSourceRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.leave_source(request.into_inner()).await
    }

    async fn pause_migration(
        &self,
        request: Request<v1::PauseMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.pause(request.into_inner()).await
    }

    async fn resume_migration(
        &self,
        request: Request<v1::ResumeMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.resume(request.into_inner()).await
    }

    async fn retry_migration(
        &self,
        request: Request<v1::RetryMigrationRequest>,
    ) -> Result<Response<v1::Migration>, Status> {
        self.retry(request.into_inner()).await
    }

    async fn list_migration_events(
        &self,
        request: Request<v1::ListMigrationEventsRequest>,
    ) -> Result<Response<v1::ListMigrationEventsResponse>, Status> {
        let request = request.into_inner();
        let (target, id) = ids("parent", &request.parent)?;
        let record = self.driver.find(target, id).await.map_err(of_driver)?;
        let size = page::size(request.page_size)?;
        let scope = format!("events {}", record.migration.uid);
        let after = page::cursor(&scope, &request.page_token)?.parse().unwrap_or(0);
        let uid = &record.migration.uid;
        let mut found = self.driver.events(uid, after, size + 1).await.map_err(of_driver)?;
        let next_page_token =
            page::cut(&mut found, size, &scope, |event| event.sequence.to_string());
        let events = found.into_iter().map(event_out).collect();
        Ok(Response::new(v1::ListMigrationEventsResponse { events, next_page_token }))
    }

    async fn list_migration_tables(
        &self,
        request: Request<v1::ListMigrationTablesRequest>,
    ) -> Result<Response<v1::ListMigrationTablesResponse>, Status> {
        let request = request.into_inner();
        let (target, id) = ids("parent", &request.parent)?;
        let record = self.driver.find(target, id).await.map_err(of_driver)?;
        let size = page::size(request.page_size)?;
        let scope = format!("tables {}", record.migration.uid);
        let skip: usize = page::cursor(&scope, &request.page_token)?.parse().unwrap_or(0);
        let live = self.driver.live(&record.migration.uid);
        let all = live.map(|live| live.tables()).unwrap_or_default();
        let more = all.len() > skip.saturating_add(size);
        let next_page_token = match more {
            true => page::token(&scope, &(skip + size).to_string()),
            false => String::new(),
        };
        let tables = all.into_iter().skip(skip).take(size).collect();
        Ok(Response::new(v1::ListMigrationTablesResponse { tables, next_page_token }))
    }

    async fn watch_migration(
        &self,
        request: Request<v1::WatchMigrationRequest>,
    ) -> Result<Response<Self::WatchMigrationStream>, Status> {
        self.watch(request.into_inner()).await
    }
}

impl Rpc {
    /// The migration now.
    pub(super) async fn show(
        &self,
        target: &str,
        id: &str,
    ) -> Result<Response<v1::Migration>, Status> {
        let record = self.driver.find(target, id).await.map_err(of_driver)?;
        Ok(Response::new(self.out(&record)))
    }

    /// With what was observed of it.
    pub(super) fn out(&self, record: &Record) -> v1::Migration {
        migration_out(record, &self.observed(record))
    }

    fn observed(&self, record: &Record) -> Observed {
        let migration = &record.migration;
        let live = self.driver.live(&migration.uid);
        let mut agents = vec![migration.spec.source_agent.clone()];
        if migration.spec.target_agent != migration.spec.source_agent {
            agents.push(migration.spec.target_agent.clone());
        }
        Observed {
            progress: live.as_ref().map(|live| live.observed()).unwrap_or_default(),
            away: agents.iter().filter_map(|agent| self.fleet.absence(agent)).collect(),
            unwritten: live.and_then(|live| live.unwritten()),
        }
    }
}

/// The ids in a migration's name.
pub(super) fn ids<'a>(field: &'static str, name: &'a str) -> Result<(&'a str, &'a str), Status> {
    name::parse_migration(field, name).map_err(|e| invalid(&e.into()))
}

fn target_id(parent: &str) -> Result<&str, Status> {
    name::parse_target("parent", parent).map_err(|e| invalid(&e.into()))
}

fn before(cursor: &str) -> Result<Option<(i64, String)>, Status> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let parsed = cursor.split_once(' ').and_then(|(at, uid)| Some((at.parse().ok()?, uid)));
    let (at, uid) =
        parsed.ok_or_else(|| invalid_field("page_token", "is not a token that a list gave"))?;
    Ok(Some((at, uid.to_owned())))
}
