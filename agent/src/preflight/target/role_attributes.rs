//! Are the roles that both servers have the same? Whoever logs in there, and what row security shows, hangs on it.

use crate::{
    fault::Fault,
    postgres::{identifier, literal, setting_name, setting_value},
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::{RoleAttributes, RoleSetting},
        finding::Found,
        gather::role_attributes,
    },
};

/// Rights on parameters.
const PARAMETERS_SINCE: u32 = 15;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RoleAttributesValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let wanted = &target.source()?.role_attributes;
    let names: Vec<String> = wanted.iter().map(|role| role.name.clone()).collect();
    // What the source's roles are members of may be PostgreSQL's own, which the target's version may not have.
    let wider: Vec<String> =
        names.iter().chain(wanted.iter().flat_map(|role| &role.member_of)).cloned().collect();
    let here = role_attributes(target.client, &wider).await?;
    let knows_parameters = target.client.server_major() >= PARAMETERS_SINCE;
    let mut found = Vec::new();
    for role in wanted {
        // A role that is missing is told by another check.
        let Some(there) = here.iter().find(|there| there.name == role.name) else { continue };
        // The first role of a server is a superuser, or, of a service, can't be one; ours may be one for a while.
        let fixed = target.role.managed_admin || there.first || there.name == target.role.name;
        found.extend(attributes(role, there, fixed));
        found.extend(memberships(role, there, &here, fixed));
        found.extend(parameters(role, there).filter(|_| !fixed && knows_parameters));
        found.extend(role.settings.iter().filter_map(|setting| not_carried(role, there, setting)));
    }
    Ok(found)
}

fn attributes(role: &RoleAttributes, there: &RoleAttributes, fixed: bool) -> Option<Found> {
    let mut words = Vec::new();
    let mut word = |differs: bool, wanted: bool, text: &str| {
        if differs {
            words.push(if wanted { text.to_owned() } else { format!("no{text}") });
        }
    };
    word(role.login != there.login, role.login, "login");
    word(role.superuser != there.superuser && !fixed, role.superuser, "superuser");
    word(role.bypassrls != there.bypassrls && !fixed, role.bypassrls, "bypassrls");
    // A superuser has these anyhow. What it is more than on the source is another's, or a provider's.
    let lacks = |wanted: bool, has: bool| wanted && !has && !there.superuser && !fixed;
    word(lacks(role.createdb, there.createdb), true, "createdb");
    word(lacks(role.createrole, there.createrole), true, "createrole");
    word(lacks(role.replication, there.replication), true, "replication");
    if let (Some(wanted), Some(has)) = (role.inherit, there.inherit) {
        word(wanted != has && !fixed, wanted, "inherit");
    }
    if let Some(until) = role.valid_until.as_ref().filter(|_| !fixed)
        && role.valid_until != there.valid_until
    {
        words.push(format!("valid until {}", literal(until)));
    }
    if role.connection_limit != there.connection_limit {
        words.push(format!("connection limit {}", role.connection_limit));
    }
    let words = if words.is_empty() { return None } else { words.join(" ") };
    let name = &role.name;
    let message =
        format!("role {name} is on both servers; the source's is {words}, the target's is not");
    let remedy = format!("alter role {} {words};", identifier(name));
    Some(Found::warning("RoleDiffers", message).object(name).remedy(remedy))
}

fn memberships<'a>(
    role: &'a RoleAttributes,
    there: &'a RoleAttributes,
    here: &'a [RoleAttributes],
    fixed: bool,
) -> impl Iterator<Item = Found> + 'a {
    let is_there = |of: &&String| here.iter().any(|role| role.name == **of);
    // A superuser needs none of PostgreSQL's own, and ours has them for its work.
    let needs = move |of: &&String| !of.starts_with("pg_") || !there.superuser && !fixed;
    let missing = role.member_of.iter().filter(|of| !there.member_of.contains(of)).filter(is_there);
    missing.filter(needs).map(|of| {
        let name = &role.name;
        let message =
            format!("role {name} is a member of {of} on the source, and not on the target");
        let remedy = format!("grant {} to {};", identifier(of), identifier(name));
        Found::warning("RoleMembershipMissing", message).object(name).remedy(remedy)
    })
}

fn parameters<'a>(
    role: &'a RoleAttributes,
    there: &'a RoleAttributes,
) -> impl Iterator<Item = Found> + 'a {
    let lacks = |it: &&String| !there.superuser && !there.parameters.contains(it);
    role.parameters.iter().filter(lacks).map(|parameter| {
        let name = &role.name;
        let message = format!("role {name} may {parameter} on the source, and not on the target");
        let remedy = format!("grant {parameter} to {};", identifier(name));
        Found::warning("RoleParameterMissing", message).object(name).remedy(remedy)
    })
}

fn not_carried(
    role: &RoleAttributes,
    there: &RoleAttributes,
    setting: &RoleSetting,
) -> Option<Found> {
    if there.settings.iter().any(|other| other.digest == setting.digest) {
        return None;
    }
    let (name, role) = (&setting.name, &role.name);
    let message = format!(
        "role {role} has {name} set on the source; settings of roles for every database are not carried"
    );
    let alter = format!("alter role {} set {}", identifier(role), setting_name(name));
    let remedy = match &setting.value {
        Some(value) => format!("{alter} = {};", setting_value(name, value)),
        None => format!("-- {alter} = '...' (its value is not told: it could be a secret)"),
    };
    Some(
        Found::warning("RoleSettingsNotCarried", message)
            .object(format!("{role}.{name}"))
            .remedy(remedy),
    )
}
