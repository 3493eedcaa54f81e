//! `migration confirm-overwrite`.
use whimbrel_proto::v1::ConfirmOverwriteRequest;

use super::{full_name, print_acted};
use crate::{
    args::migration::MigrationRef,
    client::{call, request_id},
    failure::Failure,
    verb::Session,
};

pub(super) async fn run(session: &Session, args: &MigrationRef) -> Result<(), Failure> {
    let request = ConfirmOverwriteRequest {
        name: full_name(args)?,
        etag: String::new(),
        request_id: request_id(),
    };
    let answer = session.client.migrations().confirm_overwrite(call(request)).await?;
    print_acted(session, &answer.into_inner(), "may overwrite")
}
