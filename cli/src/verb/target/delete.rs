//! `target delete`.
use whimbrel_proto::{name, v1::DeleteTargetRequest};

use crate::{
    client::{call, request_id},
    failure::Failure,
    verb::{Session, print_deleted},
};

pub(super) async fn run(session: &Session, target: &str) -> Result<(), Failure> {
    let request = DeleteTargetRequest {
        name: name::target(target),
        etag: String::new(),
        request_id: request_id(),
    };
    session.client.targets().delete_target(call(request)).await?;
    print_deleted(session, "target", target)
}
