//! Does our role's password end before a migration may be over? Sessions that are lost later could not be made again. Asked
//! of both sides.
use serde::Deserialize;

use super::{
    ask::ask,
    check::{At, Check, Level, Run},
    finding::Found,
};
use crate::{
    fault::Fault,
    postgres::{Client, identifier},
};

pub(super) const OF_SOURCE: Check = Check {
    type_name: "PasswordEndValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source.client))),
};

pub(super) const OF_TARGET: Check =
    Check { run: Run::Target(|target| Box::pin(look(target.client))), ..OF_SOURCE };

#[derive(Deserialize)]
struct Ending {
    role: String,
    at: String,
}

async fn look(client: &Client) -> Result<Vec<Found>, Fault> {
    let doing = "asking how long our role's password is good";
    let ending: Vec<Ending> = ask(client, doing, include_str!("sql/password_end.sql"), &[]).await?;
    Ok(ending.iter().map(finding).collect())
}

fn finding(Ending { role, at }: &Ending) -> Found {
    let message = format!(
        "the password of role {role} is good until {at}: from then on a session that is lost can't be made again, and the \
         migration stands still"
    );
    Found::warning("PasswordEnds", message)
        .object(role)
        .remedy(format!("alter role {} valid until 'infinity';", identifier(role)))
}
