//! Owners without the right to create in the schema of what is theirs. Only a superuser gives them something there.
use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        check::{At, Check, Level, Run, Target},
        facts::OwnerFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "OwnersValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(std::future::ready(look(target)))),
};

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let source = target.source_database()?;
    if target.role.superuser {
        return Ok(Vec::new());
    }
    let finding = |OwnerFacts { role, schema, object }: &OwnerFacts| {
        let message = format!(
            "role {role} owns {object} and may not create in schema {schema} on the source: on the target, role {} is no superuser \
             and can't give it to that role so",
            target.role.name
        );
        let remedy = format!(
            "grant create on schema {} to {}; -- in the source's database; take it away again when the migration is over",
            identifier(schema),
            identifier(role)
        );
        Found::failed("OwnerMayNotCreate", message)
            .object(format!("{role} in {schema}"))
            .remedy(remedy)
    };
    Ok(source.owners_apart.iter().map(finding).collect())
}
