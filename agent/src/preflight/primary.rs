//! Is the server no standby? Asked of both sides.
use serde::Deserialize;

use super::{
    ask::ask_one,
    check::{At, Check, Level, Run},
    finding::Found,
};
use crate::{fault::Fault, postgres::Client};

pub(super) const OF_SOURCE: Check = Check {
    type_name: "PrimaryServerValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source.client))),
};

pub(super) const OF_TARGET: Check =
    Check { run: Run::Target(|target| Box::pin(look(target.client))), ..OF_SOURCE };

#[derive(Deserialize)]
struct Server {
    standby: bool,
}

async fn look(client: &Client) -> Result<Vec<Found>, Fault> {
    let sql = "select pg_is_in_recovery() as standby";
    let server: Server =
        ask_one(client, "asking whether the server is a standby", sql, &[]).await?;
    if !server.standby {
        return Ok(Vec::new());
    }
    let address = client.endpoint().address();
    let message =
        format!("{address} is a standby: it takes no writes, and decodes no changes for us");
    Ok(vec![
        Found::failed("ServerInRecovery", message)
            .object(address)
            .remedy("select pg_promote(); -- or name the primary server instead"),
    ])
}
