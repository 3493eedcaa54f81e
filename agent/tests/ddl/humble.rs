//! A source role that may make no event triggers, and what nothing tells.
use std::{sync::Arc, time::Duration};

use whimbrel_proto::agent::v1::{Step, report::Kind};

use crate::{
    cluster::{Cluster, PASSWORD},
    cut_over_alike,
    driver::{Driver, HBA, database, moved_alike, session, sql, until, value},
    following_as, steps,
};

fn servers() -> (Arc<Cluster>, Arc<Cluster>) {
    (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")))
}

/// The triggers are asked for, and refused: the migration begins without them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_make_no_event_triggers_moves_its_database() {
    let (source, target) = servers();
    let password = PASSWORD.replace('\'', "''");
    database(&source, &format!("create role mover login replication password '{password}'")).await;
    database(&target, &format!("create role mover superuser login password '{password}'")).await;
    database(&source, "create database shop owner mover").await;
    let schema = "set role mover;\ncreate table t (id int primary key, v text);\ninsert into t values (1, 'a')";
    sql(&source, "shop", schema).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.user = "mover".into();
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "alter table t add w int default 3;\nupdate t set v = 'b'").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What no row of a table tells: it holds nothing, and a new table comes with its rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_event_trigger_tells_comes_with_the_cutover() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, v text, amount int);
         insert into t select g, 'v' || g, g from generate_series(1, 100) g;
         create type mood as enum ('sad');
         create view seen as select id from t;
         create table log (v text);
         insert into log values ('no key');
         create table numbered (id int generated always as identity primary key);
         create view logged as select * from log;
         create sequence spare",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table t add column late int not null default 7;
         alter table t add constraint positive check (amount > 0), alter v set not null;
         create index on t (v, late);
         alter type mood add value 'merry';
         create schema more;
         create table more.made (id serial primary key, t int references t, m mood default 'sad');
         insert into more.made (t) select g from generate_series(1, 50) g;
         create table more.logs (at int primary key) partition by range (at);
         create table more.first partition of more.logs for values from (0) to (10);
         insert into more.logs values (1), (2);
         create function more.twice(int) returns int language sql as 'select 2 * $1';
         create or replace view seen as select id, v from t;
         create table rewritten as select id, v from t;
         drop view logged;
         drop table log, numbered;
         drop sequence spare;
         alter table t alter amount type bigint",
    )
    .await;
    let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    assert!(notes.contains("more.made"), "{notes}");
}

