//! `agent …`.
mod list;
mod retire;
mod show;
mod token;

use super::Session;
use crate::{
    args::agent::{AgentCommand, TokenCommand},
    failure::Failure,
};

pub(super) async fn run(session: &Session, command: AgentCommand) -> Result<(), Failure> {
    match command {
        AgentCommand::Token(TokenCommand::Create(args)) => token::create(session, args).await,
        AgentCommand::List => list::run(session).await,
        AgentCommand::Show(agent) => show::run(session, &agent.name).await,
        AgentCommand::Drain(agent) => retire::drain(session, &agent.name).await,
        AgentCommand::Revoke(agent) => retire::revoke(session, &agent.name).await,
    }
}
