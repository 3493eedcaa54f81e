//! `migration check-name`: 0 can be used, 4 taken, 2 not a name.
use whimbrel_proto::{name, v1::CheckMigrationNameRequest};

use crate::{
    args::migration::MigrationRef,
    client::call,
    failure::{EXIT_REFUSED, EXIT_USAGE, Failure},
    render::filled,
    verb::Session,
};

/// The controller's word for a name that can't be one.
const INVALID: &str = "Invalid";

pub(super) async fn run(session: &Session, args: MigrationRef) -> Result<(), Failure> {
    let request = CheckMigrationNameRequest {
        parent: name::target(&args.target),
        migration_id: args.name.clone(),
    };
    let answer = session.client.migrations().check_migration_name(call(request)).await?;
    let answer = answer.into_inner();
    let shown = serde_json::json!({
        "nameAvailable": answer.available,
        "reason": filled(&answer.reason),
        "message": filled(&answer.message),
    });
    let word = if answer.available { "available" } else { "not available" };
    session.screen.print(&shown, || format!("{}: {word}", args.name))?;
    if answer.available {
        return Ok(());
    }
    let exit = if answer.reason == INVALID { EXIT_USAGE } else { EXIT_REFUSED };
    Err(Failure::Answer { exit, message: answer.message })
}
