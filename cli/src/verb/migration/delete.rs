//! `migration delete`.
use whimbrel_proto::v1::DeleteMigrationRequest;

use super::full_name;
use crate::{
    args::migration::MigrationRef,
    client::{call, request_id},
    failure::Failure,
    verb::{Session, print_deleted},
};

pub(super) async fn run(session: &Session, args: &MigrationRef) -> Result<(), Failure> {
    let request = DeleteMigrationRequest {
        name: full_name(args)?,
        etag: String::new(),
        request_id: request_id(),
    };
    session.client.migrations().delete_migration(call(request)).await?;
    print_deleted(session, "migration", &args.name)
}
