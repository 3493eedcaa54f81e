//! The contract's words for the enums of `whimbrel.v1`, both ways, and for times. A new value of the border fails to compile here.
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use whimbrel_proto::v1::{
    FindingState, MigrationMode, MigrationOption, SslMode, Verdict, agent, database_status, hold,
    migration_status::{State, SubState},
    secret, table_progress,
};

/// Every state, for `wait --for`.
pub(crate) const STATES: [State; 7] = [
    State::InProgress,
    State::WaitingForUserAction,
    State::Canceled,
    State::Failed,
    State::ValidationFailed,
    State::Succeeded,
    State::CleaningUp,
];

/// Every substate, for `wait --for`.
pub(crate) const SUB_STATES: [SubState; 10] = [
    SubState::PerformingPreRequisiteSteps,
    SubState::ValidationInProgress,
    SubState::WaitingForTargetDbOverwriteConfirmation,
    SubState::WaitingForDataMigrationWindow,
    SubState::MigratingData,
    SubState::WaitingForCutoverTrigger,
    SubState::CompletingMigration,
    SubState::Completed,
    SubState::Failed,
    SubState::CancelingRequestedDbMigrations,
];

/// A migration's state; `None` for one that this CLI does not know.
pub(crate) fn state(value: State) -> Option<&'static str> {
    Some(match value {
        State::Unspecified => return None,
        State::InProgress => "InProgress",
        State::WaitingForUserAction => "WaitingForUserAction",
        State::Canceled => "Canceled",
        State::Failed => "Failed",
        State::ValidationFailed => "ValidationFailed",
        State::Succeeded => "Succeeded",
        State::CleaningUp => "CleaningUp",
    })
}

/// A migration in this state does nothing any more.
pub(crate) fn is_final(value: State) -> bool {
    matches!(value, State::Canceled | State::Failed | State::ValidationFailed | State::Succeeded)
}

/// A migration's substate.
pub(crate) fn sub_state(value: SubState) -> Option<&'static str> {
    Some(match value {
        SubState::Unspecified => return None,
        SubState::PerformingPreRequisiteSteps => "PerformingPreRequisiteSteps",
        SubState::ValidationInProgress => "ValidationInProgress",
        SubState::WaitingForTargetDbOverwriteConfirmation => {
            "WaitingForTargetDBOverwriteConfirmation"
        }
        SubState::WaitingForDataMigrationWindow => "WaitingForDataMigrationWindow",
        SubState::MigratingData => "MigratingData",
        SubState::WaitingForCutoverTrigger => "WaitingForCutoverTrigger",
        SubState::CompletingMigration => "CompletingMigration",
        SubState::Completed => "Completed",
        SubState::Failed => "Failed",
        SubState::CancelingRequestedDbMigrations => "CancelingRequestedDBMigrations",
    })
}

/// A database's state.
pub(crate) fn database_state(value: database_status::State) -> Option<&'static str> {
    use database_status::State;
    Some(match value {
        State::Unspecified => return None,
        State::InProgress => "InProgress",
        State::WaitingForCutoverTrigger => "WaitingForCutoverTrigger",
        State::Failed => "Failed",
        State::Canceled => "Canceled",
        State::Succeeded => "Succeeded",
        State::Canceling => "Canceling",
    })
}

/// A database in this state does nothing any more.
pub(crate) fn is_database_final(value: database_status::State) -> bool {
    use database_status::State;
    matches!(value, State::Failed | State::Canceled | State::Succeeded)
}

/// A hold's kind.
pub(crate) fn hold_kind(value: hold::Kind) -> Option<&'static str> {
    Some(match value {
        hold::Kind::Unspecified => return None,
        hold::Kind::Paused => "Paused",
        hold::Kind::Held => "Held",
        hold::Kind::NeedsResync => "NeedsResync",
        hold::Kind::NeedsCredentials => "NeedsCredentials",
    })
}

/// A check's state.
pub(crate) fn finding_state(value: FindingState) -> Option<&'static str> {
    Some(match value {
        FindingState::Unspecified => return None,
        FindingState::FindingSucceeded => "Succeeded",
        FindingState::FindingWarning => "Warning",
        FindingState::FindingFailed => "Failed",
    })
}

/// A table's state.
pub(crate) fn table_state(value: table_progress::State) -> Option<&'static str> {
    use table_progress::State;
    Some(match value {
        State::Unspecified => return None,
        State::Queued => "Queued",
        State::Loading => "Loading",
        State::Indexing => "Indexing",
        State::Completed => "Completed",
        State::Errored => "Errored",
    })
}

