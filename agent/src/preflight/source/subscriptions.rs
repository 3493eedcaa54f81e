//! Does the database subscribe to another? The subscription stays behind.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
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
    publications: String,
    /// The statements for the target.
    anew: String,
    /// The query for the position that they need; none where it has no slot.
    position: Option<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for subscriptions of database {}", source.database);
    let found: Vec<Subscription> =
        ask(source.client, &doing, include_str!("../../postgres/subscriptions.sql"), &[]).await?;
    Ok(found.iter().map(finding).collect())
}

fn finding(subscription: &Subscription) -> Found {
    let Subscription { name, enabled, publications, anew, position } = subscription;
    let state = if *enabled { "enabled, so it goes on writing here" } else { "disabled" };
    let message = format!(
        "subscription {name} (to {publications}; {state}) is not carried: its connection and its slot are this server's"
    );
    let name = identifier(name);
    let disable = format!("alter subscription {name} disable");
    let remedy = match position {
        None => format!("{disable}; -- before the cutover; after it, on the target: {anew}"),
        Some(position) => format!(
            "{disable}; {position}; -- when the application's writes stop, before the cutover (the query tells nothing while the \
             subscription's worker is still at work); after it, on the target, with the source's connection string and the \
             position that this told: {anew}; then, on the source: alter subscription {name} set \
             (slot_name = none); drop subscription {name}"
        ),
    };
    Found::warning("SubscriptionsNotCarried", message).object(&subscription.name).remedy(remedy)
}
