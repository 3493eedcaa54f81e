//! Are there rights on the system's own objects? pg_dump carries them; a superuser must give them again, and what a later
//! major version renamed or dropped can't be granted there.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SystemGrantsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Grant {
    object: String,
    grantee: String,
    rights: String,
    remedy: String,
    /// A right that the system gives, and that was revoked.
    taken: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for rights on system objects in database {}", source.database);
    let grants: Vec<Grant> =
        ask(source.client, &doing, include_str!("../sql/system_grants.sql"), &[]).await?;
    Ok(grants.iter().filter(|grant| !grant.taken).map(finding).collect())
}

fn finding(grant: &Grant) -> Found {
    let Grant { object, grantee, rights, remedy, .. } = grant;
    let message = format!(
        "{grantee} has {rights} on {object}, which is the system's: the target's role must be a superuser to grant it \
         again, and the target's version must have that object"
    );
    Found::warning("GrantsOnSystemCatalogs", message).object(object).remedy(remedy)
}
