//! The two passwords of a migration, and which agent is to open them.
use whimbrel_proto::{
    name,
    v1::{GetTargetRequest, Secret},
};

use crate::{
    args::{SecretArg, migration::MigrationRef},
    client::call,
    failure::Failure,
    secret::Password,
    verb::{
        Session,
        password::{Asked, seal_to},
    },
};

/// One of the two.
pub(super) struct PasswordOf {
    /// The option that names it.
    pub(super) option: &'static str,
    whose: &'static str,
}

/// The source's.
pub(super) const SOURCE: PasswordOf =
    PasswordOf { option: "--source-password", whose: "Password of the source" };

/// The target's, for one migration.
pub(super) const TARGET: PasswordOf =
    PasswordOf { option: "--target-password", whose: "Password of the target" };

impl PasswordOf {
    /// What to look up.
    pub(super) fn asked<'a>(&self, text: &'a SecretArg) -> Asked<'a> {
        Asked { option: self.option, whose: self.whose, text }
    }
}

/// Seals it to the agent that acts: the first that is named, else the target's.
pub(super) async fn seal<'a>(
    session: &Session,
    password: &Password,
    migration: &MigrationRef,
    named: impl IntoIterator<Item = &'a str>,
) -> Result<Secret, Failure> {
    if let Some(agent) = named.into_iter().find(|agent| !agent.is_empty()) {
        return seal_to(session, password, agent).await;
    }
    let request = call(GetTargetRequest { name: name::target(&migration.target) });
    let target = session.client.targets().get_target(request).await?.into_inner();
    seal_to(session, password, &target.agent).await
}
