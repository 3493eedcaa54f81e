//! Does every commit wait for a standby that is not there? Ours would too, for ever. Asked of both sides.
use serde::Deserialize;

use super::{
    ask::ask_one,
    check::{At, Check, Level, Run},
    finding::Found,
};
use crate::{fault::Fault, postgres::Client};

pub(super) const OF_SOURCE: Check = Check {
    type_name: "SynchronousStandbyValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source.client))),
};

pub(super) const OF_TARGET: Check = Check {
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target.client))),
    ..OF_SOURCE
};

#[derive(Deserialize)]
struct Server {
    names: String,
    missing: bool,
}

async fn look(client: &Client) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("sql/synchronous.sql");
    let server: Server = ask_one(client, "asking for synchronous standbys", sql, &[]).await?;
    if !server.missing {
        return Ok(Vec::new());
    }
    let message = format!(
        "synchronous_standby_names is {:?}, and no such standby is connected: every commit waits, ours too",
        server.names
    );
    Ok(vec![
        Found::failed("SynchronousStandbyMissing", message)
            .object("synchronous_standby_names")
            .remedy("alter system set synchronous_standby_names = ''; select pg_reload_conf(); -- or start that standby"),
    ])
}
