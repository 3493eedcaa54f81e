//! `source test`: exit status 1, with code and remedy, when the server can't be used.
use whimbrel_proto::v1::TestSourceRequest;

use crate::{
    args::target::SourceArgs,
    client::{AGENT_CALL_TIMEOUT, call_within},
    failure::Failure,
    verb::{
        Session, agent_name,
        endpoint::{endpoint, print_test},
    },
};

pub(super) async fn run(session: &Session, args: SourceArgs) -> Result<(), Failure> {
    let agent = agent_name(&args.agent);
    let endpoint = endpoint(session, args.server, &agent).await?;
    let request = TestSourceRequest { agent, endpoint: Some(endpoint) };
    let request = call_within(request, AGENT_CALL_TIMEOUT);
    let test = session.client.sources().test_source(request).await?.into_inner();
    print_test(session, test)
}
