//! `migration update`: new passwords, sealed to the agents that act now.
use prost_types::FieldMask;
use whimbrel_proto::v1::{GetMigrationRequest, Migration, MigrationSpec, UpdateMigrationRequest};

use super::{create::acting_agent, full_name, print_acted};
use crate::{
    args::migration::Update,
    client::{call, request_id},
    failure::Failure,
    secret::Reader,
    verb::{
        Session,
        password::{Asked, resolve},
    },
};

pub(super) async fn run(session: &Session, args: Update) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    let request = call(GetMigrationRequest { name: name.clone() });
    let current = session.client.migrations().get_migration(request).await?.into_inner();
    let now = current.spec.unwrap_or_default();
    let mut reader = Reader::default();
    let mut spec = MigrationSpec::default();
    let mut paths = Vec::new();
    if let Some(text) = &args.source_password {
        let agent = acting_agent(session, &args.migration, [&now.source_agent, &now.agent]).await?;
        let whose = "New password of the source";
        let asked = Asked { option: "--source-password", whose, text };
        let secret = resolve(session, &mut reader, &asked, &[agent]).await?;
        spec.source.get_or_insert_default().password = Some(secret);
        paths.push("spec.source.password".to_owned());
    }
    if let Some(text) = &args.target_password {
        let agent = acting_agent(session, &args.migration, [&now.agent, ""]).await?;
        let whose = "New password of the target";
        let asked = Asked { option: "--target-password", whose, text };
        let secret = resolve(session, &mut reader, &asked, &[agent]).await?;
        spec.target_override.get_or_insert_default().password = Some(secret);
        paths.push("spec.target_override.password".to_owned());
    }
    if paths.is_empty() {
        return Err(Failure::Usage(
            "nothing to change: give --source-password SECRET or --target-password SECRET".into(),
        ));
    }
    let request = UpdateMigrationRequest {
        migration: Some(Migration { name, spec: Some(spec), ..Migration::default() }),
        update_mask: Some(FieldMask { paths }),
        request_id: request_id(),
    };
    let answer = session.client.migrations().update_migration(call(request)).await?;
    print_acted(session, &answer.into_inner(), "updated")
}
