//! Event triggers that fire on what we do on the source: we make and drop publications there, as an application's role might.
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
    type_name: "EventTriggersValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Trigger {
    name: String,
    event: String,
    function: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for event triggers in database {}", source.database);
    let sql = include_str!("../sql/event_triggers.sql");
    let triggers: Vec<Trigger> = ask(source.client, &doing, sql, &[]).await?;
    Ok(triggers.iter().map(finding).collect())
}

fn finding(trigger: &Trigger) -> Found {
    let Trigger { name, event, function } = trigger;
    let message = format!(
        "event trigger {name} (on {event}, calls {function}) fires when we make and drop our publications on the source: if \
         it refuses that, the migration is held; if it logs, it logs us"
    );
    Found::warning("EventTriggerFires", message).object(name).remedy(format!(
        "alter event trigger {} disable; -- until the migration is over, if it refuses or minds",
        identifier(name)
    ))
}
