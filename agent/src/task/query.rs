//! Questions on an operator's behalf: nothing is changed, nothing is kept.
use std::time::Instant;

use whimbrel_proto::{
    Lsn,
    agent::v1::{
        Advise, ListObjects, ListTables, LookAround, Objects, Query, QueryAnswer, RowSums,
        Selection, SumRows, Surroundings, TableSketches, query, query_answer::Kind,
    },
    v1::{self, ListSourceDatabasesResponse, MigrationReport, ServerTest, SourceDatabase},
};

use super::kit::Kit;
use crate::{
    compare::{self, ObjectsWanted, Scope, SumsWanted},
    fault::{Doing, Fault},
    postgres::{Client, MAINTENANCE_DATABASE, connect},
    report::{self, AdviceInput},
    secret::Secrets,
    selection::Selected,
};

pub(super) async fn answer(kit: &Kit, query: Query) -> QueryAnswer {
    let secrets = &kit.secrets;
    let kind = match query.kind {
        Some(query::Kind::TestServer(endpoint)) => {
            Some(Kind::ServerTest(test(secrets, &endpoint).await.unwrap_or_else(failed)))
        }
        Some(query::Kind::ListDatabases(endpoint)) => {
            let databases = databases(secrets, &endpoint).await;
            Some(or_failure(
                databases
                    .map(|databases| Kind::Databases(ListSourceDatabasesResponse { databases })),
            ))
        }
        Some(query::Kind::ListObjects(wanted)) => {
            Some(or_failure(objects(secrets, &wanted).await.map(Kind::Objects)))
        }
        Some(query::Kind::ListTables(wanted)) => {
            Some(or_failure(tables(secrets, &wanted).await.map(Kind::Tables)))
        }
        Some(query::Kind::SumRows(wanted)) => {
            Some(or_failure(sums(secrets, &wanted).await.map(Kind::Sums)))
        }
        Some(query::Kind::LookAround(wanted)) => {
            Some(or_failure(surroundings(kit, &wanted).await.map(Kind::Surroundings)))
        }
        Some(query::Kind::Advise(wanted)) => {
            Some(or_failure(advice(kit, &wanted).await.map(Kind::Report)))
        }
        None => None,
    };
    QueryAnswer { query_id: query.query_id, kind }
}

/// No database is named: one of those that libpq would take is to let us in. Not `template1`: nobody can copy it while we are there.
async fn open(secrets: &Secrets, endpoint: &v1::Endpoint) -> Result<Client, Fault> {
    let at = secrets.endpoint_of(endpoint, std::slice::from_ref(&endpoint.user))?;
    let refused = match connect(&at, MAINTENANCE_DATABASE, "test").await {
        Err(error) if error.problem.is_of_database() => error,
        opened => return Ok(opened?),
    };
    if let Ok(client) = connect(&at, &at.user, "test").await {
        return Ok(client);
    }
    let fault = Fault::from(refused);
    let remedy = format!(
        "{}. A migration needs no database {MAINTENANCE_DATABASE} of its source: its checks take one that it moves, and tell whether that lets \
         us in",
        fault.remedy
    );
    Err(fault.remedy(remedy))
}

async fn test(secrets: &Secrets, endpoint: &v1::Endpoint) -> Result<ServerTest, Fault> {
    let client = open(secrets, endpoint).await?;
    let sent = Instant::now();
    client.execute("select 1", &[]).await.doing("asking for a round trip")?;
    let latency_seconds = sent.elapsed().as_secs_f64();
    let row = client
        .query_one("select current_setting('wal_level')", &[])
        .await
        .doing("asking for wal_level")?;
    Ok(ServerTest {
        ok: true,
        server_version: client.server_version().to_owned(),
        server_version_num: client.server_version_num(),
        tls: client.is_tls(),
        latency_seconds,
        wal_level: row.get(0),
        ..ServerTest::default()
    })
}

async fn databases(
    secrets: &Secrets,
    endpoint: &v1::Endpoint,
) -> Result<Vec<SourceDatabase>, Fault> {
    let client = open(secrets, endpoint).await?;
    let rows = client
        .query(include_str!("databases.sql"), &[])
        .await
        .doing("listing the server's databases")?;
    Ok(rows
        .iter()
        .map(|row| SourceDatabase {
            name: row.get(0),
            size_bytes: u64::try_from(row.get::<_, Option<i64>>(1).unwrap_or_default())
                .unwrap_or_default(),
            encoding: row.get(2),
            collate: row.get(3),
            owner: row.get(4),
        })
        .collect())
}

async fn objects(secrets: &Secrets, wanted: &ListObjects) -> Result<Objects, Fault> {
    let server = wanted.server.clone().unwrap_or_default();
    let endpoint = secrets.endpoint(&server, &wanted.database)?;
    let wish = ObjectsWanted {
        kind: &wanted.kind,
        after: &wanted.after,
        common_version: wanted.common_version,
        scope: &scope(wanted.tables.as_ref(), wanted.migrated.as_ref())?,
    };
    compare::list_objects(&endpoint, &wanted.database, &wish).await
}

async fn tables(secrets: &Secrets, wanted: &ListTables) -> Result<TableSketches, Fault> {
    let server = wanted.server.clone().unwrap_or_default();
    let endpoint = secrets.endpoint(&server, &wanted.database)?;
    let scope = scope(wanted.tables.as_ref(), wanted.migrated.as_ref())?;
    compare::list_tables(&endpoint, &wanted.database, &wanted.after, &scope).await
}

fn scope(selected: Option<&Selection>, migrated: Option<&Selection>) -> Result<Scope, Fault> {
    Ok(Scope { selected: Selected::new(selected)?, migrated: Selected::new(migrated)? })
}

async fn sums(secrets: &Secrets, wanted: &SumRows) -> Result<RowSums, Fault> {
    let server = wanted.server.clone().unwrap_or_default();
    let endpoint = secrets.endpoint(&server, &wanted.database)?;
    let wish = SumsWanted {
        tables: &wanted.tables,
        salt: wanted.salt,
        common_version: wanted.common_version,
        after: (wanted.after_lsn > 0).then_some(Lsn(wanted.after_lsn)),
    };
    compare::sum_rows(&endpoint, &wanted.database, &wish).await
}

async fn surroundings(kit: &Kit, wanted: &LookAround) -> Result<Surroundings, Fault> {
    let server = wanted.server.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint_of(&server, &wanted.databases)?;
    let seen = report::look_around(&endpoint, wanted, &kit.programs).await?;
    Ok(Surroundings { seen })
}

async fn advice(kit: &Kit, wanted: &Advise) -> Result<MigrationReport, Fault> {
    let server = wanted.server.clone().unwrap_or_default();
    let endpoint = kit.secrets.endpoint_of(&server, &wanted.databases)?;
    let input = AdviceInput {
        endpoint: &endpoint,
        databases: &wanted.databases,
        migrate_roles: wanted.migrate_roles,
        seen: &wanted.seen,
    };
    Ok(MigrationReport { items: report::advise(&input).await? })
}

fn or_failure(answer: Result<Kind, Fault>) -> Kind {
    answer.unwrap_or_else(|fault| Kind::Failure(failed(fault)))
}

fn failed(fault: Fault) -> ServerTest {
    ServerTest {
        ok: false,
        code: fault.code.into_owned(),
        message: fault.message,
        remedy: fault.remedy,
        ..ServerTest::default()
    }
}
