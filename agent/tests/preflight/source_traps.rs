//! Defects of a source that are no lack of rights or room: what fails later, or is forgotten.
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, ROLE_PASSWORD};

#[tokio::test]
async fn others_that_mind_or_read_and_keys_that_are_off() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database trapped").await;
    bench
        .sql(
            "trapped",
            "create function public.on_ddl() returns event_trigger language plpgsql as 'begin end';
             create event trigger \"Watch\" on ddl_command_end execute function public.on_ddl();
             create event trigger tables_only on ddl_command_end when tag in ('CREATE TABLE')
                 execute function public.on_ddl();
             create event trigger off on ddl_command_end execute function public.on_ddl();
             alter event trigger off disable;
             create table public.parent (id int primary key);
             create table public.child (id int primary key references public.parent);
             alter table public.child disable trigger all;
             select pg_create_logical_replication_slot('cdc', 'test_decoding');
             select pg_create_logical_replication_slot('whimbrel_0123456789ab_0', 'pgoutput');
             create schema whimbrel;
             create function whimbrel.whimbrel_ba9876543210_0() returns event_trigger language plpgsql as 'begin end';
             create event trigger whimbrel_ba9876543210_0_sql_drop on sql_drop execute function whimbrel.whimbrel_ba9876543210_0();
             create publication whimbrel_ba9876543210_0_keyless for table public.parent",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["trapped"]).await;
    looked.assert_told(&[
        "trapped: LogicalSlotNotCarried cdc",
        "trapped: SlotLeftBehind whimbrel_0123456789ab_0",
        "trapped: MigrationLeftBehind whimbrel_ba9876543210_0",
        "trapped: EventTriggerFires Watch",
        "trapped: ForeignKeyDisabled public.child",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["trapped"]).await.assert_told(&[]);
}

/// Each fails with an empty search_path, and works by the database's own.
const BY_PATH: &str = "
    create schema app; set search_path = app, public;
    create table app.rate (factor int primary key); insert into app.rate values (2);
    create function app.half(int) returns int language plpgsql immutable as 'begin return $1 / (select max(factor) from rate); end';
    create function app.outer_half(int) returns int language plpgsql immutable as 'begin return half($1); end';
    create table app.t (id int primary key, v int check (outer_half(v) >= 0), g int generated always as (half(v)) stored);
    create index on app.t (half(id)); create index part on app.t (id) where half(id) > 1;
    insert into app.t values (1, 4);
    create table app.empty (id int primary key, v int);
    create index on app.empty (half(v));
    create materialized view app.m as select half(v) from app.t;
    create function app.sound(int) returns int language sql immutable as 'select $1 + 1';
    create index sound on app.t (sound(id));
    create function app.sets_its_own(int) returns int language plpgsql immutable set search_path = app
        as 'begin return half($1); end';
    create index own on app.t (sets_its_own(id))";

#[tokio::test]
async fn functions_that_need_the_search_path() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database pathed").await;
    bench.sql("postgres", "alter database pathed set search_path = app, public").await;
    bench.client("pathed").await.batch_execute(BY_PATH).await.unwrap();
    let looked = bench.source(&bench.superuser(), &["pathed"]).await;
    looked.assert_told(&[
        "pathed: FunctionNeedsSearchPath constraint t_v_check of app.t",
        "pathed: FunctionNeedsSearchPath generated column g of app.t",
        "pathed: FunctionNeedsSearchPath index app.empty_half_idx",
        "pathed: FunctionNeedsSearchPath index app.part",
        "pathed: FunctionNeedsSearchPath index app.t_half_idx",
        "pathed: FunctionNeedsSearchPath materialized view app.m",
        "pathed: ReadsOtherTables constraint t_v_check of app.t",
        "pathed: ReadsOtherTables generated column g of app.t",
        "pathed: ReadsOtherTables index app.empty_half_idx",
        "pathed: ReadsOtherTables index app.own",
        "pathed: ReadsOtherTables index app.part",
        "pathed: ReadsOtherTables index app.t_half_idx",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["pathed"]).await.assert_told(&[]);
}

/// As that of earthdistance up to 15: what is set on its functions goes with no dump.
#[tokio::test]
async fn functions_of_extensions_that_need_the_search_path() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database placed").await;
    let schema = "set search_path = public; create extension cube; create extension earthdistance;
        create table public.place (id int primary key, lat float8, lon float8);
        insert into public.place values (1, 2, 3);
        create index on public.place using gist (ll_to_earth(lat, lon))";
    bench.client("placed").await.batch_execute(schema).await.unwrap();
    let looked = bench.source(&bench.superuser(), &["placed"]).await;
    looked.assert_told(&["placed: ExtensionNeedsSearchPath index public.place_ll_to_earth_idx"]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["placed"]).await.assert_told(&[]);
}

