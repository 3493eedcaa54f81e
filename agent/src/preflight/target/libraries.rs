//! Has the target the libraries of functions in C that no extension owns?

use crate::{
    fault::Fault,
    postgres::literal,
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::LibraryFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "LibrariesValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

/// SQLSTATE of a file that is not there.
const UNDEFINED_FILE: &str = "58P01";

/// Libraries that are tried; a database has a few.
const LIBRARIES_MAX: usize = 100;

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let database = target.source_database()?;
    // Another role can't make functions in C at all, which the check of privileged objects says.
    if !target.role.superuser {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for LibraryFacts { library, function } in database.libraries.iter().take(LIBRARIES_MAX) {
        // As pg_upgrade does: only the server itself can say.
        let loaded = target.client.batch_execute(&format!("load {}", literal(library))).await;
        let Err(error) = loaded else { continue };
        let gone = error.code().is_some_and(|code| code.code() == UNDEFINED_FILE);
        let cause = if gone { "does not have" } else { "can't load" };
        let message = format!(
            "function {function} is in library {library}, which the target's machine {cause}"
        );
        let major = target.client.server_major();
        found.push(Found::failed("LibraryMissing", message).object(library).remedy(format!(
            "-- install {library}, built for PostgreSQL {major}, on the target's machine, or, on the source: drop function \
             {function}"
        )));
    }
    Ok(found)
}
