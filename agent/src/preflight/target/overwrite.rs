//! A database of the wanted name that is there already: may our role take it away? Whether it shall is not asked here.
use std::future::ready;

use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{Client, identifier},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "OverwriteValidation",
    level: Level::Database,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Target(|target| Box::pin(ready(look(target)))),
};

/// A wanted database that is there.
#[derive(Debug, Deserialize)]
pub(in crate::preflight) struct Existing {
    pub(in crate::preflight) database: String,
    pub(in crate::preflight) oid: u32,
    template: bool,
    /// Our role has its owner's rights.
    owned: bool,
    owner: String,
}

/// Those of `databases` that are there.
pub(in crate::preflight) async fn existing_databases(
    client: &Client,
    databases: &[String],
) -> Result<Vec<Existing>, Fault> {
    let doing = "looking for the databases that are on the target already";
    ask(client, doing, include_str!("../sql/existing_databases.sql"), &[&databases]).await
}

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let existing = target.existing.as_ref().map_err(Clone::clone)?;
    let Some(found) = existing.iter().find(|found| found.database == target.database) else {
        return Ok(Vec::new());
    };
    Ok(if target.input.overwrite { refusals(found, target) } else { Vec::new() })
}

fn refusals(existing: &Existing, target: &Target<'_>) -> Vec<Found> {
    let Existing { database, owner, .. } = existing;
    let role = target.role;
    let mut found = Vec::new();
    if !existing.owned {
        let message = format!(
            "database {database} is to be overwritten; its owner is {owner}, and role {} may not drop it",
            role.name
        );
        let remedy = format!("grant {} to {};", identifier(owner), role.quoted());
        found.push(Found::failed("OverwriteNotPermitted", message).remedy(remedy));
    }
    if existing.template {
        let message = format!("database {database} is to be overwritten, and is a template");
        let remedy = format!("alter database {} with is_template false;", identifier(database));
        found.push(Found::failed("OverwriteNotPermitted", message).remedy(remedy));
    }
    found.into_iter().map(|found| found.object(database)).collect()
}