/// A dump of them can't be restored in any order of tables: the rows come before what they are checked by.
#[tokio::test]
async fn constraints_that_read_other_tables() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database checking").await;
    let schema = "
        create table public.known (v int primary key); insert into public.known values (1);
        create function public.is_known(int) returns bool language sql as 'select exists (select from public.known k where k.v = $1)';
        create function public.is_odd(int) returns bool language plpgsql immutable as 'begin return $1 % 2 = 1; end';
        create domain public.known_one as int check (public.is_known(value));
        create table public.a (id int primary key, v int constraint odd check (public.is_odd(v)), d public.known_one);
        create table public.b (id int not null, v int, constraint \"Known\" check (public.is_known(v))) partition by list (id);
        create table public.b_1 partition of public.b (primary key (id)) for values in (1);
        insert into public.a values (1, 1, 1); insert into public.b values (1, 1)";
    bench.client("checking").await.batch_execute(schema).await.unwrap();
    let looked = bench.source(&bench.superuser(), &["checking"]).await;
    looked.assert_told(&[
        "checking: ReadsOtherTables constraint \"Known\" of public.b",
        "checking: ReadsOtherTables constraint known_one_check of domain public.known_one",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["checking"]).await.assert_told(&[]);
    // New rows are checked as before.
    let client = bench.client("checking").await;
    assert!(client.batch_execute("insert into public.b values (1, 2)").await.is_err());
    assert!(client.batch_execute("insert into public.a values (2, 1, 2)").await.is_err());
}

#[tokio::test]
async fn servers_that_wait_or_forget_snapshots() {
    let bench = Bench::start("old_snapshot_threshold = '1h'\n").await;
    bench.sql("postgres", "create database app").await;
    bench
        .sql(
            "postgres",
            "alter system set synchronous_standby_names = 'nobody'; select pg_reload_conf()",
        )
        .await;
    let superuser = bench.superuser();
    let looked = bench.source(&superuser, &["app"]).await;
    looked.assert_told(&[
        ": OldSnapshotThreshold old_snapshot_threshold",
        ": SynchronousStandbyMissing synchronous_standby_names",
    ]);
    let target = bench.target(&superuser, &["app"], b"").await;
    target.assert_told(&[": SynchronousStandbyMissing synchronous_standby_names"]);
    looked.paste(&bench).await;
    bench.cluster.restart();
    bench.source(&superuser, &["app"]).await.assert_told(&[]);
}

/// A service's role that does not do here what it does there: only trying shows it.
#[tokio::test]
async fn replication_connections_that_are_refused() {
    let bench = Bench::start("").await;
    bench
        .sql(
            "postgres",
            &format!("create role rds_replication; create role refused_mover login password '{ROLE_PASSWORD}' in role rds_replication"),
        )
        .await;
    bench.sql("postgres", "create database refused owner refused_mover").await;
    let looked = bench.source(&bench.as_role("refused_mover"), &["refused"]).await;
    looked.assert_told(&["refused: ReplicationConnectionRefused refused"]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    bench.source(&bench.as_role("refused_mover"), &["refused"]).await.assert_told(&[]);
}

/// The servers of 2026's minor releases have the parameter.
#[tokio::test]
async fn output_plugins_that_are_not_allowed() {
    let bench = Bench::start("").await;
    bench.sql("postgres", "create database app").await;
    let set = "alter system set output_plugin_libraries = test_decoding";
    if bench.client("postgres").await.batch_execute(set).await.is_err() {
        eprintln!("not run: this server lets any output plugin be used");
        return;
    }
    bench.cluster.restart();
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&[": OutputPluginNotAllowed output_plugin_libraries"]);
    looked.paste(&bench).await;
    bench.cluster.restart();
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}
