//! What the link asks of who does the work.
use async_trait::async_trait;
use whimbrel_proto::agent::v1::{Command, CommandAck, Query, QueryAnswer, RunningTask};

/// The agent's tasks, as the link sees them.
#[async_trait]
pub trait Tasks: Send + Sync + 'static {
    /// Takes a command up: understood and begun, not finished. Commands come one after another, at least once, with a
    /// term that was checked; the epoch is checked here. Never dropped half-way.
    async fn command(&self, command: Command) -> CommandAck;

    /// What runs now.
    fn running(&self) -> Vec<RunningTask>;

    /// Answers a question about a server. May be dropped half-way, when the session ends.
    async fn query(&self, query: Query) -> QueryAnswer;

    /// Stops everything in good order, within a bound of its own.
    async fn stop_all(&self);
}
