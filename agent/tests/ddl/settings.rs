//! What is set on objects and stands in a dump inside their own entries: no entry of its own brings it.
use super::{cut_over_alike, following};
use crate::driver::{sql, value};

const SCHEMA: &str = "
    create table shut (id int primary key, v text, w text);
    create table opened (id int primary key, v text);
    create table \"order\" (id int primary key, v text);
    alter table opened enable row level security, force row level security;
    alter table opened alter v set compression pglz, alter v set (n_distinct = 7), cluster on opened_pkey;
    create index on shut ((lower(v)));
    create view shown as select id, v from shut;
    create materialized view kept as select id, v, w from shut;
    create sequence numbers;
    insert into shut select g, g from generate_series(1, 20) g;
    insert into opened select g, g from generate_series(1, 20) g";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_on_objects_inside_their_entries_of_a_dump_arrives() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "alter table shut enable row level security, force row level security;
         create policy p on shut to reader using (id > 5);
         alter table shut alter v set compression pglz, alter w set (n_distinct = -0.5), cluster on shut_pkey;
         alter index shut_lower_idx alter column 1 set statistics 300;
         alter view shown alter column v set default 'shown';
         alter materialized view kept alter column v set statistics 50, alter column w set storage external;
         alter sequence numbers set unlogged;
         alter table opened no force row level security;
         -- A name that is a keyword.
         alter table \"order\" force row level security;
         alter table opened alter v set compression default, alter v reset (n_distinct), set without cluster;
         create table fresh (id int primary key, v text compression pglz);
         alter table fresh force row level security;
         insert into fresh values (1, 'x');
         insert into shut values (21, 21)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A place is given on the way, where it costs no downtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_indexes_go_to_their_tablespaces() {
    let (source, target, mut driver) = following(SCHEMA).await;
    for cluster in [&source, &target] {
        sql(
            cluster,
            "shop",
            "set allow_in_place_tablespaces = on;
             create tablespace fast location '';
             create access method pile type table handler heap_tableam_handler",
        )
        .await;
    }
    sql(
        &source,
        "shop",
        "alter table shut set tablespace fast;
         alter index shut_lower_idx set tablespace fast;
         create table fresh (id int primary key) tablespace fast;
         insert into fresh values (1);
         create table piled (id int primary key) using pile;
         alter table opened set access method pile;
         insert into piled values (1);
         insert into opened values (21, 'v')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_depends_on_an_extension_does_so_here() {
    let schema = "
        create extension hstore;
        create function f() returns int language sql as 'select 1';
        create function g(\"order\" text) returns int language sql as 'select 1';
        create function freed() returns int language sql as 'select 1';
        alter function freed() depends on extension hstore;
        create function again() returns int language sql as 'select 1';
        alter function again() depends on extension hstore;
        create function react() returns trigger language plpgsql as 'begin return new; end';
        create table t (id int primary key, v int);
        create index ti on t (v);
        create trigger react before insert on t for each row execute function react();
        create materialized view m as select 1 as one";
    let (source, target, mut driver) = following(schema).await;
    sql(
        &source,
        "shop",
        "alter function f() depends on extension hstore;
         alter function g(text) depends on extension hstore;
         alter function freed() no depends on extension hstore;
         drop function again();
         create function again() returns int language sql as 'select 1';
         alter function again() depends on extension hstore;
         alter index ti depends on extension hstore;
         alter index t_pkey depends on extension hstore;
         alter trigger react on t depends on extension hstore;
         alter materialized view m depends on extension hstore;
         create procedure fresh(int) language sql as 'select 1';
         alter procedure fresh(int) depends on extension hstore",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The server writes definitions as its session reads literals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_with_backslashes_come_from_a_database_that_reads_them_as_escapes() {
    let (source, target, mut driver) = following(
        r"create table t (id int primary key, code text check (code ~ '^\d+$'), v text default 'a\b');
          create view v as select id from t where code like 'a\_%';
          create index on t ((replace(v, '\', '/')));
          comment on table t is 'a\b';
          insert into t values (1, '12');
          alter database shop set standard_conforming_strings = off",
    )
    .await;
    sql(
        &source,
        "shop",
        "create view w as select * from v; alter table t add x text default E'\\\\'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    let defined = "select string_agg(md5(pg_get_viewdef(c.oid)), ' ' order by relname) from pg_class c where relname in ('v', 'w')";
    assert_eq!(value(&target, "shop", defined).await, value(&source, "shop", defined).await);
}
