//! A part of a database is moved: what is left out is in no dump, no copy, no stream, no comparison and no sequence.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, sql, until, value};
use whimbrel_proto::agent::v1::{CopyAgain, Selection, Step, report::Kind};

const SCHEMA: &str = r#"
create extension hstore schema public;
create schema app;
create schema audit;
create schema ext;
create extension citext schema ext;
create table app.customer (id int generated always as identity primary key, name text);
create table app.log_day (id int primary key, at timestamptz);
create table app.orders (id serial primary key, customer int not null references app.customer, log int constraint to_log references app.log_day, note public.hstore, mail ext.citext);
comment on constraint to_log on app.orders is 'gone with its key';
create table app.part (id int not null, k text, primary key (id, k)) partition by list (k);
create table app.part_a partition of app.part for values in ('a');
create table app.log_part (id int primary key) partition by range (id);
create table app.a_leaf partition of app.log_part for values from (0) to (1000);
create table app."Odd ""name" (id bigserial primary key);
create table app.log_plain (id bigserial primary key, a int, b int);
create statistics app.of_log on a, b from app.log_plain;
create sequence app.log_numbers;
create sequence app.numbers;
create view app.buyers as select c.id from app.customer c join app.orders o on o.customer = c.id;
create materialized view app.log_counts as select count(*) from app.log_plain;
create function app.f() returns int language sql as 'select 1';
create table audit.trail (id serial primary key, what text);
create function audit.g() returns int language sql as 'select 1';
create type audit.state as enum ('x');
insert into app.customer (name) values ('a'), ('b');
insert into app.log_day values (1, now());
insert into app.orders (customer, log) values (1, 1), (2, null);
insert into app.part values (1, 'a');
insert into app.log_part values (1);
insert into app."Odd ""name" default values;
insert into app.log_plain default values;
insert into audit.trail (what) values ('w');
select lo_from_bytea(4711, 'abc');
select nextval('app.numbers')
"#;

/// Relations and functions of users' schemas, in one line.
const EVERYTHING: &str = "select string_agg(x, ' ' order by x) from (
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname !~ '^pg_|^information_schema$|^whimbrel$'
    union all
    select n.nspname || '.' || p.proname || '()' from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('app', 'audit')
) o(x)";

async fn begun(selection: Selection) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.selection = selection;
    (source, target, driver)
}

