//! `agent drain`, `agent revoke`.
use whimbrel_proto::v1::{DrainAgentRequest, RevokeAgentRequest};

use crate::{
    client::{call, request_id},
    failure::Failure,
    render::agent::Agent,
    verb::{Session, agent_name},
};

pub(super) async fn drain(session: &Session, agent: &str) -> Result<(), Failure> {
    let request = DrainAgentRequest { name: agent_name(agent), request_id: request_id() };
    let drained = session.client.agents().drain_agent(call(request)).await?.into_inner();
    session.screen.hint(&format!(
        "{agent} takes nothing new; next: whimbrel agent show {agent} until it has no tasks"
    ));
    print(session, drained.into())
}

pub(super) async fn revoke(session: &Session, agent: &str) -> Result<(), Failure> {
    let request = RevokeAgentRequest { name: agent_name(agent), request_id: request_id() };
    let revoked = session.client.agents().revoke_agent(call(request)).await?.into_inner();
    session.screen.hint(&format!(
        "{agent} is never accepted again; to replace it: whimbrel agent token create"
    ));
    print(session, revoked.into())
}

fn print(session: &Session, agent: Agent) -> Result<(), Failure> {
    session.screen.print(&agent, || agent.page(&session.screen))
}
