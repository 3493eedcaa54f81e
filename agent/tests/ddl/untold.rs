//! What needs what, and what is gone, where no event trigger tells it.
use whimbrel_proto::agent::v1::report::Kind;

use crate::{
    again::copy_again,
    cut_over_alike,
    driver::{session, sql},
    following_as,
};

const SCHEMA: &str = "create table t (id int primary key, v text);
                      insert into t values (1, 'one');
                      create type mode as enum ('a', 'b');
                      create table modes (id int primary key, m mode);
                      insert into modes values (1, 'a')";

/// Each script is run while the stream flows, one after the other; then the cutover is made.
async fn arrive(schema: &str, scripts: &[&str]) {
    let (source, target, mut driver) = following_as(schema, false).await;
    for script in scripts {
        sql(&source, "shop", script).await;
    }
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_of_a_known_table_may_have_a_new_type() {
    arrive(
        SCHEMA,
        &[
            "create type ui as enum ('V0', 'V1'); alter table t add u ui not null default 'V0'",
            "insert into t values (2, 'two', 'V1')",
            "create domain few as int check (value < 10);
             create function least_of() returns int language sql immutable as 'select 3';
             alter table t add f few default least_of()",
            "insert into t values (3, 'three', 'V0')",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_of_an_enum_come_before_they_are_used() {
    arrive(
        SCHEMA,
        &[
            "alter type mode rename value 'a' to 'A'",
            "alter table t add m mode default 'A'",
            "insert into t values (2, 'two', 'b')",
            "alter type mode add value 'c' before 'b'",
            "insert into modes values (2, 'c'); update modes set m = 'c' where id = 1",
            "alter type mode add value 'd'",
            "create table more (id int primary key, m mode default 'd'); insert into more values (1)",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_extension_comes_with_what_uses_it() {
    arrive(
        SCHEMA,
        &[
            "begin;
             create extension pg_trgm; create index on t using gin (v gin_trgm_ops);
             create extension citext; create table u (email citext primary key);
             insert into u values ('A');
             commit",
            "alter table t add mail citext",
            "insert into t values (2, 'two', 'x')",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_row_types_that_are_new_or_renamed_arrive() {
    arrive(
        SCHEMA,
        &["begin;
           create table jobs (id int primary key, v text);
           insert into jobs values (1, 'job');
           create function job(a int) returns setof jobs language sql as 'select * from jobs where id = a';
           alter table t rename to tt;
           create function f(a int) returns setof tt language sql as 'select * from tt where id = a';
           create view seen as select job(1);
           commit"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_of_every_kind_goes() {
    arrive(
        "create table t (id int primary key, v text);
         create function f(a int) returns int language sql as 'select 1';
         create procedure p(a int) language sql as 'select 1';
         create type mood as enum ('sad');
         create domain few as int;
         create type pair as (a int, b int);
         create schema old; create table old.t (id int primary key, m mood);
         create extension citext;
         create table mails (id int primary key, mail citext)",
        &["drop function f(int); create function f(a int, b int) returns text language sql as $$select 'x'$$;
           drop procedure p(int);
           drop schema old cascade; drop type mood; drop domain few; drop type pair;
           drop table mails; drop extension citext"],
    )
    .await;
}

/// What is there under their names is what they took the place of, made by no person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_and_made_anew_under_its_name_arrives() {
    arrive(
        "create table s (a serial, b text);
         create type ty as enum ('a'); create table e (x ty);
         create domain dd as int; create table h (x dd);
         create schema again; create table again.t (id int primary key);
         create function f(a int) returns int language sql as 'select 1';
         create sequence alone",
        &["drop table s; create table s (a serial, b text); insert into s (b) values ('x');
           drop table e; drop type ty; create type ty as enum ('b'); create table e (x ty);
           insert into e values ('b');
           drop table h; drop domain dd; create domain dd as int check (value > 0); create table h (x dd);
           insert into h values (7);
           drop schema again cascade; create schema again; create table again.u (id int primary key);
           insert into again.u values (1);
           drop function f(int); create function f(a int) returns text language sql as $$select 'x'$$;
           drop sequence alone; create sequence alone increment 5; select nextval('alone')"],
    )
    .await;
}

/// Kinds that only a dump tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_structure_is_kept_of_goes_too() {
    arrive(
        "create table t (id int primary key, v text);
         create collation co (locale = 'C'); create table c (id int primary key, v text collate co);
         create aggregate total(int) (sfunc = int4pl, stype = int);
         create operator === (leftarg = int, rightarg = int, function = int4eq);
         create text search configuration ts (copy = simple);
         create statistics st on id, v from t;
         create type pair as (a int, b int);
         create function of(pair) returns text language sql immutable as 'select 1::text';
         create cast (pair as text) with function of(pair)",
        &["drop table c; drop collation co; drop aggregate total(int); drop operator === (int, int);
           drop text search configuration ts; drop statistics st; drop cast (pair as text);
           create table other (id int primary key)"],
    )
    .await;
}

/// The stream tells the partition, and the column came by its parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_a_table_by_its_parent_arrives() {
    arrive(
        "create table p (id int primary key, v int not null) partition by range (id);
         create table p1 partition of p for values from (0) to (10);
         create table p2 partition of p for values from (10) to (20);
         create table first (id int primary key);
         create table h (id int primary key, v int not null); create table h1 (primary key (id)) inherits (h);
         insert into p values (1, 1), (11, 11); insert into h values (1, 1); insert into h1 values (2, 2)",
        &[
            "alter table p add label text not null default 'x'; create index on p (label)",
            "insert into p values (2, 2, 'y')",
            "alter table p alter v type bigint; alter table h alter v type bigint; alter table h add w int default 7",
            "insert into p values (3, 3, 'z'); insert into h1 values (3, 3, 3); update p set v = 4 where id = 11",
            "alter table h rename w to old_w; alter table h add x int not null default 1;
             create table h2 (primary key (id)) inherits (h)",
            "create table p3 partition of p for values from (20) to (30); alter table first add v int",
            "insert into first values (1, 1)",
            "insert into h2 values (4, 4, 4, 4); insert into p values (21, 21, 'n')",
        ],
    )
    .await;
}

/// What rows must fit is another thing by then than when they came: older and newer than the form that is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_fit_what_nothing_told_arrive() {
    arrive(
        "create table filled (id int primary key, v text); insert into filled values (1, 'a'), (2, 'b');
         create table freed (id int primary key, v int not null check (v > 0)); insert into freed values (1, 1);
         create table keyed (id int primary key, p int not null); insert into keyed values (1, 1)",
        &[
            "alter table filled add w int; insert into filled values (3, 'c');
             update filled set w = id; alter table filled alter w set not null; alter table filled add check (w > 0);
             alter table freed drop constraint freed_v_check; alter table freed alter v drop not null;
             alter table keyed drop constraint keyed_pkey; alter table keyed add primary key (id, p)",
            "insert into freed values (2, null), (3, -1); insert into keyed values (1, 2)",
            "update freed set v = 5 where id = 2; update keyed set p = 3 where p = 2; update filled set v = 'z' where id = 1",
        ],
    )
    .await;
}

/// A table that has another's name by now: that one has a third's, or is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_another_tables_is_free_by_then() {
    arrive(
        "create table counts (id serial primary key, n int not null); insert into counts (n) values (1);
         create table live (id int primary key, v text); insert into live values (1, 'old');
         create table coming (id int primary key, v text, w int); insert into coming values (1, 'new', 1);
         create table first (id int primary key)",
        &[
            "drop table counts; create table counts (id serial primary key, n text not null);
             alter table live rename to past; alter table coming rename to live;
             alter table first add v int",
            "insert into live values (2, 'new', 2); insert into first values (1, 1)",
            "insert into counts (n) values ('a'); insert into past values (2, 'old'); insert into first values (2, 2)",
        ],
    )
    .await;
}

/// Nothing tells how the values came out of the older ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_takes_a_type_that_has_no_cast() {
    arrive(
        "create table t (id int primary key, at time); insert into t values (1, '10:00');
         create table quiet (id int primary key, at time); insert into quiet values (1, '10:00');
         create table waiting (id int, at time, primary key (id)) partition by range (id);
         create table waiting1 partition of waiting for values from (0) to (10); insert into waiting values (1, '10:00')",
        &[
            "alter table t alter at type timestamp using '2020-01-01'::date + at;
             alter table quiet alter at type timestamp using '2020-01-01'::date + at;
             alter table waiting alter at type timestamp using '2020-01-01'::date + at;
             alter table waiting rename at to since",
            "insert into t values (2, '2021-01-01'); insert into waiting values (2, '2021-01-01')",
            "alter table waiting alter since type text; alter table waiting add n int default 3; update waiting set n = 4",
        ],
    )
    .await;
}

/// What is on the first column of that name is on the second one by then, in the same words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_on_a_column_that_was_made_anew_under_its_name_arrives() {
    arrive(
        "create table t (id uuid primary key, v int); create index of_id on t (id, v);
         insert into t select gen_random_uuid(), g from generate_series(1, 3) g",
        &[
            "alter table t add id_text text; update t set id_text = id::text; alter table t drop constraint t_pkey;
             alter table t drop column id; alter table t rename id_text to id; alter table t add primary key (id);
             create index of_id on t (id, v)",
            "insert into t (id, v) values ('x', 4)",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_was_made_anew_under_its_name_arrives_with_what_uses_it() {
    arrive(
        "create type kind as enum ('a'); create table t (id int primary key, type kind, w int); insert into t values (1, 'a', 1);
         create table u (id int primary key, k kind default 'a'); insert into u values (1);
         create type state as enum ('on', 'off'); create table s (id int primary key, state state default 'on', v text);
         create table quiet (id int primary key, state state default 'on', states state[], v text);
         insert into s values (1, 'off'); insert into quiet values (1, 'off', '{on,off}')",
        &[
            "create type state_new as enum ('on', 'gone'); alter table s alter state drop default;
             alter table s alter state type state_new using 'on'::state_new; alter table quiet alter state drop default;
             alter table quiet alter state type state_new using 'gone'::state_new,
                 alter states type state_new[] using '{on}'::state_new[];
             alter type state rename to state_old; alter type state_new rename to state; drop type state_old;
             alter table s alter state set default 'gone'",
            "insert into s values (2, 'gone')",
            "alter table t rename type to name; alter table t alter name type text; alter table u drop column k;
             drop type kind; create type kind as enum ('b', 'c');
             alter table t add type kind not null default 'b'; alter table u add k kind default 'c'",
            "insert into t values (2, 'x', 2, 'c'); insert into u values (2, 'b')",
        ],
    )
    .await;
}

/// An index of the older column bears another name, and its name is that of an index that is alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_taken_the_names_of_a_column_and_its_index_arrives() {
    arrive(
        "create table t (id int primary key, up int, n serial); create index up_of_t on t (up);
         alter table t add constraint known unique (up); insert into t values (1, 1)",
        &[
            "alter table t rename up to up_old; alter table t add up bigint; alter index up_of_t rename to up_old_of_t;
             create index up_of_t on t (up); alter table t rename constraint known to known_old;
             alter table t add constraint known unique (up);
             alter table t alter n drop default; alter table t alter n type text; drop sequence t_n_seq",
            "insert into t values (2, 2, 'x', 2)",
        ],
    )
    .await;
}

/// It leaves its parent for that, and joins another that has the parent's name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_with_another_key_arrives() {
    arrive(
        "create type part as enum ('X', 'Y');
         create table m (id int not null, p part not null) partition by list (p);
         create table x partition of m for values in ('X'); alter table x add primary key (id);
         insert into m values (1, 'X')",
        &[
            "alter table m detach partition x; drop table m; alter table x drop column p;
             alter table x add column p text not null default 'X';
             create table m (id int not null, p text not null) partition by list (p);
             alter table x alter p drop default; alter table x add constraint p_check check (p = 'X');
             alter table m attach partition x for values in ('X')",
            "insert into m values (2, 'X')",
        ],
    )
    .await;
}

/// The drop of a table takes along what it owns: here that is another's by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_outlives_the_table_that_owned_it() {
    arrive(
        "create table a (id serial primary key, v text);
         create table b (id int primary key, v text);
         create table c (id serial primary key);
         create table d (id serial primary key, v text);
         create table e (id int primary key, v text);
         create sequence loose",
        &[
            "begin;
             alter sequence a_id_seq owned by b.id;
             alter table b alter id set default nextval('a_id_seq');
             drop table a;
             alter table b rename to a;
             insert into a (v) values ('b');
             commit",
            "begin;
             alter sequence c_id_seq owned by none;
             drop table c;
             create table n (id int primary key default nextval('c_id_seq'));
             alter sequence c_id_seq owned by n.id;
             insert into n default values;
             commit",
            "alter table e alter id set default nextval('d_id_seq');
             alter sequence d_id_seq owned by e.id;
             insert into e (v) values ('e');
             drop table d",
            "alter sequence loose owned by e.id",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_that_was_made_anew_is_the_sources() {
    arrive(
        "create table i (id int generated always as identity primary key, v text);
         insert into i (v) values ('x'), ('y')",
        &[
            "alter table i alter id drop identity; insert into i values (10, 'z')",
            "alter table i alter id add generated by default as identity (start 500 increment 5);
             insert into i (v) values ('w')",
        ],
    )
    .await;
}

/// Made again in the same words, an index tells a table's rows apart no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_identity_goes_with_its_index() {
    arrive(
        "create table r (id int not null, v text);
         create unique index r_id on r (id);
         alter table r replica identity using index r_id;
         create table k (id int not null constraint k_key unique, w int);
         alter table k cluster on k_key;
         alter table k replica identity using index k_key",
        &[
            "drop index r_id; create unique index r_id on r (id); insert into r values (2, 'b')",
            "alter table k drop constraint k_key; alter table k add constraint k_key unique (id);
             insert into k values (2, 2)",
        ],
    )
    .await;
}

/// A serial's and an identity's sequence go with it, renamed or not; one that was released before does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_goes_to_another_schema_with_its_sequences() {
    let (source, target, mut driver) = following_as(
        "create schema s2;
         create table t (id bigserial primary key, i int generated by default as identity, a int);
         create table renamed (like t); alter table renamed add s serial, add i2 int generated always as identity;
         create table left_behind (id serial primary key, a int);
         create table stays (id serial primary key, a int);
         insert into t (a) select generate_series(1, 30);
         insert into left_behind (a) select generate_series(1, 30);
         insert into stays (a) select generate_series(1, 30)",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table t set schema s2;
         update s2.t set a = 2 where id = 1;
         alter sequence renamed_s_seq rename to its_own; alter table renamed rename to changed;
         alter table changed set schema s2; alter sequence s2.renamed_i2_seq rename to counts;
         insert into s2.changed (id, i) values (1, 1);
         alter sequence left_behind_id_seq owned by none; alter table left_behind set schema s2;
         update s2.left_behind set a = 2 where id = 1;
         alter sequence stays_id_seq owned by none; alter sequence stays_id_seq set schema s2;
         update stays set a = 2 where id = 1;
         insert into stays default values",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Only a row of the heir tells of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_gets_a_column_with_a_sequence_of_its_own() {
    let (source, target, mut driver) = following_as(
        "create table parent (id int primary key, note text);
         create table heir (extra int, primary key (id)) inherits (parent);
         create table p (id int primary key) partition by range (id);
         create table p1 partition of p for values from (0) to (100);
         insert into heir select g, 'c', g from generate_series(1, 20) g",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table parent add column counted serial;
         insert into heir values (30);
         alter table p add column counted serial;
         insert into p values (1)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The stream tells a value by its label alone, and not which one bears it by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enums_label_may_be_handed_on() {
    let hand_on = "alter type mode rename value 'a' to 'was_a';
         alter type mode rename value 'b' to 'a';
         insert into modes values (2, 'a')";
    arrive(SCHEMA, &[hand_on]).await;
    let tell = "insert into modes values (3, 'was_a');
         update modes set m = 'a' where id = 1";
    arrive(SCHEMA, &[hand_on, tell]).await;
}

/// Values of a type that had other attributes when they were written. The fault is theirs, whatever comes behind them in one group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_a_form_that_is_over_holds_its_table_alone() {
    let (source, target, mut driver) = following_as(
        "create schema s1; create type s1.addr as (street text, zip text);
         create table s1.u (id int primary key, a s1.addr);
         insert into s1.u select g, row('s', 'z')::s1.addr from generate_series(1, 5) g",
        false,
    )
    .await;
    // All of it is there before any is applied.
    let locked = session(&target, "shop").await;
    locked.batch_execute("begin; lock table s1.u in access exclusive mode").await.unwrap();
    for script in [
        "alter type s1.addr add attribute country text cascade",
        "update s1.u set a = row('q', '1', 'DE')::s1.addr where id = 1",
        "alter type s1.addr drop attribute country cascade",
        "update s1.u set a = row('t', '1')::s1.addr where id = 2",
        "alter schema s1 rename to core",
        "update core.u set a = row('t', '2')::core.addr where id = 3",
    ] {
        sql(&source, "shop", script).await;
    }
    locked.batch_execute("commit").await.unwrap();
    let report = driver.wait(|kind| matches!(kind, Kind::TableHeld(_))).await;
    let Some(Kind::TableHeld(held)) = report.kind else { panic!("not a held table") };
    assert!(held.table.ends_with(".u"), "{held:?}");
    copy_again(&mut driver, 1, &["core.u"]).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}