async fn cut_over(driver: &mut Driver) {
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [
        Step::Drain,
        Step::Complete,
        Step::Sequences,
        Step::Verify,
        Step::Switch,
        Step::RemoveSource,
        Step::RemoveLedger,
    ] {
        driver
            .step(step, 1, &[], end)
            .await
            .unwrap_or_else(|failure| panic!("{step:?}: {failure:?}"));
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn without() -> Selection {
    Selection {
        exclude_schemas: texts(&["aud*"]),
        exclude_tables: texts(&["app.log*"]),
        ..Selection::default()
    }
}

#[tokio::test]
async fn what_is_left_out_stays_through_copy_stream_and_cutover() {
    let (source, target, mut driver) = begun(without()).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "insert into app.customer (name) values ('c');
         insert into app.orders (customer, log) values (3, 1);
         update app.log_plain set a = 2;
         insert into audit.trail (what) values ('later');
         create table app.log_new (id int primary key);
         insert into app.log_new values (1);
         create table app.new (id serial primary key);
         insert into app.new default values;
         alter table app.new add log int references app.log_new;
         comment on constraint new_log_fkey on app.new is 'goes with its key';
         insert into app.new (log) values (1);
         create table audit.more (id serial primary key);
         insert into audit.more default values;
         create function audit.h() returns int language sql as 'select 2';
         alter table audit.trail add at date;
         drop table app.log_plain cascade;
         drop type audit.state;
         insert into app.log_part values (2);
         create table app.part_b partition of app.part for values in ('b');
         insert into app.part values (2, 'b');
         select nextval('app.numbers')",
    )
    .await;
    cut_over(&mut driver).await;
    let there = value(&target, "shop", EVERYTHING).await;
    let wanted = r#"app.Odd "name app.Odd "name_id_seq app.buyers app.customer app.customer_id_seq app.f() app.new app.new_id_seq app.numbers app.orders app.orders_id_seq app.part app.part_a app.part_b"#;
    assert_eq!(there, wanted);
    for query in [
        "select string_agg(c::text, ' ' order by c) from app.customer c",
        "select string_agg(o::text, ' ' order by o.id) from app.orders o",
        "select string_agg(n::text, ' ' order by n.id) from app.new n",
        "select string_agg(p::text, ' ' order by p) from app.part p",
        "select last_value from app.numbers",
        "select convert_from(lo_get(4711), 'UTF8')",
    ] {
        assert_eq!(value(&source, "shop", query).await, value(&target, "shop", query).await);
    }
    let keys =
        "select string_agg(conname, ' ' order by conname) from pg_constraint where contype = 'f'";
    assert_eq!(value(&target, "shop", keys).await, "orders_customer_fkey");
    let schemas = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^pg_|^info'";
    assert_eq!(value(&target, "shop", schemas).await, "app ext public");
}

#[tokio::test]
async fn what_is_included_comes_with_what_its_schema_has() {
    let selection = Selection {
        include_schemas: texts(&["audit"]),
        include_tables: texts(&["app.Customer", "app.\"Odd \"\"name\"", "app.part*"]),
        exclude_tables: texts(&["nothing"]),
        ..Selection::default()
    };
    let (source, target, mut driver) = begun(selection).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "insert into app.customer (name) values ('c');
         insert into app.orders (customer, log) values (3, 1);
         insert into audit.trail (what) values ('later');
         create table audit.more (id serial primary key);
         insert into audit.more default values;
         create table app.other (id serial primary key);
         create table public.app (id serial primary key)",
    )
    .await;
    cut_over(&mut driver).await;
    let there = value(&target, "shop", EVERYTHING).await;
    let wanted = r#"app.Odd "name app.Odd "name_id_seq app.customer app.customer_id_seq app.f() app.part app.part_a audit.g() audit.more audit.more_id_seq audit.trail audit.trail_id_seq"#;
    assert_eq!(there, wanted);
    for query in [
        "select string_agg(c::text, ' ' order by c) from app.customer c",
        "select string_agg(t::text, ' ' order by t.id) from audit.trail t",
        "select last_value from audit.more_id_seq",
        "select string_agg(extname || extnamespace::regnamespace, ' ' order by extname) from pg_extension",
    ] {
        assert_eq!(value(&source, "shop", query).await, value(&target, "shop", query).await);
    }
    // What is in no schema stays when something is included by name.
    assert_eq!(value(&target, "shop", "select count(*) from pg_largeobject_metadata").await, "0");
}

#[tokio::test]
async fn a_table_that_is_renamed_out_of_what_is_chosen_stops_the_cutover() {
    let (source, target, mut driver) = begun(without()).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "alter table app.customer rename to log_customer;
         insert into app.log_customer (name) values ('still comes')",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let rows = "select count(*) from app.log_customer";
    assert_eq!(value(&target, "shop", rows).await, "3");
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "TableLeftSelection", "{failure:?}");
    assert!(failure.message.contains("log_customer"), "{failure:?}");
    driver.back(1).await;
    sql(&source, "shop", "alter table app.log_customer rename to customer").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    assert_eq!(value(&target, "shop", "select count(*) from app.customer").await, "3");
}

/// The schema that it has come to is not on the target, and goes again with it.
#[tokio::test]
async fn a_table_that_is_away_for_a_while_in_a_schema_that_is_not_chosen_goes_on() {
    let chosen = Selection { include_tables: texts(&["app.customer"]), ..Selection::default() };
    let (source, target, mut driver) = begun(chosen).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "create schema elsewhere;
         alter table app.customer set schema elsewhere;
         insert into elsewhere.customer (name) values ('here too')",
    )
    .await;
    let there = "select count(*) from pg_class where relnamespace = to_regnamespace('elsewhere')";
    until(&target, "shop", there).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "TableLeftSelection", "{failure:?}");
    driver.back(1).await;
    sql(&source, "shop", "alter table elsewhere.customer set schema app").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    assert_eq!(value(&target, "shop", "select count(*) from app.customer").await, "3");
    let schema = "select count(*) from pg_namespace where nspname = 'elsewhere'";
    assert_eq!(value(&target, "shop", schema).await, "0");
}

