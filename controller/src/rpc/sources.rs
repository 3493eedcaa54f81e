//! SourceService: an agent looks at a source, nothing is recorded.
use async_trait::async_trait;
use tonic::{Code, Request, Response, Status};
use whimbrel_proto::{
    agent::v1::{query, query_answer},
    name,
    v1::{self, source_service_server::SourceService},
};

use super::{
    Rpc,
    status::{invalid, of_fleet, refuse},
    targets::wrong_answer,
};
use crate::translate::{endpoint_in, endpoint_raw};

#[async_trait]
impl SourceService for Rpc {
    async fn test_source(
        &self,
        request: Request<v1::TestSourceRequest>,
    ) -> Result<Response<v1::ServerTest>, Status> {
        let request = request.into_inner();
        let endpoint = endpoint(request.endpoint.as_ref())?;
        self.test_server(agent(&request.agent)?, endpoint).await
    }

    async fn list_source_databases(
        &self,
        request: Request<v1::ListSourceDatabasesRequest>,
    ) -> Result<Response<v1::ListSourceDatabasesResponse>, Status> {
        let request = request.into_inner();
        let question = query::Kind::ListDatabases(endpoint(request.endpoint.as_ref())?);
        match self.fleet.ask(agent(&request.agent)?, question).await.map_err(of_fleet)? {
            query_answer::Kind::Databases(databases) => Ok(Response::new(databases)),
            query_answer::Kind::Failure(test) => {
                let message = match test.remedy.as_str() {
                    "" => test.message,
                    remedy => format!("{}. {remedy}", test.message.trim_end_matches('.')),
                };
                Err(refuse(Code::FailedPrecondition, &test.code, message))
            }
            _ => Err(wrong_answer()),
        }
    }
}

/// Checked and made complete, as a migration's is.
fn endpoint(endpoint: Option<&v1::Endpoint>) -> Result<v1::Endpoint, Status> {
    let endpoint = endpoint_in("endpoint", endpoint).map_err(|e| invalid(&e))?;
    Ok(endpoint_raw(&endpoint))
}

fn agent(name: &str) -> Result<&str, Status> {
    name::parse_agent("agent", name).map_err(|e| invalid(&e.into()))
}
