//! Is the target the source itself?
use crate::{
    fault::Fault,
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::Found,
        gather::identity,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SameServerValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    // A service that does not tell who it is can still be a target: overwriting is asked for, and proven by OID.
    let Some(source) = &target.source()?.identity else { return Ok(vec![unknown("source")]) };
    let Ok(here) = identity(target.client).await else { return Ok(vec![unknown("target")]) };
    if here != *source {
        return Ok(Vec::new());
    }
    let address = target.input.endpoint.address();
    let message = format!("{address} is the source itself");
    Ok(vec![
        Found::failed("SourceIsTarget", message)
            .object(address)
            .remedy("-- name another server as the target"),
    ])
}

fn unknown(side: &str) -> Found {
    let message = format!(
        "the check could not be made: the {side} does not tell its identity (pg_control_system)"
    );
    Found::warning("CheckImpossible", message)
        .object(side)
        .remedy("-- make sure yourself that source and target are two servers")
}
