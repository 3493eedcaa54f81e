//! Server parameters whose difference an application would notice.

use crate::{
    fault::Fault,
    postgres::{setting_name, setting_value},
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ServerParametersValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(std::future::ready(look(target)))),
};

/// They change what values look like, what statements do, or how long they may take.
const NOTICED: &[&str] = &[
    "array_nulls",
    "bytea_output",
    "DateStyle",
    "default_tablespace",
    "default_text_search_config",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "IntervalStyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "row_security",
    "search_path",
    "session_replication_role",
    "standard_conforming_strings",
    "statement_timeout",
    "synchronous_commit",
    "TimeZone",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// A target with less of it refuses what the source takes. They need a restart.
const AT_LEAST: &[&str] = &["max_connections", "max_prepared_transactions"];

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let source = &target.source_with_settings()?.settings;
    let here = &target.own()?.settings;
    let both = |name: &str| Some((source.get(name)?.as_str(), here.get(name)?.as_str()));
    let mut found = Vec::new();
    for name in NOTICED {
        if let Some((there, here)) = both(name)
            && there != here
        {
            found.push(finding(name, there, here, "select pg_reload_conf();"));
        }
    }
    for name in AT_LEAST {
        if let Some((there, here)) = both(name)
            && let (Ok(wanted), Ok(has)) = (there.parse::<u64>(), here.parse::<u64>())
            && has < wanted
        {
            found.push(finding(name, there, here, "-- then restart the server"));
        }
    }
    Ok(found)
}

fn finding(name: &str, there: &str, here: &str, then: &str) -> Found {
    let message = format!("{name} is {there:?} on the source and {here:?} on the target");
    let (quoted, value) = (setting_name(name), setting_value(name, there));
    Found::warning("ServerParameterDiffers", message)
        .object(name)
        .remedy(format!("alter system set {quoted} = {value}; {then}"))
}
