//! Roles that are to be made on the target: may our role make them, and which of their rights can it not give?
use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::RoleAttributes,
        finding::{Found, listed},
        gather::role_attributes,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "MigratedRolesValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    if !target.input.migrate_roles {
        return Ok(Vec::new());
    }
    let source = target.source()?;
    let names: Vec<String> = source.role_names.clone();
    let here = role_attributes(target.client, &names).await?;
    let is_new = |role: &&RoleAttributes| {
        names.contains(&role.name) && here.iter().all(|there| there.name != role.name)
    };
    let new: Vec<&RoleAttributes> = source.role_attributes.iter().filter(is_new).collect();
    let mut found = Vec::new();
    if !new.is_empty() && !target.role.superuser && !target.role.createrole {
        found.push(may_not_make(&new, target));
    }
    for role in new {
        found.extend(refused(role, target));
        if role.md5 {
            found.push(md5(role));
        }
    }
    Ok(found)
}

fn may_not_make(new: &[&RoleAttributes], target: &Target<'_>) -> Found {
    let ours = &target.role.name;
    let names: Vec<String> = new.iter().map(|role| role.name.clone()).collect();
    let message = format!(
        "roles are to be migrated, and role {ours} may not make roles on the target: {}",
        listed(&names)
    );
    let remedy = format!("alter role {} with createrole;", target.role.quoted());
    Found::failed("CreateRolePrivilegeMissing", message).object(ours).remedy(remedy)
}

/// Attributes that the target's role can't give: before 16 a superuser's alone, since then whoever has them gives them.
fn refused(role: &RoleAttributes, target: &Target<'_>) -> Option<Found> {
    let ours = target.role;
    if ours.superuser {
        return None;
    }
    let own = target.client.server_major() >= 16;
    let wanted = [
        (role.superuser, false, "superuser"),
        (role.replication, own && ours.own_replication, "replication"),
        (role.bypassrls, own && ours.bypassrls, "bypassrls"),
        (role.createdb, !own || ours.createdb, "createdb"),
    ];
    let words: Vec<&str> =
        wanted.iter().filter(|(has, given, _)| *has && !given).map(|(.., word)| *word).collect();
    if words.is_empty() {
        return None;
    }
    let (name, words) = (&role.name, words.join(" "));
    let message = format!(
        "role {name} is made without {words}: role {} of the target may not give that",
        ours.name
    );
    let remedy =
        format!("-- by a superuser, once it is made: alter role {} {words}", identifier(name));
    Some(Found::warning("RoleAttributeNotCarried", message).object(name).remedy(remedy))
}

fn md5(role: &RoleAttributes) -> Found {
    let name = &role.name;
    let message = format!(
        "the password of role {name} is kept as an MD5 digest, and carried as that: with it nobody logs in where \
         scram-sha-256 is asked for"
    );
    Found::warning("PasswordMd5", message).object(name).remedy(format!(
        "-- set password_encryption = 'scram-sha-256', then give it its password anew: alter role {} password '...'",
        identifier(name)
    ))
}
