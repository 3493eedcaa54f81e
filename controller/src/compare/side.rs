//! One side's agent, as a comparison asks it.
use std::{sync::Arc, time::Duration};

use whimbrel_proto::{
    agent::v1::{self as link, query::Kind, query_answer::Kind as Answer},
    v1::MigrationReport,
};

use super::{CompareError, Server};
use crate::fleet::Fleet;

/// A question's own bound at the agent is ten minutes, and a wait for the ledger before it; a little more, so that the
/// agent's words come and not ours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(660);

/// An agent answers eight questions at once; others' are over in a moment.
const BUSY_TRIES: u32 = 20;

/// Between those.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// Which objects are looked at: `selection` of those that are `migrated`.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) selection: link::Selection,
    pub(super) migrated: link::Selection,
}

/// One database of one server.
pub(super) struct Side {
    pub(super) fleet: Arc<Fleet>,
    pub(super) server: Server,
    pub(super) database: String,
    /// "source" or "target".
    pub(super) name: &'static str,
}

impl Side {
    async fn ask(&self, kind: Kind) -> Result<Answer, CompareError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer =
                self.fleet.ask_within(&self.server.agent, kind.clone(), ANSWER_TIMEOUT).await?;
            let Answer::Failure(failure) = answer else { return Ok(answer) };
            if failure.code == "AgentBusy" && tries < BUSY_TRIES {
                tokio::time::sleep(BUSY_PAUSE).await;
                continue;
            }
            return Err(CompareError::Side {
                side: self.name,
                code: failure.code,
                message: failure.message,
                remedy: failure.remedy,
            });
        }
    }

    const fn wrong(&self) -> CompareError {
        CompareError::WrongAnswer { side: self.name }
    }

    /// The server's version; `None` when it has no such database.
    pub(super) async fn version(&self) -> Result<Option<u32>, CompareError> {
        match self.objects("", "", 0, &Scope::default()).await {
            Ok(objects) => Ok(Some(objects.server_version)),
            Err(CompareError::Side { code, .. }) if code == "DatabaseDoesNotExist" => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn objects(
        &self,
        kind: &str,
        after: &str,
        common_version: u32,
        scope: &Scope,
    ) -> Result<link::Objects, CompareError> {
        let question = Kind::ListObjects(link::ListObjects {
            server: Some(self.server.endpoint.clone()),
            database: self.database.clone(),
            kind: kind.to_owned(),
            after: after.to_owned(),
            common_version,
            tables: Some(scope.selection.clone()),
            migrated: Some(scope.migrated.clone()),
        });
        match self.ask(question).await? {
            Answer::Objects(objects) => Ok(objects),
            _ => Err(self.wrong()),
        }
    }

    pub(super) async fn tables(
        &self,
        after: &str,
        scope: &Scope,
    ) -> Result<link::TableSketches, CompareError> {
        let question = Kind::ListTables(link::ListTables {
            server: Some(self.server.endpoint.clone()),
            database: self.database.clone(),
            after: after.to_owned(),
            tables: Some(scope.selection.clone()),
            migrated: Some(scope.migrated.clone()),
        });
        match self.ask(question).await? {
            Answer::Tables(tables) => Ok(tables),
            _ => Err(self.wrong()),
        }
    }

    /// `question.server` is set here.
    pub(super) async fn surroundings(
        &self,
        mut question: link::LookAround,
    ) -> Result<link::Surroundings, CompareError> {
        question.server = Some(self.server.endpoint.clone());
        match self.ask(Kind::LookAround(question)).await? {
            Answer::Surroundings(seen) => Ok(seen),
            _ => Err(self.wrong()),
        }
    }

    /// `question.server` is set here.
    pub(super) async fn advice(
        &self,
        mut question: link::Advise,
    ) -> Result<MigrationReport, CompareError> {
        question.server = Some(self.server.endpoint.clone());
        match self.ask(Kind::Advise(question)).await? {
            Answer::Report(report) => Ok(report),
            _ => Err(self.wrong()),
        }
    }

    /// `question.server` and `question.database` are set here.
    pub(super) async fn sums(
        &self,
        mut question: link::SumRows,
    ) -> Result<link::RowSums, CompareError> {
        question.server = Some(self.server.endpoint.clone());
        question.database.clone_from(&self.database);
        match self.ask(Kind::SumRows(question)).await? {
            Answer::Sums(sums) if sums.behind => {
                Err(CompareError::Behind { database: self.database.clone() })
            }
            Answer::Sums(sums) => Ok(sums),
            _ => Err(self.wrong()),
        }
    }
}
