//! What a person could do next. Words only: what is allowed is the controller's to say.
use whimbrel_proto::v1::migration_status::{State, SubState};

use super::{database::Database, migration::Migration};
use crate::words;

/// The next step, as something to paste; `None` when there is nothing to do.
pub(crate) fn next(migration: &Migration) -> Option<String> {
    let say = |verb: &str| {
        format!("whimbrel migration {verb} {} --target {}", migration.name, migration.target)
    };
    let status = migration.status();
    let holds = status.hold.iter().chain(migration.databases().values().flat_map(|d| &d.hold));
    if let Some(hold) = holds.into_iter().next() {
        return Some(match hold.kind {
            "Paused" => say("resume"),
            "NeedsCredentials" => format!(
                "{} --source-password SECRET (or --target-password SECRET); or mend it, then: {}",
                say("update"),
                say("retry")
            ),
            _ if hold.code == "WindowPassed" => {
                format!("{} --window-start TIME --window-end TIME", say("update"))
            }
            _ => format!("mend it, then: {}", say("retry")),
        });
    }
    if migration.databases().values().any(fails_at_the_source) {
        return Some(format!(
            "it is tried again; if the source is gone for good: {}",
            say("leave-source")
        ));
    }
    let sub_state = status.current_sub_state_details.current_sub_state;
    if sub_state == words::sub_state(SubState::WaitingForCutoverTrigger) {
        return Some(format!("stop the application's writes, then: {}", say("cutover")));
    }
    if sub_state == words::sub_state(SubState::WaitingForTargetDbOverwriteConfirmation) {
        let (yes, no) = (say("confirm-overwrite"), say("cancel"));
        return Some(format!("to replace the target's databases: {yes}; to leave them: {no}"));
    }
    match status.state {
        state if state == words::state(State::Succeeded) => None,
        state if state == words::state(State::Canceled) => None,
        state if state == words::state(State::Failed) => {
            Some(format!("see what happened: {}", say("events")))
        }
        state if state == words::state(State::ValidationFailed) => {
            Some(format!("mend the failed checks ({}), then create it again", say("show")))
        }
        _ => Some(say("watch")),
    }
}

/// What is ours can't be taken off the source, so far.
fn fails_at_the_source(database: &Database) -> bool {
    let operation = database.migration_operation.as_deref().unwrap_or_default();
    let leaves = operation == "cleaning up the source" || operation.contains("remove source");
    leaves && database.message_code.is_some()
}
