//! `migration cancel | pause | resume | retry`: one shape, four calls.
use whimbrel_proto::v1::{
    CancelMigrationRequest, LeaveSourceRequest, PauseMigrationRequest, ResumeMigrationRequest,
    RetryMigrationRequest,
};

use super::{full_name, print_acted};
use crate::{
    args::migration::Steer,
    client::{call, request_id},
    failure::Failure,
    verb::Session,
};

/// What is done to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Give up.
    Cancel,
    /// End without the source.
    LeaveSource,
    /// Stand still.
    Pause,
    /// Go on after `Pause`.
    Resume,
    /// Go on after a hold.
    Retry,
}

pub(super) async fn run(
    session: &Session,
    act: Act,
    args: Steer,
    tables: Vec<String>,
) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    let (databases, etag, request_id) = (args.databases, String::new(), request_id());
    let mut client = session.client.migrations();
    let (answer, done) = match act {
        Act::Cancel => {
            let request = CancelMigrationRequest { name, databases, etag, request_id };
            (client.cancel_migration(call(request)).await?, "is being canceled")
        }
        Act::LeaveSource => {
            let request = LeaveSourceRequest { name, databases, etag, request_id };
            (client.leave_source(call(request)).await?, "ends without the source")
        }
        Act::Pause => {
            let request = PauseMigrationRequest { name, databases, etag, request_id };
            (client.pause_migration(call(request)).await?, "paused")
        }
        Act::Resume => {
            let request = ResumeMigrationRequest { name, databases, etag, request_id };
            (client.resume_migration(call(request)).await?, "goes on")
        }
        Act::Retry => {
            let request = RetryMigrationRequest { name, databases, etag, request_id, tables };
            (client.retry_migration(call(request)).await?, "is tried again")
        }
    };
    print_acted(session, &answer.into_inner(), done)
}
