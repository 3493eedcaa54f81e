//! Does the target know the settings that come with the database, its roles and its functions, and may our role set them?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::{ask, ask_one},
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

#[derive(Deserialize)]
struct Here {
    name: String,
    known: bool,
    of_superuser: bool,
}

#[derive(Deserialize)]
struct May {
    may: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let settings = &target.source_database()?.settings;
    let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
    let doing = "looking for the source's settings on the target";
    let sql = include_str!("../sql/settings_here.sql");
    let here: Vec<Here> = ask(target.client, doing, sql, &[&names]).await?;
    let mut found = Vec::new();
    for (setting, here) in settings
        .iter()
        .filter_map(|setting| Some((setting, here.iter().find(|here| here.name == setting.name)?)))
    {
        if !here.known {
            found.push(unknown(setting, target));
        } else if here.of_superuser && !may_set(target, &setting.name).await? {
            found.push(not_permitted(setting, target));
        }
    }
    Ok(found)
}

async fn may_set(target: &Target<'_>, name: &str) -> Result<bool, Fault> {
    if target.role.superuser || target.role.managed_admin {
        return Ok(true);
    }
    if target.client.server_major() < 15 {
        return Ok(false);
    }
    let sql = "select has_parameter_privilege($1::text, 'SET') as may";
    let doing = format!("asking whether our role may set {name}");
    let May { may } = ask_one(target.client, &doing, sql, &[&name]).await?;
    Ok(may)
}

fn unknown(setting: &SettingFacts, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy } = setting;
    let version = target.client.server_version();
    let message =
        format!("{object} sets {name}, which the target (PostgreSQL {version}) does not know");
    Found::failed("SettingUnknown", message).object(object).remedy(remedy)
}

fn not_permitted(setting: &SettingFacts, target: &Target<'_>) -> Found {
    let SettingFacts { name, object, remedy } = setting;
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
