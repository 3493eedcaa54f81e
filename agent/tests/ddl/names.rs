//! Objects that exchange their names in one transaction, or hand them round: each keeps what it has.
use crate::{cut_over_alike, driver::sql, following_as};

/// With event triggers, and without.
async fn arrive(schema: &str, scripts: &[&str]) {
    arrive_telling(schema, scripts).await;
}

/// What the cutover without them tells.
async fn arrive_telling(schema: &str, scripts: &[&str]) -> String {
    let mut notes = String::new();
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(schema, follow).await;
        for script in scripts {
            sql(&source, "shop", script).await;
        }
        notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    }
    notes
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

/// Two columns of one type that exchange their names are told by nothing but their places in the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_exchange_their_names_or_hand_them_on_keep_their_values() {
    let table = |name: &str| {
        format!(
            "create table {name} (id int primary key, a text, b text, c text);
             insert into {name} select g, 'a' || g, 'b' || g, 'c' || g from generate_series(1, 3) g"
        )
    };
    let tables = ["told", "late", "ring", "chain", "quiet", "alone", "anew"].map(table);
    let swap = |name: &str| {
        format!(
            "alter table {name} rename a to tmp; alter table {name} rename b to a; alter table {name} rename tmp to b"
        )
    };
    let notes = arrive_telling(
        &tables.join(";\n"),
        &[
            &format!("begin; update told set a = 'old' where id = 1; {};
                      update told set a = 'new' where id = 2; insert into told values (4, 'b4', 'a4', 'c4'); commit",
                     swap("told")),
            &format!("{}; insert into late values (4, 'b4', 'a4', 'c4')", swap("late")),
            &format!("{};\nupdate late set b = 'swapped back' where id = 1", swap("late")),
            "alter table ring rename a to tmp; alter table ring rename c to a; alter table ring rename b to c;
             alter table ring rename tmp to b; update ring set a = 'A', b = 'B', c = 'C' where id = 2",
            "alter table chain rename c to d; alter table chain rename b to c; alter table chain rename a to b;
             alter table chain add a text default 'more'; update chain set a = 'A', b = 'B', d = 'D' where id = 2",
            &swap("quiet"),
            "alter table alone rename c to d; alter table alone rename b to c",
            &format!("{}; alter table anew drop a; alter table anew add a text; update anew set b = 'B' where id = 2",
                     swap("anew")),
        ],
    )
    .await;
    // Nothing has left its column, but where one was made anew.
    let copied = notes.split_once("were copied: ").map_or("", |(_, tables)| tables);
    let copied = copied.split(';').next().unwrap_or_default();
    for name in ["quiet", "alone"] {
        assert!(!copied.contains(&format!("public.{name}")), "{notes}");
    }
}

/// Of one table, one domain, one type: with the cutover, and with a row that comes before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_exchange_their_names_or_hand_them_on_are_what_they_were() {
    let table = |name: &str| {
        format!(
            "create table {name} (id int, v int, w int, constraint {name}_one check (v > 1),
                 constraint {name}_two check (v > 2), constraint {name}_three check (v > 3),
                 constraint {name}_v unique (v), constraint {name}_w unique (w), constraint {name}_pkey primary key (id));
             create index {name}_old on {name} (v, w);
             create index {name}_new on {name} (w, v);
             insert into {name} values (1, 10, 20)"
        )
    };
    let change = |name: &str| {
        let rename = |what: &str, from: &str, to: &str| {
            format!("alter table {name} rename constraint {name}_{from} to {name}_{to};")
                .replace("table", what)
        };
        let index =
            |from: &str, to: &str| format!("alter index {name}_{from} rename to {name}_{to};");
        [
            rename("table", "one", "tmp"),
            rename("table", "two", "one"),
            rename("table", "tmp", "two"),
            rename("table", "three", "four"),
            index("v", "tmp"),
            index("w", "v"),
            index("old", "w"),
            index("new", "old"),
            index("tmp", "new"),
            index("pkey", "key"),
        ]
        .concat()
    };
    let schema = [
        table("quiet"),
        table("told"),
        "create domain d as int constraint one check (value > 1) constraint two check (value > 2)"
            .into(),
        "create type pair as (x text, y text, z text)".into(),
        "create table pairs (id int primary key, p pair)".into(),
        "insert into pairs values (1, row('x', 'y', 'z'))".into(),
    ];
    let attributes =
        "alter type pair rename attribute x to tmp; alter type pair rename attribute y to x;
         alter type pair rename attribute tmp to y; insert into pairs values (2, row('y', 'x', 'z'))";
    let domain = "alter domain d rename constraint two to three; alter domain d rename constraint one to two";
    let told = format!(
        "{} alter table told add more text; insert into told values (2, 30, 40, 'more')",
        change("told")
    );
    arrive(&schema.join(";\n"), &[&change("quiet"), &told, attributes, domain]).await;
}

/// An heir's columns are renamed with its parent's, in the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_parents_exchange_their_names_in_their_heirs_too() {
    arrive(
        "create table p (id int primary key, a text, b text default 'of b') partition by range (id);
         create table p1 partition of p for values from (0) to (10);
         create table p2 partition of p for values from (10) to (20);
         insert into p values (1, 'a', 'b'), (11, 'a', 'b');
         create table q (id int primary key, a text, b text not null);
         create table heir (own text, primary key (id)) inherits (q);
         insert into q values (1, 'a', 'b');
         insert into heir values (1, 'a', 'b', 'own')",
        &[
            "alter table p rename a to tmp; alter table p rename b to a; alter table p rename tmp to b;
             insert into p values (2, 'b', 'a'), (12, 'b', 'a')",
            "alter table q rename a to tmp; alter table q rename b to a; alter table q rename tmp to b;
             update heir set b = 'new'; update only q set a = 'new'",
        ],
    )
    .await;
}

/// What is taken away from what has been renamed, and of two things with one name in two schemas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_from_a_renamed_object_goes_here() {
    arrive(
        "create schema s1; create schema s2; create schema away;
         create table s1.big (id serial primary key, x int, y int);
         create table s1.o (id int primary key, v int constraint positive check (v > 0));
         create table s1.t (id int primary key); create table s2.t (id int primary key);
         create table s2.goes (id int primary key);
         create statistics s1.bigst (dependencies) on x, y from s1.big;
         create collation s1.col (locale = 'C');
         create operator s1.=== (leftarg = int, rightarg = int, function = int4eq);
         create aggregate s1.total(int) (sfunc = int4pl, stype = int);
         comment on schema s1 is 'schema'; comment on table s1.big is 'big';
         comment on column s1.big.x is 'column'; comment on constraint positive on s1.o is 'positive';
         comment on table s1.o is 'o'; comment on column s1.o.v is 'v';
         comment on table s1.t is 'one'; comment on table s2.t is 'two';
         comment on table s2.goes is 'goes'; comment on column s2.goes.id is 'goes'",
        &[
        "alter schema s1 rename to core; alter table core.o rename to p; alter table s2.goes set schema away",
        "drop statistics core.bigst; drop collation core.col; drop operator core.=== (int, int);
         drop aggregate core.total(int);
         comment on schema core is null; comment on table core.big is null;
         comment on column core.big.x is null; comment on constraint positive on core.p is null;
         comment on table core.p is null; comment on table core.t is null;
         comment on table away.goes is null; comment on column away.goes.id is null",
        "insert into core.big (x, y) values (1, 2); insert into core.p values (1, 1)",
        ],
    )
    .await;
}
