//! `migration compare`.
use whimbrel_proto::v1::CompareMigrationRequest;

use super::full_name;
use crate::{
    args::compare::CompareMigration,
    client::call_within,
    failure::Failure,
    verb::{
        Session,
        compare::{COMPARE_TIMEOUT, print},
    },
};

pub(super) async fn run(session: &Session, args: CompareMigration) -> Result<(), Failure> {
    let request = CompareMigrationRequest {
        name: full_name(&args.migration)?,
        databases: args.databases,
        scope: Some(args.scope.scope()),
    };
    let request = call_within(request, COMPARE_TIMEOUT);
    let messages = session.client.comparisons().compare_migration(request).await?.into_inner();
    print(session, messages, args.scope.all).await
}
