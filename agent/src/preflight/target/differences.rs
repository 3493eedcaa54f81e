//! A table of what differs between the servers and is to be copied by hand. Never a warning: what matters to a migration has
//! a check of its own.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{identifier, setting_name, setting_value},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::Parameter,
        finding::Found,
        gather::role_names,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "DifferencesReport",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Available {
    name: String,
    default_version: Option<String>,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let mut found: Vec<Found> = version(target)?.into_iter().collect();
    found.extend(parameters(&target.source_with_settings()?.parameters, &target.own()?.parameters));
    found.extend(extensions(target).await?);
    let here = role_names(target.client).await?;
    let is_missing = |name: &&String| !target.input.migrate_roles && !here.contains(name);
    let missing = target.source()?.role_names.iter().filter(is_missing);
    found.extend(missing.map(|name| {
        let message = format!("role {name} is not on the target");
        let remedy = format!("create role {};", identifier(name));
        Found::note("RoleNotOnTarget", message).object(name).remedy(remedy)
    }));
    Ok(found)
}

fn version(target: &Target<'_>) -> Result<Option<Found>, Fault> {
    let there = &target.source()?.server_version;
    let here = target.client.server_version();
    let message = format!("the source is PostgreSQL {there}, the target {here}");
    Ok((there != here).then(|| Found::note("VersionDiffers", message).object("server_version")))
}

fn parameters<'a>(there: &'a [Parameter], here: &'a [Parameter]) -> Vec<Found> {
    let by_name = |list: &'a [Parameter]| -> BTreeMap<&'a str, &'a Parameter> {
        list.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect()
    };
    let (there, here) = (by_name(there), by_name(here));
    let mut names: Vec<&str> = there.keys().chain(here.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&&str| {
        there.get(**name).map(|found| &found.value) != here.get(**name).map(|found| &found.value)
    };
    let note = |name: &&str| parameter(name, there.get(name).copied(), here.get(name).copied());
    names.iter().filter(differs).map(note).collect()
}

fn parameter(name: &str, there: Option<&Parameter>, here: Option<&Parameter>) -> Found {
    let told = |found: Option<&Parameter>| match found {
        None => "not set".to_owned(),
        Some(Parameter { secret: true, .. }) => "set (its value is not told)".to_owned(),
        Some(Parameter { value, .. }) => format!("{value:?}"),
    };
    let message =
        format!("{name} is {} on the source, and {} on the target", told(there), told(here));
    let quoted = setting_name(name);
    let remedy = match there {
        Some(Parameter { secret: true, .. }) => format!("-- alter system set {quoted} = '...'"),
        Some(Parameter { value, .. }) => {
            format!("alter system set {quoted} = {};", setting_value(name, value))
        }
        None => format!("-- where the source's default is wanted: alter system reset {quoted}"),
    };
    Found::note("ParameterDiffers", message).object(name).remedy(remedy)
}

/// Extensions that are newer on the target: they are made in the target's version.
async fn extensions(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let databases = &target.source()?.databases;
    let there: BTreeMap<&str, &str> = databases
        .iter()
        .flat_map(|database| &database.extensions)
        .map(|extension| (extension.name.as_str(), extension.version.as_str()))
        .collect();
    let names: Vec<&str> = there.keys().copied().collect();
    let sql = include_str!("../sql/available_extensions.sql");
    let here: Vec<Available> =
        ask(target.client, "asking which extensions the target has", sql, &[&names]).await?;
    let differs = here.into_iter().filter_map(|available| {
        let (there, here) = (*there.get(available.name.as_str())?, available.default_version?);
        let message = format!(
            "extension {} is {there} on the source, and {here} on the target",
            available.name
        );
        (there != here).then(|| Found::note("ExtensionVersion", message).object(available.name))
    });
    Ok(differs.collect())
}
