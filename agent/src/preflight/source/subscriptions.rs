//! Does the database subscribe to another? The subscription stays behind.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SubscriptionsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Subscription {
    name: String,
    enabled: bool,
    publications: Vec<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for subscriptions of database {}", source.database);
    let found: Vec<Subscription> =
        ask(source.client, &doing, include_str!("../sql/subscriptions.sql"), &[]).await?;
    Ok(found.iter().map(finding).collect())
}

fn finding(subscription: &Subscription) -> Found {
    let Subscription { name, enabled, publications } = subscription;
    let publications = listed(publications);
    let state = if *enabled { "enabled, so it goes on writing here" } else { "disabled" };
    let message = format!(
        "subscription {name} (to {publications}; {state}) is not carried: its connection and its slot are this server's"
    );
    let name = identifier(name);
    let remedy = format!(
        "alter subscription {name} disable; -- before the cutover, and after it, on the target: create subscription {name} \
         connection '...' publication {publications} with (create_slot = false, copy_data = false)"
    );
    Found::warning("SubscriptionsNotCarried", message).object(&subscription.name).remedy(remedy)
}
