//! Defects of a source's databases.
use whimbrel_proto::{agent::v1::CheckLevel, v1::FindingState};

use crate::bench::Bench;

#[tokio::test]
async fn that_are_not_there_or_not_to_be_moved() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            "create database shut with allow_connections false; create database \"Mould\" with is_template true; \
             create database whole",
        )
        .await;
    let databases = ["none", "whole", "shut", "Mould", "postgres"];
    let looked = bench.source(&bench.superuser(), &databases).await;
    looked.assert_told(&[
        "none: DatabaseDoesNotExist none",
        "shut: DatabaseNotAllowingConnections shut",
        "Mould: TemplateDatabase Mould",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    for code in ["DatabaseNotAllowingConnections", "TemplateDatabase"] {
        bench.sql("postgres", &looked.only(code).remedy).await;
    }
    bench.source(&bench.superuser(), &["shut", "Mould"]).await.assert_told(&[]);
}

#[tokio::test]
async fn whose_tables_the_stream_can_not_follow() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database keyless").await;
    bench
        .sql(
            "keyless",
            "create schema \"S a\";
             create table \"S a\".\"Bare\" (v int);
             create table public.nothing (id int primary key);
             alter table public.nothing replica identity nothing;
             create table public.late (id int primary key deferrable);
             create table public.has_index (a int not null, b int unique, c int not null);
             create unique index part on public.has_index (c) where c > 0;
             create unique index whole on public.has_index (a, c);
             create table public.parted (id int) partition by list (id);
             create table public.leaf partition of public.parted for values in (1);
             create unlogged table public.fleeting (id int primary key);
             create table public.computed (a int, id int generated always as (a + 1) stored primary key, b int);",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["keyless"]).await;
    looked.assert_told(&[
        "keyless: TableWithoutReplicaIdentity S a.Bare",
        "keyless: TableWithoutReplicaIdentity public.has_index",
        "keyless: TableWithoutReplicaIdentity public.late",
        "keyless: TableWithoutReplicaIdentity public.leaf",
        "keyless: TableWithoutReplicaIdentity public.nothing",
        "keyless: ReplicaIdentityGenerated public.computed",
        "keyless: TableUnlogged public.fleeting",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    let leaf = looked.finding_of("TableWithoutReplicaIdentity", "public.leaf");
    assert!(leaf.message.contains("a partition of public.parted"), "{}", leaf.message);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["keyless"]).await.assert_told(&[]);
    let client = bench.client("keyless").await;
    let row = client
        .query_one(
            "select string_agg(relname || ' ' || relreplident::text, ',' order by relname) from pg_class
             where relname in ('has_index', 'nothing', 'late', 'Bare')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "Bare f,has_index i,late f,nothing d");
}

#[tokio::test]
async fn that_hold_large_objects_and_our_name() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database laden").await;
    bench.sql("laden", "select lo_create(0); select lo_create(0); create schema whimbrel").await;
    bench.sql("laden", "create table whimbrel.mine (v int)").await;
    let looked = bench.source(&bench.superuser(), &["laden"]).await;
    looked.assert_told(&[
        "laden: LargeObjectsAtCutover pg_largeobject",
        "laden: SchemaNameReserved whimbrel",
    ]);
    assert!(looked.only("LargeObjectsAtCutover").message.contains("has 2 large objects"));
    let (superuser, level) = (bench.superuser(), CheckLevel::Preflight);
    let offline = bench.source_at(&superuser, &["laden"], level, false).await;
    offline.assert_told(&["laden: SchemaNameReserved whimbrel"]);
    assert_eq!(looked.only("SchemaNameReserved").state(), FindingState::FindingWarning);
}

#[tokio::test]
async fn with_transactions_that_are_open() {
    let bench = Bench::start("max_prepared_transactions = 5\n").await;
    bench.sql("postgres", "create database app; create database elsewhere").await;
    for database in ["app", "elsewhere"] {
        let prepare = format!(
            "begin; create table public.t (id int primary key); prepare transaction 'it''s {database}'"
        );
        bench.sql(database, &prepare).await;
    }
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&[
        ": PreparedTransactionOpen it's elsewhere",
        "app: PreparedTransactionOpen it's app",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    // It can only be ended in its own database.
    for (database, at) in [("elsewhere", 0), ("app", 1)] {
        bench.sql(database, &looked.remedies()[at]).await;
    }
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}

/// A transaction can't be made to look five minutes old: the query is asked with a lower bound.
#[tokio::test]
async fn with_transactions_that_are_open_for_long() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database slow; create database elsewhere").await;
    let begin = "set application_name = 'app'; begin; select 1";
    let write = "create table public.t (v int)";
    let mut open = Vec::new();
    for (database, writes) in [("slow", false), ("elsewhere", false), ("elsewhere", true)] {
        let client = bench.client(database).await;
        client.batch_execute(begin).await.unwrap();
        if writes {
            client.batch_execute(write).await.unwrap();
        }
        open.push(client);
    }
    let client = bench.client("slow").await;
    let sql = include_str!("../../src/preflight/sql/long_transactions.sql");
    let wanted = vec!["slow".to_owned()];
    let count = async |database: &str, seconds: i32| {
        client.query(sql, &[&database, &wanted, &seconds]).await.unwrap().len()
    };
    assert_eq!(count("slow", -60).await, 1, "also one that has not written");
    assert_eq!(count("", -60).await, 1, "elsewhere only the one that has written");
    assert_eq!(count("slow", 60).await, 0);
}
