//! A server that lets our role into one database alone.
use whimbrel_agent::{
    link::{Outlet, Tasks as _},
    report::{AdviceInput, advise, look_around},
    secret::Secrets,
    task::Supervisor,
};
use whimbrel_proto::{
    agent::v1::{LookAround, Query, query, query_answer::Kind},
    v1::{Endpoint, ReportItem, Secret, ServerTest, secret},
};

use crate::bench::{Bench, ROLE_PASSWORD};

const LINE: &str = "127.0.0.1/32 scram-sha-256";

/// Where `reached` is a database of the migration, and `mover` only its role's name.
async fn letting_into(database: &str) -> Bench {
    let bench = Bench::start("").await;
    let role = format!("create role mover login password '{ROLE_PASSWORD}'");
    bench.sql("postgres", &format!("{role}; create database {database} owner mover")).await;
    let lines = format!("host all postgres {LINE}\nhost {database} mover {LINE}\n");
    bench.cluster.write("pg_hba.conf", &lines);
    bench.cluster.restart();
    bench
}

#[tokio::test]
async fn has_its_report() {
    let bench = letting_into("reached").await;
    let databases = ["reached".to_owned()];
    let wanted = LookAround { databases: databases.to_vec(), ..LookAround::default() };
    let seen = look_around(&bench.as_role("mover"), &wanted, &bench.programs).await.unwrap();
    let target = Bench::other().await;
    let input = AdviceInput {
        endpoint: &target.superuser(),
        databases: &databases,
        migrate_roles: false,
        seen: &seen,
    };
    let items = advise(&input).await.unwrap();
    let missed: Vec<_> = items
        .iter()
        .filter_map(|item| item.finding.as_ref())
        .filter(|finding| finding.message.contains("was not looked into"))
        .map(|finding| finding.object.as_str())
        .collect();
    assert_eq!(missed, ["postgres"]);
    // The look at the server itself was made in the other one.
    let server = |item: &ReportItem| item.finding.as_ref().unwrap().object == "AccessRule";
    assert!(items.iter().any(server), "{items:?}");

    let nowhere = LookAround { databases: vec!["template1".into()], ..LookAround::default() };
    let refused =
        look_around(&bench.as_role("mover"), &nowhere, &bench.programs).await.unwrap_err();
    assert_eq!(refused.code, "NoPgHbaEntry");
}

async fn tested(bench: &Bench) -> ServerTest {
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), ROLE_PASSWORD).unwrap();
    let path = password.path().display().to_string();
    let endpoint = Endpoint {
        host: "127.0.0.1".into(),
        port: bench.cluster.port.into(),
        user: "mover".into(),
        password: Some(Secret { kind: Some(secret::Kind::File(path)) }),
        ssl_mode: 0,
    };
    let key = crypto_box::SecretKey::generate(&mut crypto_box::aead::OsRng);
    let programs = std::sync::Arc::new(bench.programs.clone());
    let tasks = Supervisor::new(Outlet::new(), Secrets::new("a", key), programs);
    let kind = Some(query::Kind::TestServer(endpoint));
    match tasks.query(Query { query_id: "q".into(), kind }).await.kind.unwrap() {
        Kind::ServerTest(test) => test,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn is_tested_by_the_database_of_its_roles_name() {
    let test = tested(&letting_into("mover").await).await;
    assert!(test.ok, "{test:?}");
    let test = tested(&letting_into("reached").await).await;
    assert_eq!(test.code, "NoPgHbaEntry");
    assert!(test.remedy.contains("A migration needs no database postgres"), "{test:?}");
}