/// The forms are on the target already when the next attempt begins, and the values are not: the server that makes a column
/// computes its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rewritten_untold_comes_though_the_step_is_cut_before_its_rows() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, v int);
         insert into t select g, g from generate_series(1, 100) g;
         create table same (id int primary key);
         insert into same values (1)",
        false,
    )
    .await;
    let change = "alter table t add c float8 not null default random();
                  alter table t alter v type text using md5(v::text)";
    sql(&source, "shop", change).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    // No snapshot for the copy before it ends.
    let busy = session(&source, "shop").await;
    busy.batch_execute("begin; select txid_current()").await.unwrap();
    driver.order(Step::Complete, 1, &[], end).await;
    let is_here =
        "select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'c'";
    while value(&target, "shop", is_here).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    driver.kill().await;
    busy.batch_execute("commit").await.unwrap();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// As the hold of an older attempt told a person to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_by_hand_that_no_event_trigger_told_comes_with_its_rows() {
    let (source, target, mut driver) =
        following_as("create table t (id int primary key)", false).await;
    let made = "create table made (id int primary key, v text)";
    sql(&source, "shop", &format!("{made};\ninsert into made values (1, 'one')")).await;
    sql(&target, "shop", made).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What a gone object would take along here has left it on the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_gone_without_a_word_takes_nothing_along() {
    let (source, target, mut driver) = following_as(
        "create table p (id int primary key, v text) partition by range (id);
         create table c partition of p for values from (0) to (100);
         create table gone_too partition of p for values from (100) to (200);
         insert into p select g, 'v' from generate_series(1, 199) g;
         create table parent (id int primary key, v text);
         create table heir (own int) inherits (parent);
         insert into heir values (1, 'v', 2);
         create table a (id int primary key, v text);
         create table b (id int primary key, v text);
         create view first as select id from a;
         create view second as select * from first",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table p detach partition c;
         drop table p;
         alter table heir no inherit parent;
         drop table parent;
         create or replace view first as select id from b;
         drop table a;
         insert into c values (0, 'later')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What hangs on it has another form by now, and is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_gone_without_a_word_is_in_the_way_of_nothing() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, v int);
         insert into t values (1, 5);
         create table b (id int primary key);
         create view gone as select id, v from t;
         create view kept as select id from gone",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "create or replace view kept as select id from b;
         drop view gone;
         alter table t alter v type text using md5(v::text)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The process ends at the cutover's marker, before it has copied a table that waits. Nothing behind the marker is applied, so
/// the stream can't come to where the table's form was seen.
async fn waits_at_the_marker(
    follow: bool,
    schema: &str,
) -> (Arc<Cluster>, Arc<Cluster>, Driver, u64) {
    let (source, target, mut driver) = following_as(schema, follow).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.kill().await;
    // As when the stream's last transaction has rewritten it.
    sql(&target, "shop", "update whimbrel.relation set point = null").await;
    (source, target, driver, end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_waits_at_the_marker_gets_a_form_that_nothing_tells() {
    let schema = "create table t (id int primary key, v text);\ninsert into t values (1, 'one')";
    let (source, target, mut driver, end) = waits_at_the_marker(false, schema).await;
    sql(
        &source,
        "shop",
        "create index on t (v); create extension citext; alter table t add mail citext",
    )
    .await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let left = [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch];
    steps(&mut driver, 1, end, &left).await;
    steps(&mut driver, 1, end, &[Step::RemoveSource, Step::RemoveLedger]).await;
    moved_alike(&source, &target, "shop").await;
}

/// What the stream tells behind the marker is not waited for there: the attempt is over, and the next one takes it over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_waits_at_the_marker_for_a_change_behind_it_ends_the_attempt() {
    let schema = "create table t (id int primary key, v text);\ninsert into t values (1, 'one')";
    let (source, target, mut driver, end) = waits_at_the_marker(true, schema).await;
    sql(&source, "shop", "alter table t add w int").await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    assert!(failure.message.contains("public.t"), "{failure:?}");
    driver.back(1).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// The target's own cast made other values of them, and nothing but the copy brings the source's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_rewritten_without_a_word_come_though_the_process_ends_before_their_copy() {
    let schema = "create table prices (id int primary key, net int);
                  insert into prices select g, g from generate_series(1, 100) g";
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(&source, "shop", "alter table prices alter net type bigint using net * 100").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    // The copy's snapshot waits for whoever may be writing.
    let writer = session(&source, "shop").await;
    writer.batch_execute("begin; select txid_current()").await.unwrap();
    driver.order(Step::Complete, 1, &[], end).await;
    let carried = "select atttypid = 'int8'::regtype from pg_attribute
                   where attrelid = 'prices'::regclass and attname = 'net'";
    while value(&target, "shop", carried).await == "false" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    driver.kill().await;
    writer.batch_execute("rollback").await.unwrap();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let left = [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch];
    steps(&mut driver, 1, end, &left).await;
    steps(&mut driver, 1, end, &[Step::RemoveSource, Step::RemoveLedger]).await;
    moved_alike(&source, &target, "shop").await;
}

/// A table that is published already, and that the stream itself tells by its first row: its sequence is told by nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_table_that_its_own_rows_tell_comes_with_what_it_needs() {
    let schema = "create table t (id int primary key, v text);\ninsert into t values (1, 'one')";
    let (source, target, mut driver) = following_as(schema, false).await;
    driver.kill().await;
    sql(
        &source,
        "shop",
        "create schema more;
         create type more.mood as enum ('sad', 'merry');
         create type more.span as range (subtype = more.mood);
         create sequence spare;
         create domain more.few as more.mood[] check (cardinality(value) < 3);
         create type more.\"Pair\" as (m more.few, n numeric(7, 2));
         create table more.made (
             id serial primary key, n bigint default nextval('spare'), m more.mood, p more.\"Pair\"[],
             r more.span);
         create table more.logs (at int primary key) partition by range (at);
         create table more.first partition of more.logs for values from (0) to (10)",
    )
    .await;
    // What is copied again is published before, and all that is new with it.
    sql(&target, "shop", "update whimbrel.relation set point = null").await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "insert into more.made (m, p, r) select 'sad', array[row(array['merry'], 1.5)::more.\"Pair\"], more.span('sad', 'merry')
         from generate_series(1, 50);
         insert into more.logs values (1), (2);
         update t set v = 'changed'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Nor is anything told of what its new form is made of, and its changes are left out until it is copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_waits_for_its_rows_gets_what_its_new_form_needs() {
    let schema = "create table t (id int primary key, v text);
                  insert into t values (1, 'one');
                  create type mood as enum ('sad')";
    let (source, target, mut driver) = following_as(schema, false).await;
    driver.kill().await;
    sql(&target, "shop", "update whimbrel.relation set point = null").await;
    sql(
        &source,
        "shop",
        "create sequence spare;
         create schema more;
         create function more.f() returns int language sql as 'select 1';
         alter type mood add value 'merry';
         alter table t add n int default nextval('spare'), add f int default more.f()",
    )
    .await;
    sql(&source, "shop", "alter table t add m mood default 'merry'").await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "insert into t (id, v) values (2, 'two')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Under another name, new with its column, of no table any more: the sequences of defaults, with and without rows that come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_nothing_tells_come_with_their_tables() {
    let (source, target, mut driver) = following_as(
        "create table a (id serial primary key, v text); create table b (id serial primary key, v text);
         create table c (id serial primary key, v text); create table d (id serial primary key, v text)",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter sequence a_id_seq rename to a_numbers;
         alter table a add w int;
         insert into a (v) values ('a');
         alter table b add n serial;
         insert into b (v) values ('b');
         alter sequence c_id_seq owned by none;
         alter sequence d_id_seq rename to d_numbers;
         alter table d add n serial",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    let owned = "select string_agg(concat_ws(' ', c.relname, d.refobjid::regclass, d.refobjsubid), ',' order by c.relname)
        from pg_class c left join pg_depend d on d.objid = c.oid and d.deptype = 'a' where c.relkind = 'S'";
    assert_eq!(value(&target, "shop", owned).await, value(&source, "shop", owned).await);
}

/// As those, of a table that is copied again, for it was rewritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_nothing_tells_come_with_a_table_that_is_copied_again() {
    let schema = "create table a (id serial primary key, v int); insert into a (v) select generate_series(1, 9)";
    let (source, target, mut driver) = following_as(schema, false).await;
    driver.kill().await;
    let change = "alter sequence a_id_seq rename to numbers;
        alter table a add n serial;
        alter table a alter v type text;
        insert into a (v) values ('new')";
    sql(&source, "shop", change).await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// As procrastinate's migrations do: the type makes the index anew, and it has a foreign key's name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_a_foreign_keys_name_is_made_anew_under_another() {
    let (source, target, mut driver) = following_as(
        "create table job (id bigint primary key);
         create table event (id int primary key, job int, constraint of_job foreign key (job) references job);
         create index of_job on event (job);
         insert into job values (1); insert into event values (1, 1)",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table event alter job type bigint;
         alter index of_job rename to by_job;
         insert into event values (2, 1)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// As penpot's migrations do: a plain table takes a partitioned one's name and place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partitioned_table_is_gone_with_its_partitions_and_another_has_its_name() {
    let (source, target, mut driver) = following_as(
        "create table task (id int, status text, primary key (id, status)) partition by list (status);
         create table task_done partition of task for values in ('done') partition by range (id);
         create table task_done_few partition of task_done for values from (0) to (100);
         create table task_rest partition of task default;
         insert into task select g, case when g % 2 = 0 then 'new' else 'done' end from generate_series(1, 20) g;
         create table kept (id int primary key)",
        false,
    )
    .await;
    driver.kill().await;
    // A look of ours published it while it had its first name.
    sql(
        &source,
        "shop",
        "create table new_task (like task including all);
         alter publication whimbrel_test_shop add table new_task;
         insert into new_task select * from task;
         alter table task rename to old_task;
         alter table new_task rename to task;
         alter table old_task detach partition task_rest;
         drop table old_task;
         update task set status = 'late' where id < 5;
         insert into kept values (1)",
    )
    .await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What a view selects is read under a lock on all that it reads. Waiting for one of those, a read must not keep another one from the
/// application's transaction: PostgreSQL would end that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_the_catalog_ends_no_transaction_of_the_application() {
    let (source, target, mut driver) = following_as(
        "create table a (id int primary key); create view of_a as select * from a;
         create table b (id int primary key); create view of_b as select * from b;
         create table kin (id int);
         create table z (primary key (id)) inherits (kin)",
        false,
    )
    .await;
    let app = session(&source, "shop").await;
    app.batch_execute("begin; alter table b add column n int").await.unwrap();
    // It is told by the row, and everything is read, for it has a parent.
    sql(&source, "shop", "alter table z add column n int; insert into z values (1, 1)").await;
    let waits = "select count(*) from pg_stat_activity
        where application_name like 'whimbrel/structure %' and wait_event_type = 'Lock'";
    until(&source, "shop", waits).await;
    // Whoever has waited for less (deadlock_timeout) would be the one that is ended.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    app.batch_execute("alter table a add column n int; commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
