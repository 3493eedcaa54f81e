//! Can the target make the source's extensions?
use std::cmp::Ordering;

use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        compare::versions,
        facts::ExtensionFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ExtensionsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

/// Debian's packages of extensions that are not in PostgreSQL's own, without `postgresql-<major>-`.
const PACKAGES: &[(&str, &str)] = &[
    ("hll", "hll"),
    ("hypopg", "hypopg"),
    ("ip4r", "ip4r"),
    ("orafce", "orafce"),
    ("pg_cron", "cron"),
    ("pg_partman", "partman"),
    ("pg_repack", "repack"),
    ("pgaudit", "pgaudit"),
    ("pgrouting", "pgrouting"),
    ("postgis", "postgis-3"),
    ("postgis_raster", "postgis-3"),
    ("postgis_topology", "postgis-3"),
    ("rum", "rum"),
    ("vector", "pgvector"),
    ("wal2json", "wal2json"),
];

#[derive(Deserialize)]
struct Available {
    name: String,
    /// None: it is not available at all.
    default_version: Option<String>,
    /// Only a superuser may make it.
    needs_superuser: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let wanted = &target.source_database()?.extensions;
    let names: Vec<&str> = wanted.iter().map(|extension| extension.name.as_str()).collect();
    let sql = include_str!("../sql/available_extensions.sql");
    let available: Vec<Available> =
        ask(target.client, "asking which extensions the target has", sql, &[&names]).await?;
    let judged = wanted.iter().filter_map(|extension| {
        let available = available.iter().find(|available| available.name == extension.name)?;
        judge(extension, available, target)
    });
    Ok(judged.map(|(found, name)| found.object(name)).collect())
}

fn judge<'a>(
    wanted: &'a ExtensionFacts,
    available: &Available,
    target: &Target<'_>,
) -> Option<(Found, &'a str)> {
    let name = wanted.name.as_str();
    let Some(default_version) = &available.default_version else {
        let major = target.client.server_major();
        return Some((unavailable(name, major), name));
    };
    if versions(default_version, &wanted.version) == Ordering::Less {
        let message = format!(
            "extension {name} is {} on the source, and the target's is {default_version}, which is older",
            wanted.version
        );
        let found = Found::warning("ExtensionVersionDiffers", message).remedy(format!(
            "alter extension {} update; -- once the target's machine has a newer package of it",
            identifier(name)
        ));
        return Some((found, name));
    }
    let role = target.role;
    // Services let others make some of them, in ways of their own: no reason to stop.
    if available.needs_superuser && !role.superuser && !role.managed_admin {
        let message =
            format!("extension {name} can only be made by a superuser; role {} is none", role.name);
        let remedy =
            format!("alter role {} with superuser; -- until the migration is over", role.quoted());
        return Some((Found::warning("ExtensionNeedsSuperuser", message).remedy(remedy), name));
    }
    None
}

fn unavailable(name: &str, major: u32) -> Found {
    let package = PACKAGES.iter().find(|(extension, _)| *extension == name);
    let remedy = match package {
        Some((_, package)) => {
            format!("apt install postgresql-{major}-{package} # on the target's machine")
        }
        None => format!(
            "install the package that has {name} for PostgreSQL {major} on the target's machine, or allow it in the \
             service's parameters (azure.extensions, rds.allowed_extensions); where the database does without: drop \
             extension {} on the source",
            identifier(name)
        ),
    };
    Found::failed("ExtensionUnavailable", format!("the target has no extension {name}"))
        .remedy(remedy)
}