/// What it needs comes with it, and is told by nothing; its rows are copied, once.
#[tokio::test]
async fn a_table_that_comes_into_what_is_chosen_comes_with_all_its_rows() {
    for follow in [true, false] {
        let (source, target, mut driver) = begun(without()).await;
        driver.follow = follow;
        driver.begin(1, 0).await;
        driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
        sql(
            &source,
            "shop",
            "begin;
             insert into audit.trail (what) values ('before');
             alter table audit.trail set schema app;
             insert into app.trail (what) values ('after');
             commit;
             insert into app.trail (what) values ('later');
             update app.trail set what = what || '!' where id = 1;
             begin;
             insert into app.log_plain default values;
             alter table app.log_plain rename to plain;
             insert into app.plain default values;
             commit;
             update app.plain set a = 7",
        )
        .await;
        cut_over(&mut driver).await;
        for table in ["trail", "plain"] {
            let rows = format!("select string_agg(t::text, ' ' order by t) from app.{table} t");
            let there = value(&source, "shop", &rows).await;
            assert_eq!(value(&target, "shop", &rows).await, there, "{follow}");
        }
        let next = "select pg_get_serial_sequence('app.trail', 'id') || ' ' || last_value from app.trail_id_seq";
        assert_eq!(value(&target, "shop", next).await, "app.trail_id_seq 4");
    }
}

#[tokio::test]
async fn an_offline_migration_leaves_the_same_out() {
    let (_source, target, mut driver) = begun(without()).await;
    driver.online = false;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
    for step in [Step::Complete, Step::Sequences, Step::Verify, Step::Switch, Step::RemoveLedger] {
        driver.step(step, 1, &[], 0).await.unwrap();
    }
    let there = value(&target, "shop", EVERYTHING).await;
    assert!(!there.contains("log") && !there.contains("audit"), "{there}");
    let rows = "select count(*) from app.orders";
    assert_eq!(value(&target, "shop", rows).await, "2");
}

/// 10 has partitions, and no keys of partitioned tables; its catalogs have OIDs that a star does not have.
#[tokio::test]
async fn an_old_source_leaves_the_same_out() {
    let Some(programs) = cluster::programs_of(10) else {
        eprintln!("NOT TESTED: PostgreSQL 10: this machine has no server of it (tests/servers)");
        return;
    };
    let source = Arc::new(Cluster::start_of(programs, HBA, ""));
    let target = Arc::new(Cluster::start(HBA, ""));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create schema app; create schema audit;
         create table app.log_day (id int primary key);
         create table app.orders (id serial primary key, log int references app.log_day);
         create table app.part (id int, k text) partition by list (k);
         create table app.log_a partition of app.part for values in ('a');
         create table app.log_part (id int) partition by range (id);
         create table app.a_leaf partition of app.log_part for values from (0) to (1000);
         create table audit.trail (id serial primary key);
         create function audit.g() returns int language sql as 'select 1';
         insert into app.log_day values (1);
         insert into app.orders (log) values (1);
         insert into app.part values (1, 'a')",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.selection = without();
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "insert into app.orders default values;
         insert into app.part values (2, 'a');
         insert into audit.trail default values",
    )
    .await;
    cut_over(&mut driver).await;
    let there = value(&target, "shop", EVERYTHING).await;
    assert_eq!(there, "app.log_a app.orders app.orders_id_seq app.part");
    for table in ["app.orders", "app.part"] {
        let rows = format!("select count(*) from {table}");
        assert_eq!(value(&target, "shop", &rows).await, "2");
    }
}

/// Chosen by its name, it is not only no longer chosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_table_that_is_dropped_does_not_wait_for_ever() {
    let chosen = texts(&["app.customer", "app.orders"]);
    let (source, target, mut driver) =
        begun(Selection { include_tables: chosen, ..Selection::default() }).await;
    driver.follow = false;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&target, "shop", "delete from app.orders where id = 1").await;
    sql(&source, "shop", "update app.orders set log = null where id = 1").await;
    until(&target, "shop", "select count(*) from whimbrel.relation where held is not null").await;
    sql(&source, "shop", "drop table app.orders cascade").await;
    driver.kill().await;
    driver.copy_again.push(CopyAgain { number: 1, tables: Vec::new(), new_slot: false });
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "insert into app.customer (name) values ('c')").await;
    cut_over(&mut driver).await;
    let tables = "select string_agg(relname, ' ') from pg_class where relkind = 'r' and relnamespace = 'app'::regnamespace";
    assert_eq!(value(&target, "shop", tables).await, "customer");
    assert_eq!(value(&target, "shop", "select count(*) from app.customer").await, "3");
}
