//! Does the target take the settings that come with the database, its roles and its functions, and may our role set them?
use std::collections::HashMap;

use tokio_postgres::error::SqlState;

use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, refused, setting_name, setting_value},
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::SettingFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "CarriedSettingsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

/// So that there is something to reset: a setting without a value is tried by its RESET, which asks for name and right alone.
const FIRST: &str = "alter role current_user set application_name to ''";

/// Whose values are roles: those may not be there yet, and PostgreSQL looks at them in each session anew.
const ROLES: [&str; 2] = ["role", "session_authorization"];

/// On our own role, and rolled back: PostgreSQL asks the same there as of a database, another role or a function, and the
/// database is not here yet.
async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let settings = &target.source_database()?.settings;
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let mut statements: Vec<String> = settings.iter().map(tried).collect();
    statements.sort();
    statements.dedup();
    let answers = refused(target.client, FIRST, &statements)
        .await
        .doing("trying the source's settings on the target")?;
    let answers: HashMap<&String, SqlState> = answers
        .iter()
        .filter_map(|(place, error)| Some((&statements[*place], error.code()?.clone())))
        .collect();
    let found = settings.iter().filter_map(|setting| {
        let state = answers.get(&tried(setting))?;
        judged(setting, state, target)
    });
    Ok(found.collect())
}

fn tried(setting: &SettingFacts) -> String {
    let SettingFacts { name, value, .. } = setting;
    let value = value.as_ref().filter(|_| !ROLES.contains(&&*name.to_lowercase()));
    let value = value.map_or("default".to_owned(), |value| setting_value(name, value));
    format!("alter role current_user set {} to {value}", setting_name(name))
}

fn judged(setting: &SettingFacts, state: &SqlState, target: &Target<'_>) -> Option<Found> {
    match *state {
        SqlState::UNDEFINED_OBJECT => Some(unknown(setting, target)),
        SqlState::INSUFFICIENT_PRIVILEGE => Some(not_permitted(setting, target)),
        SqlState::INVALID_NAME => Some(not_taken(setting, "whose name", state, target)),
        _ if setting.value.is_some() => Some(not_taken(setting, "whose value", state, target)),
        // Of one that can't be reset.
        _ => None,
    }
}

fn unknown(setting: &SettingFacts, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy, .. } = setting;
    let version = target.client.server_version();
    let message =
        format!("{object} sets {name}, which the target (PostgreSQL {version}) does not know");
    Found::failed("SettingUnknown", message).object(object).remedy(remedy)
}

/// The value is not told: somebody may have put there what nobody should see.
fn not_taken(setting: &SettingFacts, what: &str, state: &SqlState, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy, .. } = setting;
    let (version, state) = (target.client.server_version(), state.code());
    let message = format!(
        "{object} sets {name}, {what} the target (PostgreSQL {version}) refuses (SQLSTATE {state})"
    );
    Found::failed("SettingRefused", message).object(object).remedy(remedy)
}

fn not_permitted(setting: &SettingFacts, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy, .. } = setting;
    let role = target.role;
    let message =
        format!("{object} sets {name}, which only a superuser may; role {} is none", role.name);
    let remedy = if target.client.server_major() >= 15 {
        format!("grant set on parameter {} to {};", identifier(name), role.quoted())
    } else {
        format!(
            "{remedy} -- on the source, or make our role a superuser until the migration is over"
        )
    };
    Found::failed("SettingNeedsSuperuser", message).object(object).remedy(remedy)
}
