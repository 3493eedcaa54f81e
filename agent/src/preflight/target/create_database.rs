//! May our role make databases?
use std::future::ready;

use crate::preflight::{
    check::{At, Check, Level, Run, Target},
    finding::Found,
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "CreateDatabasePrivilegeValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Target(|target| Box::pin(ready(Ok(look(target))))),
};

fn look(target: &Target<'_>) -> Vec<Found> {
    let role = target.role;
    if role.superuser || role.createdb {
        return Vec::new();
    }
    let message = format!("role {} may not make databases on the target", role.name);
    vec![
        Found::failed("CreateDatabasePrivilegeMissing", message)
            .object(&role.name)
            .remedy(format!("alter role {} with createdb;", role.quoted())),
    ]
}
