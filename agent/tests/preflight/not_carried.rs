//! What a source's database has that is not carried, or not as it is.
use whimbrel_agent::postgres::Password;
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, ROLE_PASSWORD};

#[tokio::test]
async fn objects_and_extensions_in_the_systems_schemas() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database insystem; create role reads_system").await;
    bench
        .sql(
            "insystem",
            "create extension citext schema pg_catalog; create extension adminpack;
             create function pg_catalog.\"Mine\"(a int) returns int language sql as 'select 1';
             create domain pg_catalog.positive as int check (value > 0);
             create operator pg_catalog.=== (leftarg = int4, rightarg = int4, function = int4eq);
             create table information_schema.kept (id int primary key);
             grant select on pg_authid to reads_system;
             grant select (rolname, oid), references (oid) on pg_authid to public;
             grant execute on function pg_catalog.pg_read_file(text) to reads_system",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["insystem"]).await;
    looked.assert_told(&[
        "insystem: ObjectInSystemSchema pg_catalog.positive",
        "insystem: ObjectInSystemSchema pg_catalog.\"Mine\"(a integer)",
        "insystem: ObjectInSystemSchema pg_catalog.=== (integer, integer)",
        "insystem: ObjectInSystemSchema information_schema.kept",
        "insystem: GrantsOnSystemCatalogs function pg_catalog.pg_read_file(text)",
        "insystem: GrantsOnSystemCatalogs table pg_catalog.pg_authid",
        "insystem: GrantsOnSystemCatalogs table pg_catalog.pg_authid",
        "insystem: ExtensionInSystemSchema citext",
    ]);
    assert!(format!("{:?}", looked.0.findings).contains("references (oid), select (oid, rolname)"));
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["insystem"]).await.assert_told(&[]);
}

/// No extension of PostgreSQL's own has tables, so two are given to one here.
#[tokio::test]
async fn rows_in_tables_of_extensions() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database extrows").await;
    bench
        .sql(
            "extrows",
            "create extension hstore; create table public.job (id int primary key, mine bool);
             create table public.plain (id int primary key); create table public.empty (id int primary key);
             insert into public.job values (1, false), (2, true);
             alter extension hstore add table public.job; alter extension hstore add table public.plain;
             alter extension hstore add table public.empty;
             update pg_extension set extconfig = array['public.job'::regclass, 'public.empty'::regclass]::oid[],
                 extcondition = array['where mine', ''] where extname = 'hstore'",
        )
        .await;
    let look = async || bench.source(&bench.superuser(), &["extrows"]).await;
    let by_hand = "extrows: ExtensionMemberNotCarried hstore";
    look().await.assert_told(&[by_hand]);
    bench.sql("extrows", "insert into public.plain values (1)").await;
    let looked = look().await;
    looked.assert_told(&["extrows: ExtensionTableNotCarried public.plain", by_hand]);
    looked.assert_status(FindingState::FindingWarning);
}

#[tokio::test]
async fn what_a_person_has_added_to_an_extension() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database added").await;
    bench.sql("added", "create extension hstore; create extension postgres_fdw").await;
    // A transaction each: what one makes and adds at once is not told from what a script makes.
    for sql in [
        "create function public.mine(a int) returns int language sql as 'select 1';
         create sequence public.\"My numbers\"; create view public.seen as select 1 as one;
         create type public.mood as enum ('sad'); create table public.kept (id int primary key)",
        "alter extension hstore add function public.mine(int);
         alter extension hstore add sequence public.\"My numbers\"; alter extension hstore add view public.seen;
         alter extension hstore add type public.mood; alter extension hstore add table public.kept",
    ] {
        bench.sql("added", sql).await;
    }
    let looked = bench.source(&bench.superuser(), &["added"]).await;
    looked.assert_told(&["added: ExtensionMemberNotCarried hstore"]);
    let told = format!("{:?}", looked.0.findings);
    for name in [
        "function public.mine(",
        "sequence public.",
        "view public.seen",
        "type public.mood",
        "table public.kept",
    ] {
        assert!(told.contains(name), "{name}: {told}");
    }
    looked.assert_status(FindingState::FindingWarning);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["added"]).await.assert_told(&[]);
}

