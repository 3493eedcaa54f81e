//! `agent list`.
use whimbrel_proto::v1::ListAgentsRequest;

use crate::{
    client::{PAGE_SIZE, call},
    failure::Failure,
    render::agent::{Agent, table},
    verb::Session,
};

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let mut agents: Vec<Agent> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAgentsRequest { page_size: PAGE_SIZE, page_token };
        let page = session.client.agents().list_agents(call(request)).await?.into_inner();
        agents.extend(page.agents.into_iter().map(Into::into));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if agents.is_empty() {
        session.screen.hint("no agents yet; next: whimbrel agent token create");
    }
    session.screen.print(&agents, || table(&agents, &session.screen))
}
