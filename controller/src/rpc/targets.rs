//! TargetService.
use async_trait::async_trait;
use tonic::{Request, Response, Status};
use whimbrel_proto::{
    agent::v1::{query, query_answer},
    name,
    v1::{self, target_service_server::TargetService},
};

use super::{
    Rpc, page,
    request::Repeated,
    status::{invalid, invalid_field, of_driver, of_fleet},
};
use crate::{
    driver::TargetChange,
    translate::{
        InvalidField, endpoint_in, endpoint_raw, port_in, secret_in, ssl_mode_in, target_out,
    },
};

const SCOPE: &str = "targets";

#[async_trait]
impl TargetService for Rpc {
    async fn create_target(
        &self,
        request: Request<v1::CreateTargetRequest>,
    ) -> Result<Response<v1::Target>, Status> {
        let request = request.into_inner();
        let id = request.target_id.as_str();
        name::check_id("target_id", id).map_err(|e| invalid(&e.into()))?;
        let wish = request.target.as_ref();
        let wish = wish.ok_or_else(|| invalid_field("target", "is missing"))?;
        let endpoint = endpoint_in("target.endpoint", wish.endpoint.as_ref());
        let endpoint = endpoint.map_err(|e| invalid(&e))?;
        let agent = name::parse_agent("target.agent", &wish.agent);
        let agent = agent.map_err(|e| invalid(&e.into()))?;
        let repeated = self.repeated_message(&request.request_id, "CreateTarget", &request, id);
        let target = match repeated.await? {
            Repeated::No(memo) => self.driver.create_target(id, endpoint, agent, memo).await,
            Repeated::Yes(id) => self.driver.target(&id).await,
        };
        Ok(Response::new(target_out(&target.map_err(of_driver)?)))
    }

    async fn get_target(
        &self,
        request: Request<v1::GetTargetRequest>,
    ) -> Result<Response<v1::Target>, Status> {
        let id = target_id("name", &request.get_ref().name)?;
        let target = self.driver.target(id).await.map_err(of_driver)?;
        Ok(Response::new(target_out(&target)))
    }

    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let after = page::cursor(SCOPE, &request.page_token)?;
        let mut found = self.driver.targets(&after, size + 1).await.map_err(of_driver)?;
        let next_page_token = page::cut(&mut found, size, SCOPE, |target| target.id.clone());
        let targets = found.iter().map(target_out).collect();
        Ok(Response::new(v1::ListTargetsResponse { targets, next_page_token }))
    }

    async fn update_target(
        &self,
        request: Request<v1::UpdateTargetRequest>,
    ) -> Result<Response<v1::Target>, Status> {
        let request = request.into_inner();
        let wish = request.target.as_ref();
        let wish = wish.ok_or_else(|| invalid_field("target", "is missing"))?;
        let id = target_id("target.name", &wish.name)?;
        let paths = request.update_mask.as_ref().map(|mask| mask.paths.as_slice());
        let change = change_in(wish, paths.unwrap_or_default()).map_err(|e| invalid(&e))?;
        let repeated = self.repeated_message(&request.request_id, "UpdateTarget", &request, id);
        let target = match repeated.await? {
            Repeated::No(memo) => self.driver.update_target(id, change, &wish.etag, memo).await,
            Repeated::Yes(id) => self.driver.target(&id).await,
        };
        Ok(Response::new(target_out(&target.map_err(of_driver)?)))
    }

    async fn delete_target(
        &self,
        request: Request<v1::DeleteTargetRequest>,
    ) -> Result<Response<v1::DeleteTargetResponse>, Status> {
        let request = request.into_inner();
        let id = target_id("name", &request.name)?;
        let repeated = self.repeated_message(&request.request_id, "DeleteTarget", &request, id);
        if let Repeated::No(memo) = repeated.await? {
            self.driver.delete_target(id, &request.etag, memo).await.map_err(of_driver)?;
        }
        Ok(Response::new(v1::DeleteTargetResponse {}))
    }

    async fn test_target(
        &self,
        request: Request<v1::TestTargetRequest>,
    ) -> Result<Response<v1::ServerTest>, Status> {
        let id = target_id("name", &request.get_ref().name)?;
        let target = self.driver.target(id).await.map_err(of_driver)?;
        let endpoint = endpoint_raw(&target.endpoint);
        self.test_server(&target.agent, endpoint).await
    }
}

impl Rpc {
    /// An agent tries a server.
    pub(super) async fn test_server(
        &self,
        agent: &str,
        endpoint: v1::Endpoint,
    ) -> Result<Response<v1::ServerTest>, Status> {
        let question = query::Kind::TestServer(endpoint);
        match self.fleet.ask(agent, question).await.map_err(of_fleet)? {
            query_answer::Kind::ServerTest(test) | query_answer::Kind::Failure(test) => {
                Ok(Response::new(test))
            }
            _ => Err(wrong_answer()),
        }
    }
}

/// An agent that answers another question than it was asked.
pub(super) fn wrong_answer() -> Status {
    let message = "the agent's answer makes no sense: bring it to the controller's version";
    super::status::refuse(tonic::Code::Internal, "WrongAnswer", message)
}

fn target_id<'a>(field: &'static str, name: &'a str) -> Result<&'a str, Status> {
    name::parse_target(field, name).map_err(|e| invalid(&e.into()))
}

fn change_in(target: &v1::Target, paths: &[String]) -> Result<TargetChange, InvalidField> {
    let mask = |problem: String| InvalidField::new("update_mask", problem);
    if paths.is_empty() {
        return Err(mask("is empty: name what changes".to_owned()));
    }
    let empty = v1::Endpoint::default();
    let endpoint = target.endpoint.as_ref().unwrap_or(&empty);
    let field = "target.endpoint";
    let needed = |path: &str, value: &str| match value {
        "" => Err(InvalidField::new(format!("target.{path}"), "is missing")),
        value => Ok(Some(value.to_owned())),
    };
    let mut change = TargetChange::default();
    for path in paths {
        match path.as_str() {
            "endpoint.host" => change.host = needed(path, &endpoint.host)?,
            "endpoint.user" => change.user = needed(path, &endpoint.user)?,
            "endpoint.port" => change.port = Some(port_in(field, endpoint.port)?),
            "endpoint.ssl_mode" => change.ssl_mode = ssl_mode_in(field, endpoint.ssl_mode)?,
            "endpoint.password" => {
                let field = "target.endpoint.password";
                let missing = || InvalidField::new(field, "is missing");
                let secret = endpoint.password.as_ref().ok_or_else(missing)?;
                change.password = Some(secret_in(field, secret)?);
            }
            "agent" => {
                let id = name::parse_agent("target.agent", &target.agent)?;
                change.agent = Some(id.to_owned());
            }
            other => return Err(mask(format!("{other:?} can't be changed"))),
        }
    }
    Ok(change)
}
