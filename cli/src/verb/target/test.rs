//! `target test`: exit status 1, with code and remedy, when the server can't be used.
use whimbrel_proto::{name, v1::TestTargetRequest};

use crate::{
    client::{AGENT_CALL_TIMEOUT, call_within},
    failure::Failure,
    verb::{Session, endpoint::print_test},
};

pub(super) async fn run(session: &Session, target: &str) -> Result<(), Failure> {
    let request = TestTargetRequest { name: name::target(target) };
    let request = call_within(request, AGENT_CALL_TIMEOUT);
    let test = session.client.targets().test_target(request).await?.into_inner();
    print_test(session, test)
}
