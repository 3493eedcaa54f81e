//! `whimbrel agent …`.
use clap::{Args, Subcommand};

use super::value::label;

/// Verbs for agents.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Join tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// All agents
    List,
    /// One agent
    Show(AgentName),
    /// Let it finish what it runs, and give it nothing new
    Drain(AgentName),
    /// Never accept it again; its session is cut
    Revoke(AgentName),
}

/// Verbs for join tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token that lets one agent join, once
    #[command(after_help = "Example:\n  whimbrel-agent run --data-dir a1 --name a1 \
                            --join \"$(whimbrel agent token create)\"")]
    Create(TokenCreate),
}

/// Options of `agent token create`.
#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    /// How long it is good, like 30m or 1h
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<humantime::Duration>,
    /// A label for the agent that joins with it
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
}

/// An agent by its name.
#[derive(Debug, Args)]
pub(crate) struct AgentName {
    /// The agent's name
    #[arg(value_name = "A")]
    pub(crate) name: String,
}