#[tokio::test]
async fn what_lies_elsewhere_or_speaks_of_it() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role far_mover login replication password '{ROLE_PASSWORD}'"),
        )
        .await;
    bench.sql("postgres", "create database far owner far_mover").await;
    bench
        .sql(
            "far",
            "create extension postgres_fdw; create server \"Hub\" foreign data wrapper postgres_fdw;
             create user mapping for far_mover server \"Hub\" options (user 'u', password 'p');
             create user mapping for postgres server \"Hub\" options (user 'u', password 'p');
             create foreign table public.away (id int) server \"Hub\";
             create subscription \"From hub\" connection 'host=nowhere password=x' publication one, two with (connect = false);
             create subscription \"An earlier\" connection 'host=nowhere password=x' publication one with (connect = false)",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["far"]).await;
    looked.assert_told(&[
        "far: ForeignTable public.away",
        "far: SubscriptionsNotCarried An earlier",
        "far: SubscriptionsNotCarried From hub",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    let remedy = &looked.finding_of("SubscriptionsNotCarried", "From hub").remedy;
    assert!(remedy.contains("publication one, two"), "{remedy}");
    assert!(!format!("{:?}", looked.0.findings).contains("nowhere"));
    looked.paste(&bench).await;

    let looked = bench.source(&bench.as_role("far_mover"), &["far"]).await;
    assert!(
        looked.told().contains(&"far: UserMappingHidden postgres@Hub".to_owned()),
        "{:?}",
        looked.told()
    );
    for name in ["From hub", "An earlier"] {
        bench.sql("far", &format!("alter subscription \"{name}\" set (slot_name = none)")).await;
        bench.sql("far", &format!("drop subscription \"{name}\"")).await;
    }
}

/// What the remedy says is done, and the target's subscription goes on where the source's ended.
#[tokio::test]
async fn a_subscription_is_taken_over_by_the_statements_of_its_remedy() {
    let bench = Bench::shared().await;
    bench
        .sql("postgres", "create database hub; create database moves; create database moved")
        .await;
    for database in ["hub", "moves", "moved"] {
        bench.sql(database, "create table public.news (id int primary key)").await;
    }
    let publish = "create publication \"P 1\" for table public.news; select pg_create_logical_replication_slot('hubs', 'pgoutput')";
    bench.sql("hub", publish).await;
    let endpoint = bench.superuser();
    let password = endpoint.password.as_ref().map_or("", Password::expose).replace('\\', r"\\");
    let connection = format!(
        "host={} port={} dbname=hub user={} password={password}",
        endpoint.host, endpoint.port, endpoint.user
    );
    bench
        .sql("moves", &format!("create subscription \"Of hub\" connection '{connection}' publication \"P 1\" with (create_slot = false, slot_name = 'hubs', binary = true)"))
        .await;
    bench.sql("hub", "insert into public.news values (1)").await;
    bench.answer("moves", "select id from public.news where id = 1").await;

    let looked = bench.source(&bench.superuser(), &["moves"]).await;
    let remedy = looked.only("SubscriptionsNotCarried").remedy.clone();
    looked.paste(&bench).await;
    bench.sql("moved", "insert into public.news values (1)").await;
    bench.sql("hub", "insert into public.news values (2)").await;
    let told = remedy.split_once("; -- ").unwrap().0.split_once("; ").unwrap().1.to_owned();
    let position = bench.answer("moves", &told).await;
    let (_, anew) = remedy.split_once("told: ").unwrap();
    let (anew, then) = anew.split_once("; then, on the source: ").unwrap();
    assert!(anew.contains("binary = true"), "{anew}");
    let anew = anew.replacen("...", &connection, 1).replacen("...", &position, 1);
    bench.sql("moved", &anew).await;
    bench.answer("moved", "select id from public.news where id = 2").await;
    bench.sql("moves", then).await;
    bench.sql("moved", "drop subscription \"Of hub\"").await;
}

#[tokio::test]
async fn columns_of_oids_and_indexes_that_failed() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database odd").await;
    bench
        .sql(
            "odd",
            "create table public.\"Refs\" (id int primary key, t regclass, ts regtype[], o oid);
             create table public.parted (id int primary key, r regrole) partition by range (id);
             create table public.leaf partition of public.parted default;
             create temporary table scratch (r regclass);
             insert into public.\"Refs\" values (1, 'pg_class', '{int4}', 1);
             create table public.dup (v int); alter table public.dup replica identity full;
             insert into public.dup values (1), (1)",
        )
        .await;
    let client = bench.client("odd").await;
    let built =
        client.batch_execute("create unique index concurrently dup_v on public.dup (v)").await;
    assert!(built.is_err());
    let looked = bench.source(&bench.superuser(), &["odd"]).await;
    looked.assert_told(&[
        "odd: RegColumns public.Refs.t",
        "odd: RegColumns public.Refs.ts",
        "odd: RegColumns public.parted.r",
        "odd: IndexInvalid public.dup_v",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    bench.sql("odd", "delete from public.dup").await;
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["odd"]).await.assert_told(&[]);
    let row = client.query_one("select t || ' ' || ts[1] from public.\"Refs\"", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "pg_class integer");
}

#[tokio::test]
async fn views_that_read_themselves() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database recursing").await;
    bench
        .sql(
            "recursing",
            "create view public.\"Self\" as select 1 as x; create or replace view public.\"Self\" as select x from public.\"Self\";
             create view public.a as select 1 as x; create view public.b as select x from public.a;
             create or replace view public.a as select x from public.b;
             create view public.written as select 1 as x;
             create rule ins as on insert to public.written do instead select x from public.written",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["recursing"]).await;
    looked.assert_told(&["recursing: ViewReadsItself public.\"Self\""]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["recursing"]).await.assert_told(&[]);
}

#[tokio::test]
async fn orders_that_changed_under_the_indexes() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            "create database reordered template template0 locale_provider icu icu_locale 'en'",
        )
        .await;
    bench
        .sql(
            "reordered",
            "create collation public.\"German\" (provider = icu, locale = 'de', version = '0.1');
             create table public.t (id text collate public.\"German\" primary key, n text collate \"de-x-icu\");
             update pg_database set datcollversion = '0.1' where datname = 'reordered'",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["reordered"]).await;
    looked.assert_told(&[
        "reordered: CollationVersionMismatch reordered",
        "reordered: CollationVersionMismatch public.German",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["reordered"]).await.assert_told(&[]);
}

#[tokio::test]
async fn the_size_is_told_and_is_no_defect() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database sized").await;
    bench.sql("sized", "create table public.a (id int primary key)").await;
    let looked = bench.source(&bench.superuser(), &["sized"]).await;
    looked.assert_told(&[]);
    let noted = looked.noted();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert!(noted[0].starts_with("SizeEstimate sized: 1 tables, 8 MB; about 1 min"), "{noted:?}");
}

/// A table of its own kind for each thing that is sound, however unusual.
#[tokio::test]
async fn what_is_unusual_and_sound() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database unusual").await;
    bench
        .sql(
            "unusual",
            "create extension btree_gist; create extension hstore;
             create table public.parent (id int primary key); create table public.child (primary key (id)) inherits (public.parent);
             create table public.generated (id int primary key generated by default as identity, d int generated always as (id * 2) stored);
             create table public.excluded (id int primary key, r int4range, exclude using gist (r with &&));
             create table public.deferred (id int primary key, v int unique deferrable initially deferred);
             create type public.mood as enum ('a', 'b'); create type public.pair as (a int, b text);
             create domain public.positive as int check (value > 0); create type public.span as range (subtype = float8);
             create table public.typed (id public.positive primary key, m public.mood, p public.pair, s public.span, h hstore, ms public.mood[]);
             create table public.later (id int primary key); alter table public.later add foreign key (id) references public.parent not valid;
             create procedure public.nothing() language plpgsql as 'begin end';
             create materialized view public.mat as select 1 as a;
             create publication some_tables for table public.parent;
             create temporary table scratch (v text);
             alter database unusual set work_mem = '8MB'",
        )
        .await;
    bench.source(&bench.superuser(), &["unusual"]).await.assert_told(&[]);
}
