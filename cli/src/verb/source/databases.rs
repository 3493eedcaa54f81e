//! `source databases`.
use whimbrel_proto::v1::ListSourceDatabasesRequest;

use crate::{
    args::target::SourceArgs,
    client::{AGENT_CALL_TIMEOUT, call_within},
    failure::Failure,
    render::server::{SourceDatabase, databases},
    verb::{Session, agent_name, endpoint::endpoint},
};

pub(super) async fn run(session: &Session, args: SourceArgs) -> Result<(), Failure> {
    let agent = agent_name(&args.agent);
    let endpoint = endpoint(session, args.server, &agent).await?;
    let request = ListSourceDatabasesRequest { agent, endpoint: Some(endpoint) };
    let request = call_within(request, AGENT_CALL_TIMEOUT);
    let found = session.client.sources().list_source_databases(request).await?.into_inner();
    let found: Vec<SourceDatabase> = found.databases.into_iter().map(Into::into).collect();
    session.screen.print(&found, || databases(&found, &session.screen))
}
