//! May our role make a replication slot? (That `pg_hba.conf` lets it in is what connecting to each database shows: a
//! logical walsender is matched by its database's name.)
use std::future::ready;

use crate::preflight::{
    check::{At, Check, Level, Run, Source},
    finding::Found,
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ReplicationPrivilegeValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: true,
    run: Run::Source(|source| Box::pin(ready(Ok(look(source))))),
};

fn look(source: &Source<'_>) -> Vec<Found> {
    let role = source.role;
    if role.superuser || role.replication {
        return Vec::new();
    }
    let message = format!("role {} may not make replication slots on the source", role.name);
    vec![
        Found::failed("ReplicationPrivilegeMissing", message)
            .object(&role.name)
            .remedy(format!("alter role {} with replication;", role.quoted())),
    ]
}
