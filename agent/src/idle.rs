//! Tasks of an agent that has none yet: every command is refused.
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_agent::{
    link::{Outlet, Tasks},
    postgres::Programs,
    secret::Secrets,
};
use whimbrel_proto::agent::v1::{Command, CommandAck, Query, QueryAnswer, RunningTask};

struct Idle;

pub(crate) fn start(_: Outlet, _: Secrets, _: Arc<Programs>) -> Arc<dyn Tasks> {
    Arc::new(Idle)
}

#[async_trait]
impl Tasks for Idle {
    async fn command(&self, command: Command) -> CommandAck {
        let refusal = "Unknown".to_owned();
        CommandAck { command_id: command.command_id, accepted: false, refusal }
    }

    fn running(&self) -> Vec<RunningTask> {
        Vec::new()
    }

    async fn query(&self, query: Query) -> QueryAnswer {
        QueryAnswer { query_id: query.query_id, kind: None }
    }

    async fn stop_all(&self) {}
}
