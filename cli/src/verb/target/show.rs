//! `target show`.
use whimbrel_proto::{name, v1::GetTargetRequest};

use crate::{client::call, failure::Failure, render::server::Target, verb::Session};

pub(super) async fn run(session: &Session, target: &str) -> Result<(), Failure> {
    let request = GetTargetRequest { name: name::target(target) };
    let target = session.client.targets().get_target(call(request)).await?.into_inner();
    let target = Target::from(target);
    session.screen.print(&target, || target.page())
}
