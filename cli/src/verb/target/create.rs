//! `target create`.
use whimbrel_proto::v1::{CreateTargetRequest, Target};

use crate::{
    args::target::TargetCreate,
    client::{call, request_id},
    failure::Failure,
    render::server,
    verb::{Session, agent_name, endpoint::endpoint},
};

pub(super) async fn run(session: &Session, args: TargetCreate) -> Result<(), Failure> {
    let agent = agent_name(&args.agent);
    let endpoint = endpoint(session, args.server, &agent).await?;
    let request = CreateTargetRequest {
        target_id: args.name,
        target: Some(Target { endpoint: Some(endpoint), agent, ..Target::default() }),
        request_id: request_id(),
    };
    let target = session.client.targets().create_target(call(request)).await?.into_inner();
    let target = server::Target::from(target);
    session.screen.hint(&format!("created; next: whimbrel target test {}", target.name));
    session.screen.print(&target, || target.page())
}
