//! Are the providers of the database's security labels loaded on the target?
use tokio_postgres::error::SqlState;

use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, literal},
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::LabelFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SecurityLabelsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for label in &target.source_database()?.labels {
        if !is_loaded(target, &label.provider).await? {
            found.push(missing(label));
        }
    }
    Ok(found)
}

/// No catalog lists the providers. The server looks for the provider before it looks for the table, which is none.
async fn is_loaded(target: &Target<'_>, provider: &str) -> Result<bool, Fault> {
    let doing = format!("looking for the provider {provider} of security labels on the target");
    let client = target.client;
    let sql = format!(
        "security label for {} on table pg_catalog.\"no such table\" is null",
        identifier(provider)
    );
    // A read-only transaction refuses the statement unread. It changes nothing either way, and is rolled back.
    client.batch_execute("begin read write").await.doing(&doing)?;
    let tried = client.batch_execute(&sql).await;
    client.batch_execute("rollback").await.doing(&doing)?;
    match tried {
        Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => Ok(false),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(true),
        other => other.map(|()| true).doing(doing),
    }
}

fn missing(label: &LabelFacts) -> Found {
    let LabelFacts { provider, labels, example } = label;
    let message = format!(
        "{labels} security labels of provider {provider} (one on {example}), which is not loaded on the target"
    );
    Found::failed("SecurityLabelProviderMissing", message).object(provider).remedy(format!(
        "delete from pg_seclabel where provider = {}; -- on the source, or load the provider's library on the target \
         (shared_preload_libraries)",
        literal(provider).trim_start()
    ))
}
