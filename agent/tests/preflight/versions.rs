//! Every check can be made on every version that can be a source, and as a target's too.
use std::sync::Arc;

use whimbrel_proto::agent::v1::CheckLevel;

use crate::{
    bench::{Bench, HBA},
    cluster::{Cluster, programs_of},
};

/// What every version has and no check minds.
const SCHEMA: &str = "
    create table public.customer (id bigint generated always as identity primary key, name text not null);
    create table public.log (at date not null, line text) partition by range (at);
    create table public.log_1 partition of public.log for values from ('2020-01-01') to ('2030-01-01');
    alter table public.log_1 replica identity full;
    create view public.names as select name from public.customer;
    create extension hstore schema public;
    create collation public.ours from \"C\";
    create table public.collated (v text collate public.ours primary key)";

/// Looks at a server of this version as a source and as a target, if this machine has one.
async fn looked_at(major: u32) {
    let Some(programs) = programs_of(major) else {
        eprintln!(
            "NOT TESTED: PostgreSQL {major}: this machine has no server of it (tests/servers)"
        );
        return;
    };
    let bench = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
    // Dumps of later versions than this machine's programs are another test's.
    let newest = bench.programs.dump_for(major, major).is_ok();
    bench.sql("postgres", "create database app").await;
    bench.sql("app", SCHEMA).await;
    for online in [true, false] {
        let looked =
            bench.source_at(&bench.superuser(), &["app"], CheckLevel::Preflight, online).await;
        let told = looked.told();
        let expected = |line: &&String| {
            !newest && line.contains("PgDumpMissing")
                || major == 10 && line.contains("TruncateNotPublished")
        };
        let told: Vec<&String> = told.iter().filter(|line| !expected(line)).collect();
        assert!(told.is_empty(), "PostgreSQL {major}: {told:#?} {looked:#?}", looked = looked.0);
        if major >= 13 {
            let facts = &looked.0.facts;
            let told = bench.target(&bench.superuser(), &["app"], facts).await.told();
            let impossible: Vec<&String> =
                told.iter().filter(|line| line.contains("CheckImpossible")).collect();
            assert!(impossible.is_empty(), "PostgreSQL {major}: {impossible:#?}");
        }
    }
}

macro_rules! versions {
    ($($name:ident $major:literal)*) => {
        $(#[tokio::test] async fn $name() { looked_at($major).await; })*
    };
}

versions! {
    postgresql_10 10 postgresql_11 11 postgresql_12 12 postgresql_13 13 postgresql_14 14 postgresql_15 15
    postgresql_16 16 postgresql_17 17 postgresql_18 18
}

/// Of 11, the last that had them: each is refused, and its remedy mends it.
#[tokio::test]
async fn what_later_versions_have_not_is_refused() {
    let Some(programs) = programs_of(11) else {
        eprintln!("NOT TESTED: PostgreSQL 11: this machine has no server of it (tests/servers)");
        return;
    };
    let bench = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
    bench.sql("postgres", "create database app").await;
    let tables = "create table public.hidden (id int primary key) with oids;
        create table public.old (id int primary key, a abstime, r reltime, t tinterval);
        insert into public.hidden values (1);
        insert into public.old values (1, '2000-01-01', '1 day', '[\"2000-01-01\" \"2001-01-01\"]')";
    bench.sql("app", tables).await;
    let look = || async {
        bench.source_at(&bench.superuser(), &["app"], CheckLevel::Prerequisites, false).await
    };
    let looked = look().await;
    looked.assert_told(&[
        "app: TableWithOids public.hidden",
        "app: TypeRemoved public.old.a",
        "app: TypeRemoved public.old.r",
        "app: TypeRemoved public.old.t",
    ]);
    looked.paste(&bench).await;
    look().await.assert_told(&[]);
}

/// What a server refuses of published tables is told before: seen on a real one.
#[tokio::test]
async fn virtual_columns_whose_expression_cant_be_set_while_published_are_told() {
    const TABLES: &str = "
        create table public.plain (id int primary key, g int generated always as (id * 2) stored);
        create table public.gv (id int primary key, v int generated always as (id * 3));
        create table public.parted (id int primary key, v int generated always as (id * 3)) partition by list (id);
        create table public.parted_1 partition of public.parted for values in (1);
        create table public.parted_2 partition of public.parted for values in (2)";
    const SET: &str = "alter table public.gv alter v set expression as (id * 5)";
    const ANEW: &str =
        "alter table public.gv drop column v, add column v int generated always as (id * 5)";
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it");
        return;
    };
    let bench = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
    bench.sql("postgres", "create database app").await;
    bench.sql("app", TABLES).await;
    let told = bench.source(&bench.superuser(), &["app"]).await;
    let message = &told.only("VirtualColumnsPublished").message;
    assert!(message.contains("(public.gv, public.parted)"), "{message}");
    let offline = bench.source_at(&bench.superuser(), &["app"], CheckLevel::Preflight, false).await;
    assert!(offline.objects("VirtualColumnsPublished").is_empty());

    bench.sql("app", "create publication of_ours for table public.gv").await;
    let client = bench.client("app").await;
    assert!(client.batch_execute(SET).await.is_err());
    client.batch_execute(ANEW).await.unwrap();
    bench.sql("app", "drop publication of_ours").await;
    client.batch_execute(SET).await.unwrap();
}

/// From 18 on a server refuses the application's updates of such a table once it is published: seen on a real one, and told
/// before. 17 takes them, and the stream carries them.
#[tokio::test]
async fn a_replica_identity_with_generated_columns_is_told_where_it_harms() {
    const TABLES: &str = "
        create table public.kept (id int primary key, a int, g int generated always as (a + 1) stored);
        alter table public.kept replica identity full;
        insert into public.kept (id, a) values (1, 1)";
    const UPDATE: &str = "update public.kept set a = a + 1";
    for (major, harms) in [(17, false), (18, true)] {
        let Some(programs) = programs_of(major) else {
            eprintln!("NOT TESTED: PostgreSQL {major}: this machine has no server of it");
            continue;
        };
        let bench = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
        bench.sql("postgres", "create database app").await;
        bench.sql("app", TABLES).await;
        let told = bench.source(&bench.superuser(), &["app"]).await;
        let is_it = |line: &String| line == "app: ReplicaIdentityGenerated public.kept";
        assert_eq!(told.told().iter().any(is_it), harms, "PostgreSQL {major}: {:?}", told.told());

        bench.sql("app", "create publication of_ours for table public.kept").await;
        let client = bench.client("app").await;
        assert_eq!(client.batch_execute(UPDATE).await.is_err(), harms, "PostgreSQL {major}");
        if harms {
            let found = told.finding_of("ReplicaIdentityGenerated", "public.kept");
            bench.sql("app", "drop publication of_ours").await;
            bench.sql("app", &found.remedy).await;
            let keyless = bench.source(&bench.superuser(), &["app"]).await;
            assert!(!keyless.told().iter().any(is_it), "{:?}", keyless.told());
        }
    }
}
