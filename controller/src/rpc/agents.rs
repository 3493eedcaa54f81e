//! AgentService.
use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use whimbrel_proto::{
    name,
    v1::{self, agent_service_server::AgentService},
};

use super::{
    Rpc, page,
    request::{self, Repeated},
    status::{invalid, invalid_field, of_fleet},
};
use crate::{
    fleet::{Fleet, FleetError, Invitation},
    translate::{agent_out, time_out},
};

const SCOPE: &str = "agents";

#[async_trait]
impl AgentService for Rpc {
    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Result<Response<v1::JoinToken>, Status> {
        let request = request.into_inner();
        let wish = request.ttl.map(Duration::try_from).transpose();
        let wish = wish.map_err(|_| invalid_field("ttl", "is negative"))?;
        let ttl = Fleet::token_ttl(wish).map_err(of_fleet)?;
        let labels: BTreeMap<_, _> = request.labels.into_iter().collect();
        // A map has no order of its own on the wire.
        let content = format!("{ttl:?} {labels:?}");
        let now = Timestamp::now();
        let expires_at = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
        let id = request::uuid(&request.request_id)?.unwrap_or_else(Uuid::new_v4);
        let repeated = self
            .repeated(
                &request.request_id,
                "CreateJoinToken",
                content.as_bytes(),
                expires_at.as_second().to_string(),
            )
            .await?;
        let invitation = match repeated {
            Repeated::No(memo) => match self.fleet.invite(id, expires_at, labels, memo).await {
                Err(FleetError::Store(error)) if request::done_by_another(&error) => {
                    self.fleet.invitation(id, expires_at)
                }
                invited => invited,
            },
            Repeated::Yes(expires) => {
                let expires = expires.parse().ok().and_then(|s| Timestamp::from_second(s).ok());
                self.fleet.invitation(id, expires.unwrap_or(expires_at))
            }
        };
        let Invitation { token, expires_at } = invitation.map_err(of_fleet)?;
        let expire_time = Some(time_out(expires_at));
        Ok(Response::new(v1::JoinToken { token, expire_time }))
    }

    async fn get_agent(
        &self,
        request: Request<v1::GetAgentRequest>,
    ) -> Result<Response<v1::Agent>, Status> {
        self.show_agent(agent_id(&request.get_ref().name)?).await
    }

    async fn list_agents(
        &self,
        request: Request<v1::ListAgentsRequest>,
    ) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let after = page::cursor(SCOPE, &request.page_token)?;
        let mut found = self.fleet.agents(&after, size + 1).await.map_err(of_fleet)?;
        let next_page_token = page::cut(&mut found, size, SCOPE, |agent| agent.id.clone());
        let agents = found.iter().map(|agent| agent_out(agent, &self.fleet.state(agent)));
        Ok(Response::new(v1::ListAgentsResponse { agents: agents.collect(), next_page_token }))
    }

    async fn drain_agent(
        &self,
        request: Request<v1::DrainAgentRequest>,
    ) -> Result<Response<v1::Agent>, Status> {
        let request = request.into_inner();
        let id = agent_id(&request.name)?;
        let repeated =
            self.repeated_message(&request.request_id, "DrainAgent", &request, &request.name);
        if let Repeated::No(memo) = repeated.await? {
            once(self.fleet.drain(id, memo).await)?;
        }
        self.show_agent(id).await
    }

    async fn revoke_agent(
        &self,
        request: Request<v1::RevokeAgentRequest>,
    ) -> Result<Response<v1::Agent>, Status> {
        let request = request.into_inner();
        let id = agent_id(&request.name)?;
        let repeated =
            self.repeated_message(&request.request_id, "RevokeAgent", &request, &request.name);
        if let Repeated::No(memo) = repeated.await? {
            once(self.fleet.revoke(id, memo).await)?;
        }
        self.show_agent(id).await
    }
}

impl Rpc {
    async fn show_agent(&self, id: &str) -> Result<Response<v1::Agent>, Status> {
        let agent = self.fleet.agent(id).await.map_err(of_fleet)?;
        Ok(Response::new(agent_out(&agent, &self.fleet.state(&agent))))
    }
}

fn once(done: Result<(), FleetError>) -> Result<(), Status> {
    match done {
        Err(FleetError::Store(error)) if request::done_by_another(&error) => Ok(()),
        done => done.map_err(of_fleet),
    }
}

fn agent_id(name: &str) -> Result<&str, Status> {
    name::parse_agent("name", name).map_err(|e| invalid(&e.into()))
}
