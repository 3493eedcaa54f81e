//! Can the target make, or has it, the collations that the database uses?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::qualified,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Target},
        facts::CollationFacts,
        finding::{Found, listed},
        target::locale::has_locale,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "CollationsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Has {
    collation: bool,
    icu: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let database = target.source_database()?;
    let mut found = Vec::new();
    for collation in &database.collations {
        let sql = include_str!("../sql/collation_here.sql");
        let doing = format!("looking for collation {} on the target", collation.name);
        let has: Has =
            ask_one(target.client, &doing, sql, &[&collation.name, &database.encoding]).await?;
        let locale = collation.locale.as_deref().unwrap_or_default();
        match collation.provider.as_str() {
            _ if collation.of_system && has.collation => {}
            _ if collation.of_system => found.push(missing(collation)),
            "i" if !has.icu => found.push(without(collation, "IcuMissing", "has no ICU")),
            "c" if !has_locale(target, locale).await? => {
                let why = format!("has no locale {locale:?} on its machine");
                found.push(without(collation, "LocaleMissing", &why));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn missing(collation: &CollationFacts) -> Found {
    let name = &collation.name;
    let message = format!(
        "{} has collation {name} of the source's system, which the target does not have",
        users(collation)
    );
    Found::failed("CollationMissing", message).object(object(collation)).remedy(format!(
        "{} -- on the source, or install locale {name} on the target's machine, and there, in template0: select \
         pg_import_system_collations('pg_catalog')",
        collation.remedies.join(" ")
    ))
}

fn without(collation: &CollationFacts, code: &'static str, why: &str) -> Found {
    let CollationFacts { schema, name, .. } = collation;
    let message =
        format!("collation {schema}.{name} ({}) can't be made: the target {why}", users(collation));
    let drop = if collation.users.is_empty() {
        format!("drop collation {};", qualified(schema, name))
    } else {
        collation.remedies.join(" ")
    };
    Found::failed(code, message).object(format!("{schema}.{name}")).remedy(format!(
        "{drop} -- on the source, or give the target's machine that locale, and restart its server"
    ))
}

fn users(collation: &CollationFacts) -> String {
    if collation.users.is_empty() { "nothing uses it".to_owned() } else { listed(&collation.users) }
}

fn object(collation: &CollationFacts) -> String {
    if collation.users.is_empty() { collation.name.clone() } else { listed(&collation.users) }
}
