//! May our role switch foreign keys' triggers off while changes are applied? If not, they are made in the cutover.
use crate::{
    fault::Fault,
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::Found,
    },
    target::can_be_replica,
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SessionReplicationRoleValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: true,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    if can_be_replica(target.client).await {
        return Ok(Vec::new());
    }
    let role = target.role;
    let message = format!(
        "role {} may not set session_replication_role on the target: foreign keys are built during the cutover, which \
         lasts longer for it",
        role.name
    );
    let remedy = if target.client.server_major() >= 15 {
        format!("grant set on parameter session_replication_role to {};", role.quoted())
    } else {
        format!("alter role {} with superuser;", role.quoted())
    };
    Ok(vec![
        Found::warning("ForeignKeysAtCutover", message)
            .object("session_replication_role")
            .remedy(remedy),
    ])
}
