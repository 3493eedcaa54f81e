//! Objects that exchange their names in one transaction, or hand them round: each keeps what it has.
use crate::{cut_over_alike, driver::sql, following_as};

/// With event triggers, and without.
async fn arrive(schema: &str, scripts: &[&str]) {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(schema, follow).await;
        for script in scripts {
            sql(&source, "shop", script).await;
        }
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_exchange_their_names_keep_their_rows() {
    arrive(
        "create table a (id serial primary key, v text unique, w int);
         create index on a (w);
         create table b (id serial primary key, v text unique, w int);
         create index on b (w);
         insert into a (v) values ('a1'), ('a2');
         insert into b (v) values ('b1');
         create table x (id int primary key, v text);
         create table y (id int primary key, n int);
         create table z (id int primary key, v text);
         insert into x values (1, 'x');
         insert into z values (1, 'z')",
        &[
            "begin;
             insert into a (v) values ('a3');
             update b set w = 7;
             alter table a rename to tmp; alter table b rename to a; alter table tmp rename to b;
             alter sequence a_id_seq rename to tmp; alter sequence b_id_seq rename to a_id_seq;
             alter sequence tmp rename to b_id_seq;
             alter index a_pkey rename to tmp; alter index b_pkey rename to a_pkey;
             alter index tmp rename to b_pkey;
             alter index a_v_key rename to tmp; alter index b_v_key rename to a_v_key;
             alter index tmp rename to b_v_key;
             alter index a_w_idx rename to tmp; alter index b_w_idx rename to a_w_idx;
             alter index tmp rename to b_w_idx;
             insert into a (v) values ('b2');
             insert into b (v) values ('a4');
             commit",
            "update a set w = 1; update b set w = 2",
            "begin;
             insert into x values (2, 'x'); insert into y values (2, 2); insert into z values (2, 'z');
             alter table x rename to tmp; alter table y rename to x; alter table z rename to y;
             alter table tmp rename to z;
             insert into x values (3, 3); insert into y values (3, 'z'); insert into z values (3, 'x');
             commit",
            "update z set v = v || '!'; delete from y where id = 1",
        ],
    )
    .await;
}

/// Nothing of theirs differs but their rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_alike_and_get_no_more_rows_keep_theirs() {
    arrive(
        "create table a (id int primary key, v text);
         create table b (id int primary key, v text);
         insert into a values (1, 'a');
         insert into b values (1, 'b')",
        &["begin;
           alter table a rename to tmp; alter table b rename to a; alter table tmp rename to b;
           alter index a_pkey rename to tmp; alter index b_pkey rename to a_pkey;
           alter index tmp rename to b_pkey;
           commit"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_and_tables_of_other_schemas_exchange_their_names() {
    arrive(
        "create schema s;
         create table p (a int primary key, v text) partition by range (a);
         create table p1 partition of p for values from (0) to (10);
         create table q (a int primary key, v text) partition by range (a);
         create table q1 partition of q for values from (0) to (10);
         insert into p values (1, 'p');
         insert into q values (1, 'q');
         create table a (id int primary key, v text);
         create table b (id int primary key, v text);
         insert into a values (1, 'a');
         insert into b values (1, 'b')",
        &[
            "begin;
             insert into p values (2, 'p');
             alter table p rename to tmp; alter table q rename to p; alter table tmp rename to q;
             alter table p1 rename to tmp; alter table q1 rename to p1; alter table tmp rename to q1;
             insert into p values (3, 'q'); insert into q values (3, 'p');
             commit",
            "begin;
             alter table a set schema s; alter table b rename to a;
             insert into a values (2, 'b'); insert into s.a values (2, 'a');
             commit",
            "begin;
             alter table s.a rename to old_a; alter table public.a set schema s;
             insert into s.a values (3, 'b'); insert into s.old_a values (3, 'a');
             commit",
        ],
    )
    .await;
}

/// With all that is in them, whether or not a row tells of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_that_exchange_their_names_keep_what_they_hold() {
    let of = |schema: &str| {
        format!(
            "create schema {schema};
             create type {schema}.kind as enum ('{schema}1', '{schema}2');
             create table {schema}.t (id serial primary key, v text unique, k {schema}.kind);
             create table {schema}.only_{schema} (id int primary key, v text);
             create table {schema}.quiet (id int primary key, v text);
             create function {schema}.f() returns text language sql as $$ select '{schema}' $$;
             create view {schema}.seen as select v from {schema}.quiet;
             insert into {schema}.t (v) values ('{schema}'); insert into {schema}.only_{schema} values (1, '{schema}');
             insert into {schema}.quiet values (1, '{schema}');"
        )
    };
    arrive(
        &["a", "b", "c"].map(of).join("\n"),
        &[
            "begin;
             insert into a.t (v) values ('a2'); insert into b.t (v) values ('b2');
             alter schema a rename to tmp; alter schema b rename to a; alter schema tmp rename to b;
             insert into a.t (v, k) values ('b3', 'b2'); insert into b.t (v, k) values ('a3', 'a2');
             insert into a.only_b values (2, 'b'); update b.only_a set v = 'a!';
             alter schema c rename to d;
             insert into d.only_c values (2, 'c');
             commit",
            "alter table a.t add w int; update a.t set w = 1; delete from b.t where v = 'a'",
        ],
    )
    .await;
    let exchange =
        "alter schema a rename to tmp; alter schema b rename to a; alter schema tmp rename to b";
    arrive(&["a", "b"].map(of).join("\n"), &[exchange]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_has_a_name_can_hand_it_on() {
    arrive(
        "create type ta as enum ('a1', 'a2');
         create type tb as enum ('b1', 'b2');
         create domain da as int check (value > 0);
         create domain db as text;
         create type ka as (a int);
         create type kb as (b text);
         create table typed (id int primary key, x ta, y tb, d da, k ka, l kb);
         insert into typed values (1, 'a1', 'b1', 1, row(1), row('x'));
         create index ia on typed (x);
         create index ib on typed (y, x);
         create view va as select 1 as x;
         create view vb as select 2 as x;
         create view vc as select 3 as y;
         create view uses as select * from va;
         create materialized view ma as select 1 as x;
         create materialized view mb as select 2 as x;
         create unique index on ma (x);
         create function f() returns int language sql as 'select 1';
         create function g() returns int language sql as 'select 2';
         create sequence sa start 100;
         create sequence sb start 200",
        &["begin;
           alter type ta rename to tmp; alter type tb rename to ta; alter type tmp rename to tb;
           alter domain da rename to tmp; alter domain db rename to da; alter domain tmp rename to db;
           alter type ka rename to tmp; alter type kb rename to ka; alter type tmp rename to kb;
           alter index ia rename to tmp; alter index ib rename to ia; alter index tmp rename to ib;
           alter view va rename to tmp; alter view vb rename to va; alter view vc rename to vb;
           alter view tmp rename to vc;
           alter materialized view ma rename to tmp; alter materialized view mb rename to ma;
           alter materialized view tmp rename to mb;
           alter function f() rename to tmp; alter function g() rename to f;
           alter function tmp() rename to g;
           alter sequence sa rename to tmp; alter sequence sb rename to sa;
           alter sequence tmp rename to sb;
           insert into typed values (2, 'a2', 'b2', 2, row(2), row('y'));
           select nextval('sa');
           commit"],
    )
    .await;
}
