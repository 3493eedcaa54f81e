//! Can the target make the database with its encoding, collation and character classes?
use serde::Deserialize;

use crate::{
    fault::{Doing, Fault},
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Target},
        facts::DatabaseFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "LocaleValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

/// SQLSTATE of a parameter's value that is not accepted: here, a locale that the machine does not have.
const INVALID_PARAMETER_VALUE: &str = "22023";

#[derive(Deserialize)]
struct Server {
    encoding_known: bool,
    icu: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let database = target.source_database()?;
    let sql = include_str!("../sql/locale.sql");
    let server: Server =
        ask_one(target.client, "asking the target's locales", sql, &[&database.encoding]).await?;
    let mut found = Vec::new();
    if !server.encoding_known {
        let message = format!("the target does not know encoding {}", database.encoding);
        found.push(Found::failed("EncodingUnknown", message).object(&database.encoding));
    }
    found.extend(provider(database, &server, target.client.server_major()));
    let mut locales = vec![&database.collate, &database.ctype];
    locales.dedup();
    for locale in locales {
        if !has_locale(target, locale).await? {
            found.push(missing(locale));
        }
    }
    Ok(found)
}

fn provider(database: &DatabaseFacts, server: &Server, major: u32) -> Option<Found> {
    let locale = database.icu_locale.as_deref().unwrap_or_default();
    match database.provider.as_str() {
        "c" => None,
        "i" if server.icu => None,
        "i" => Some(
            Found::failed(
                "IcuMissing",
                format!("the database's locale is ICU's {locale:?}; the target has no ICU"),
            )
            .object(locale)
            .remedy("-- use a PostgreSQL on the target that is built with ICU"),
        ),
        "b" if builtin_since(locale).is_some_and(|since| since <= major) => None,
        other => {
            let message = format!(
                "the database's locale provider is {other:?} (locale {locale:?}), which PostgreSQL {major} does not have"
            );
            let remedy = "-- use a target of the source's version or later";
            Some(Found::failed("LocaleProviderNotCarried", message).object(locale).remedy(remedy))
        }
    }
}

/// The major version that first has the locale of the built-in provider.
fn builtin_since(locale: &str) -> Option<u32> {
    match locale {
        "C" | "C.UTF-8" | "C.UTF8" => Some(17),
        "PG_UNICODE_FAST" => Some(18),
        _ => None,
    }
}

/// Whether the machine has the locale. The server tries every locale that a session names; catalogs only know those that
/// were there when the server was made.
pub(super) async fn has_locale(target: &Target<'_>, locale: &str) -> Result<bool, Fault> {
    let sql = "select set_config('lc_monetary', $1, true)";
    match target.client.execute(sql, &[&locale]).await {
        Ok(_) => Ok(true),
        Err(error) if error.code().is_some_and(|code| code.code() == INVALID_PARAMETER_VALUE) => {
            Ok(false)
        }
        other => other.map(|_| true).doing(format!("trying locale {locale:?} on the target")),
    }
}

fn missing(locale: &str) -> Found {
    let message = format!("the target's machine has no locale {locale:?}");
    Found::failed("LocaleMissing", message).object(locale).remedy(format!(
        "localedef -i {} -f {} {locale} # on the target's machine (Debian: locale-gen); then restart the server",
        locale.split('.').next().unwrap_or(locale),
        locale.split('.').nth(1).unwrap_or("UTF-8"),
    ))
}
