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

/// Extensions whose library must be in `shared_preload_libraries`: their names, the library's, and whether they can't even
/// be made without it (otherwise they are made, and do nothing or answer with errors).
const PRELOADED: &[(&str, &str, bool)] = &[
    ("age", "age", false),
    ("citus", "citus", true),
    ("pg_cron", "pg_cron", true),
    ("pg_net", "pg_net", true),
    ("pg_qualstats", "pg_qualstats", false),
    ("pg_squeeze", "pg_squeeze", true),
    ("pg_stat_kcache", "pg_stat_kcache", true),
    ("pg_stat_monitor", "pg_stat_monitor", false),
    ("pg_stat_statements", "pg_stat_statements", false),
    ("pg_wait_sampling", "pg_wait_sampling", false),
    ("pgaudit", "pgaudit", true),
    ("pglogical", "pglogical", true),
    ("timescaledb", "timescaledb", true),
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
    let preloaded = target.own()?.settings.get("shared_preload_libraries");
    let judged = wanted.iter().filter_map(|extension| {
        let available = available.iter().find(|available| available.name == extension.name)?;
        judge(extension, available, target)
    });
    let mut found: Vec<Found> = judged.map(|(found, name)| found.object(name)).collect();
    let at_hand = available.iter().filter(|available| available.default_version.is_some());
    found.extend(at_hand.filter_map(|available| preload(&available.name, preloaded)));
    Ok(found)
}

/// `loaded`: the target's parameter; only a superuser, or a member of `pg_read_all_settings`, is shown it.
fn preload(name: &str, loaded: Option<&String>) -> Option<Found> {
    let (_, library, needed) = PRELOADED.iter().find(|(extension, ..)| *extension == name)?;
    let Some(loaded) = loaded else {
        let message = format!(
            "extension {name} needs {library} in shared_preload_libraries, which the target does not show to our role"
        );
        let remedy = "-- make sure that it is there: show shared_preload_libraries";
        return Some(
            Found::warning("ExtensionPreloadUnknown", message).object(name).remedy(remedy),
        );
    };
    let mut libraries: Vec<&str> =
        loaded.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if libraries.iter().any(|one| one.trim_matches('"').trim_start_matches("$libdir/") == *library)
    {
        return None;
    }
    libraries.push(library);
    let message = format!(
        "extension {name} needs {library} in the target's shared_preload_libraries, which is {loaded:?}"
    );
    let found = if *needed {
        Found::failed("ExtensionNeedsPreload", message)
    } else {
        Found::warning("ExtensionNeedsPreload", message)
    };
    Some(found.object(name).remedy(format!(
        "alter system set shared_preload_libraries = {}; -- then restart the server",
        libraries.join(", ")
    )))
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
    // Services let their administrators make some of them, in ways of their own: no reason to stop.
    if available.needs_superuser && !role.superuser && !role.managed_admin {
        let message =
            format!("extension {name} can only be made by a superuser; role {} is none", role.name);
        let remedy =
            format!("alter role {} with superuser; -- until the migration is over", role.quoted());
        return Some((Found::failed("ExtensionNeedsSuperuser", message).remedy(remedy), name));
    }
    None
}

/// Extensions that PostgreSQL had itself, and the major version that has them no more.
const REMOVED: &[(&str, u32)] = &[
    ("adminpack", 17),
    ("chkpass", 11),
    ("hstore_plpython2u", 15),
    ("hstore_plpythonu", 15),
    ("jsonb_plpython2u", 15),
    ("jsonb_plpythonu", 15),
    ("ltree_plpython2u", 15),
    ("ltree_plpythonu", 15),
    ("old_snapshot", 17),
    ("plpython2u", 15),
    ("plpythonu", 15),
    ("timetravel", 12),
    ("tsearch2", 10),
];

fn unavailable(name: &str, major: u32) -> Found {
    if let Some((_, since)) = REMOVED.iter().find(|(gone, since)| *gone == name && *since <= major)
    {
        let message = format!("PostgreSQL {since} and later have no extension {name}");
        let remedy = format!(
            "drop extension {}; -- on the source; what uses it must do without",
            identifier(name)
        );
        return Found::failed("ExtensionUnavailable", message).remedy(remedy);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preloading() {
        let told = |name, loaded: Option<&str>| {
            let found = preload(name, loaded.map(str::to_owned).as_ref());
            found.map(|found| format!("{found:?}"))
        };
        assert_eq!(told("hstore", Some("")), None);
        assert_eq!(told("pg_cron", Some("pg_stat_statements, \"$libdir/pg_cron\"")), None);
        let found = told("pg_cron", Some("auto_explain")).unwrap();
        assert!(found.contains("shared_preload_libraries = auto_explain, pg_cron;"), "{found}");
        assert!(found.contains("FindingFailed"), "{found}");
        assert!(told("pg_stat_statements", Some("")).unwrap().contains("FindingWarning"));
        assert!(told("pg_cron", None).unwrap().contains("ExtensionPreloadUnknown"));
    }
}
