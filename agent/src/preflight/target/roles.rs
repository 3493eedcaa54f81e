//! Are the roles there that the databases speak of, and may our role give them what is theirs?
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::{RoleAttributes, RoleFacts, SourceFacts},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RolesValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Here {
    name: String,
    exists: bool,
    /// Our role can give it objects.
    granted: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let wanted = wanted(target.source()?);
    let names: Vec<&str> = wanted.keys().map(String::as_str).collect();
    let owners: Vec<&str> =
        wanted.values().filter(|role| role.owns).map(|role| role.name.as_str()).collect();
    // The right to give a role objects is one of its own since 16.
    let right = if target.client.server_major() >= 16 { "SET" } else { "MEMBER" };
    let sql = include_str!("../sql/roles_here.sql");
    let here: Vec<Here> =
        ask(target.client, "looking for the source's roles", sql, &[&names, &owners, &right])
            .await?;
    let mut found = Vec::new();
    for role in here {
        if !role.exists {
            let login = wanted.get(&role.name).is_some_and(|role| role.login);
            let attributes =
                target.source()?.role_attributes.iter().find(|found| found.name == role.name);
            let attributes = attributes.map(words).unwrap_or_default();
            // Otherwise it is made, by a role that may; never one of a managed service's own.
            let made =
                target.input.migrate_roles && target.source()?.role_names.contains(&role.name);
            if !made {
                found.push(missing(&role.name, login, &attributes));
            }
        } else if !role.granted {
            found.push(not_granted(&role.name, target));
        }
    }
    Ok(found)
}

/// Every database's roles, each once.
fn wanted(source: &SourceFacts) -> BTreeMap<String, RoleFacts> {
    let mut wanted: BTreeMap<String, RoleFacts> = BTreeMap::new();
    for role in source.databases.iter().flat_map(|database| &database.roles) {
        let known = wanted.entry(role.name.clone()).or_insert_with(|| role.clone());
        known.owns |= role.owns;
    }
    wanted
}

/// What it is on the source beside a role that may log in.
fn words(role: &RoleAttributes) -> String {
    let mut words = String::new();
    if role.superuser {
        words.push_str(" superuser");
    }
    if role.bypassrls {
        words.push_str(" bypassrls");
    }
    if role.connection_limit >= 0 {
        words.push_str(&format!(" connection limit {}", role.connection_limit));
    }
    words
}

fn missing(name: &str, login: bool, attributes: &str) -> Found {
    let role = identifier(name);
    let remedy = if login {
        format!("create role {role} login{attributes}; -- and give it its password")
    } else {
        format!("create role {role}{attributes};")
    };
    let message = format!(
        "role {name} owns or is granted something on the source, or has settings in a database of it, and is not on the target"
    );
    Found::failed("RolesMissing", message).object(name).remedy(remedy)
}

fn not_granted(name: &str, target: &Target<'_>) -> Found {
    let role = target.role;
    let message = format!(
        "role {name} owns something on the source; role {} of the target can't give it objects, since it is no member",
        role.name
    );
    let remedy = format!("grant {} to {};", identifier(name), role.quoted());
    Found::failed("RoleNotGranted", message).object(name).remedy(remedy)
}
