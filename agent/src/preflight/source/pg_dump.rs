//! Has the agent's machine programs that can read the source's schema?
use std::future::ready;

use crate::preflight::{
    check::{At, Check, Level, Run, Source},
    finding::Found,
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "PgDumpValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(ready(Ok(look(source))))),
};

fn look(source: &Source<'_>) -> Vec<Found> {
    let major = source.client.server_major();
    match source.input.programs.dump_for(major, major) {
        Ok(_) => Vec::new(),
        Err(error) => vec![
            Found::failed(error.code(), error.to_string()).object("pg_dump").remedy(error.remedy()),
        ],
    }
}
