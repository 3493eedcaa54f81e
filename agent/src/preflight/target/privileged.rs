//! Is there something in the database that only a superuser can make?

use crate::{
    fault::Fault,
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "PrivilegedObjectsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(std::future::ready(look(target)))),
};

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let role = target.role;
    let database = target.source_database()?;
    if role.superuser {
        return Ok(Vec::new());
    }
    let finding = |what: &String| {
        let message = format!(
            "{what}: only a superuser can make that on the target, and role {} is none",
            role.name
        );
        // Services let their administrators make some of it, in ways of their own.
        let found = if role.managed_admin {
            Found::warning("SuperuserNeeded", message)
        } else {
            Found::failed("SuperuserNeeded", message)
        };
        found.object(what).remedy(format!(
            "alter role {} superuser; -- until the migration is over, or drop it on the source",
            role.quoted()
        ))
    };
    Ok(database.privileged.iter().map(finding).collect())
}
