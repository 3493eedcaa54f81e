//! `agent show`.
use whimbrel_proto::v1::GetAgentRequest;

use crate::{
    client::call,
    failure::Failure,
    render::agent::Agent,
    verb::{Session, agent_name},
};

pub(super) async fn run(session: &Session, agent: &str) -> Result<(), Failure> {
    let request = GetAgentRequest { name: agent_name(agent) };
    let agent = session.client.agents().get_agent(call(request)).await?.into_inner();
    let agent = Agent::from(agent);
    session.screen.print(&agent, || agent.page(&session.screen))
}
