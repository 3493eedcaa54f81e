//! `source compare`: a source and a target, without a migration.
use whimbrel_proto::{name, v1::CompareServersRequest};

use crate::{
    args::compare::CompareServers,
    client::call_within,
    failure::Failure,
    verb::{
        Session, agent_name,
        compare::{COMPARE_TIMEOUT, print},
        endpoint::endpoint,
    },
};

pub(super) async fn run(session: &Session, args: CompareServers) -> Result<(), Failure> {
    name::check_id("--target", &args.target).map_err(|error| Failure::Usage(error.to_string()))?;
    let source_agent = agent_name(&args.source.agent);
    let source = endpoint(session, args.source.server, &source_agent).await?;
    let request = CompareServersRequest {
        source_agent,
        source: Some(source),
        target: name::target(&args.target),
        databases: args.databases,
        scope: Some(args.scope.scope()),
    };
    let request = call_within(request, COMPARE_TIMEOUT);
    let messages = session.client.comparisons().compare_servers(request).await?.into_inner();
    print(session, messages, args.scope.all).await
}