/// An agent's state.
pub(crate) fn agent_state(value: agent::State) -> Option<&'static str> {
    Some(match value {
        agent::State::Unspecified => return None,
        agent::State::Connected => "Connected",
        agent::State::Disconnected => "Disconnected",
        agent::State::Draining => "Draining",
        agent::State::Revoked => "Revoked",
    })
}

/// How a password is named.
pub(crate) fn secret_kind(value: &secret::Kind) -> &'static str {
    match value {
        secret::Kind::Env(_) => "env",
        secret::Kind::File(_) => "file",
        secret::Kind::Pgpass(_) => "pgpass",
        secret::Kind::Sealed(_) => "sealed",
    }
}

/// Offline or online.
pub(crate) fn mode(value: MigrationMode) -> Option<&'static str> {
    Some(match value {
        MigrationMode::Unspecified => return None,
        MigrationMode::Offline => "Offline",
        MigrationMode::Online => "Online",
    })
}

/// Check, move or both.
pub(crate) fn option(value: MigrationOption) -> Option<&'static str> {
    Some(match value {
        MigrationOption::Unspecified => return None,
        MigrationOption::Validate => "Validate",
        MigrationOption::Migrate => "Migrate",
        MigrationOption::ValidateAndMigrate => "ValidateAndMigrate",
    })
}

/// The field's spelling of libpq's `sslmode`.
pub(crate) fn ssl_mode(value: SslMode) -> Option<&'static str> {
    Some(match value {
        SslMode::Unspecified => return None,
        SslMode::Disable => "Disable",
        SslMode::Prefer => "Prefer",
        SslMode::Require => "Require",
        SslMode::VerifyCa => "VerifyCA",
        SslMode::VerifyFull => "VerifyFull",
    })
}

/// RFC 3339; without an offset it is UTC.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// The mode that the text means, in any case.
pub(crate) fn parse_mode(text: &str) -> Option<MigrationMode> {
    let all = [MigrationMode::Offline, MigrationMode::Online];
    all.into_iter().find(|value| same(mode(*value), text))
}

/// The option that the text means, in any case, with or without hyphens.
pub(crate) fn parse_option(text: &str) -> Option<MigrationOption> {
    let all =
        [MigrationOption::Validate, MigrationOption::Migrate, MigrationOption::ValidateAndMigrate];
    all.into_iter().find(|value| same(option(*value), text))
}

/// The SSL mode that the text means, in any case, with or without hyphens.
pub(crate) fn parse_ssl_mode(text: &str) -> Option<SslMode> {
    let all = [
        SslMode::Disable,
        SslMode::Prefer,
        SslMode::Require,
        SslMode::VerifyCa,
        SslMode::VerifyFull,
    ];
    all.into_iter().find(|value| same(ssl_mode(*value), text))
}

fn same(word: Option<&str>, text: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(&text.trim().replace('-', "")))
}

/// How something stands on the two sides.
pub(crate) const fn verdict(verdict: Verdict) -> Option<&'static str> {
    use Verdict as V;
    match verdict {
        V::Unspecified => None,
        V::Equal => Some("Equal"),
        V::Differs => Some("Differs"),
        V::OnlyOnSource => Some("OnlyOnSource"),
        V::OnlyOnTarget => Some("OnlyOnTarget"),
        V::Pending => Some("Pending"),
        V::Undecided => Some("Undecided"),
        V::Stale => Some("Stale"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_both_ways_in_any_case() {
        assert_eq!(parse_ssl_mode("verify-CA"), Some(SslMode::VerifyCa));
        assert_eq!(parse_option("validate-and-migrate"), Some(MigrationOption::ValidateAndMigrate));
        assert_eq!(parse_mode("ONLINE"), Some(MigrationMode::Online));
        assert_eq!(parse_mode(""), None);
    }

    #[test]
    fn the_lists_for_wait_are_whole() {
        // 0 is "unspecified"; the numbers go on without gaps.
        for number in 1.. {
            let Ok(value) = State::try_from(number) else {
                assert_eq!(STATES.len() as i32, number - 1);
                break;
            };
            assert!(STATES.contains(&value));
        }
        for number in 1.. {
            let Ok(value) = SubState::try_from(number) else {
                assert_eq!(SUB_STATES.len() as i32, number - 1);
                break;
            };
            assert!(SUB_STATES.contains(&value));
        }
    }
}
