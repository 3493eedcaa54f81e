//! Does the source, and what is between, let us in for replication? Tried for real: a pooler or a proxy that passes ordinary
//! sessions may not pass these.
use crate::{
    fault::Fault,
    postgres::ConnectProblem,
    preflight::{
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
    replication::{ReplicationConnection, ReplicationError},
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ReplicationConnectionValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let (role, database) = (source.role, source.database);
    if !role.superuser && !role.replication {
        // Another check has said so.
        return Ok(Vec::new());
    }
    let endpoint = source.input.endpoint;
    let tried = ReplicationConnection::connect(endpoint, database, "preflight").await;
    Ok(tried
        .err()
        .filter(|error| !is_crowded(error))
        .map(|error| refused(error, source))
        .into_iter()
        .collect())
}

/// All walsenders are taken: told by the check of the server's parameters.
fn is_crowded(error: &ReplicationError) -> bool {
    let crowded = ConnectProblem::TooManyConnections;
    matches!(error, ReplicationError::Connect(error) if error.problem == crowded)
}

fn refused(error: ReplicationError, source: &Source<'_>) -> Found {
    let address = source.input.endpoint.address();
    let role = source.role.quoted();
    let grant = matches!(&error, ReplicationError::Connect(error) if error.problem == ConnectProblem::ConnectionNotPermitted)
        .then(|| format!("alter role {role} with replication; --"));
    let fault = Fault::from(error);
    let remedy = grant.unwrap_or_else(|| format!("-- {}:", fault.remedy));
    let message = format!(
        "ordinary sessions are let into database {}, a replication connection is not: {}",
        source.database, fault.message
    );
    Found::failed("ReplicationConnectionRefused", message).object(source.database).remedy(format!(
        "{remedy} if {address} is a pooler or a proxy, name the server itself as the source"
    ))
}
