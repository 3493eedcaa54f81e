//! Which keys there are, and where they may stand. The one table of them: [`KNOWN`] and the `match` beside it.
use std::collections::HashSet;

use whimbrel_proto::v1::Limits;

use super::{Problem, Properties, node::Node, value};

/// Every key, in the field's own spelling, for "did you mean".
const KNOWN: &[&str] = &[
    "properties",
    "secretParameters",
    "adminCredentials",
    "sourceDbServerResourceId",
    "sourceDbServerFullyQualifiedDomainName",
    "targetDbServerFullyQualifiedDomainName",
    "sourceServerPassword",
    "targetServerPassword",
    "sourceServerUsername",
    "targetServerUsername",
    "dbsToMigrate",
    "includeSchemas",
    "excludeSchemas",
    "includeTables",
    "excludeTables",
    "overwriteDbsInTarget",
    "migrationMode",
    "migrationOption",
    "sourceType",
    "sslMode",
    "migrateRoles",
    "migrationWindowStartTimeInUtc",
    "migrationWindowEndTimeInUtc",
    "setupLogicalReplicationOnSourceDbIfNeeded",
    "followSchemaChanges",
    "copyJobs",
    "copyRateLimit",
    "snapshotMaxAge",
    "maxRetainedWal",
    "migrationRuntimeResourceId",
    "migrationInstanceResourceId",
];

/// Where a key stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Properties,
    Secrets,
    Admin,
}

/// The walk over the file.
#[derive(Default)]
struct Walk {
    found: Properties,
    /// Lower-cased last keys: each may be there once, at whatever level.
    seen: HashSet<String>,
}

/// Reads the tree.
pub(super) fn read(root: &Node) -> Result<Properties, Problem> {
    let mut walk = Walk::default();
    walk.object("", root, Level::Outer)?;
    Ok(walk.found)
}

impl Walk {
    fn object(&mut self, path: &str, node: &Node, level: Level) -> Result<(), Problem> {
        let entries = match node {
            Node::Map(entries) => entries,
            Node::Null if level != Level::Outer => return Ok(()),
            _ if level == Level::Outer => {
                return Err(Problem::NotAnObject { found: node.kind() });
            }
            _ => return Err(value::refuse(path, "an object", node)),
        };
        for (key, node) in entries {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let name = key.to_lowercase();
            if !self.seen.insert(name.clone()) {
                return Err(Problem::Twice { key: path });
            }
            self.entry(&path, &name, node, level)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, name: &str, node: &Node, level: Level) -> Result<(), Problem> {
        let known = match level {
            Level::Outer if name == "properties" => {
                return self.object(path, node, Level::Properties);
            }
            Level::Outer | Level::Properties => {
                if name == "secretparameters" {
                    return self.object(path, node, Level::Secrets);
                }
                self.plain(path, name, node)? || self.user(path, name, node)?
            }
            Level::Secrets if name == "admincredentials" => {
                return self.object(path, node, Level::Admin);
            }
            Level::Secrets => self.user(path, name, node)?,
            Level::Admin => self.password(path, name, node)?,
        };
        if known {
            return Ok(());
        }
        Err(Problem::UnknownKey { key: path.to_owned(), nearest: nearest(name) })
    }

    /// The properties themselves. Whether `name` is one.
    fn plain(&mut self, path: &str, name: &str, node: &Node) -> Result<bool, Problem> {
        let to = &mut self.found;
        match name {
            "sourcedbserverresourceid" => to.source = value::text(path, node)?,
            "sourcedbserverfullyqualifieddomainname" => to.source_host = value::text(path, node)?,
            "targetdbserverfullyqualifieddomainname" => to.target_host = value::text(path, node)?,
            "dbstomigrate" => to.databases = value::names(path, node)?,
            "includeschemas" => to.selection.include_schemas = value::patterns(path, node)?,
            "excludeschemas" => to.selection.exclude_schemas = value::patterns(path, node)?,
            "includetables" => to.selection.include_tables = value::patterns(path, node)?,
            "excludetables" => to.selection.exclude_tables = value::patterns(path, node)?,
            "overwritedbsintarget" => to.overwrite = value::boolean(path, node)?,
            "migrationmode" => to.mode = value::mode(path, node)?,
            "migrationoption" => to.option = value::option(path, node)?,
            "sourcetype" => to.source_type = value::text(path, node)?,
            "sslmode" => to.ssl_mode = value::ssl_mode(path, node)?,
            "migrateroles" => to.migrate_roles = value::boolean(path, node)?,
            "migrationwindowstarttimeinutc" => to.window_start = value::time(path, node)?,
            "migrationwindowendtimeinutc" => to.window_end = value::time(path, node)?,
            "setuplogicalreplicationonsourcedbifneeded" => {
                to.setup_logical_replication = value::boolean(path, node)?;
            }
            "followschemachanges" => to.follow_schema_changes = value::boolean(path, node)?,
            // The field's CLI and the field's API call it differently.
            "migrationruntimeresourceid" | "migrationinstanceresourceid" => {
                to.agent = value::agent(path, node)?;
            }
            _ => return self.limit(path, name, node),
        }
        Ok(true)
    }

    /// What the migration may take of its servers.
    fn limit(&mut self, path: &str, name: &str, node: &Node) -> Result<bool, Problem> {
        let limits = self.found.limits.unwrap_or_default();
        let found = match name {
            "copyjobs" => Limits { copy_jobs: value::count(path, node)?, ..limits },
            "copyratelimit" => Limits { copy_bytes_per_second: value::size(path, node)?, ..limits },
            "snapshotmaxage" => Limits { snapshot_age: value::duration(path, node)?, ..limits },
            "maxretainedwal" => Limits { retained_wal_bytes: value::size(path, node)?, ..limits },
            _ => return Ok(false),
        };
        self.found.limits = Some(found);
        Ok(true)
    }

    /// User names, which the field's own tutorial puts beside `secretParameters`, not in it.
    fn user(&mut self, path: &str, name: &str, node: &Node) -> Result<bool, Problem> {
        match name {
            "sourceserverusername" => self.found.source_user = value::text(path, node)?,
            "targetserverusername" => self.found.target_user = value::text(path, node)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn password(&mut self, path: &str, name: &str, node: &Node) -> Result<bool, Problem> {
        match name {
            "sourceserverpassword" => self.found.source_password = value::password(path, node)?,
            "targetserverpassword" => self.found.target_password = value::password(path, node)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A known key that the name is a slip of: a few letters off, or known at another level.
fn nearest(name: &str) -> Option<&'static str> {
    /// More than two slips in a word is another word.
    const SLIPS_MAX: usize = 2;
    KNOWN
        .iter()
        .map(|known| (slips(name, &known.to_lowercase()), *known))
        .filter(|(slips, _)| *slips <= SLIPS_MAX)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance.
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = corner + usize::from(l != *r);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
