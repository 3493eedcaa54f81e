//! Changes of the source's schema that come at a bad moment: behind a cutover's marker, and there and back while tables are
//! copied.
use std::sync::Arc;

use whimbrel_proto::agent::v1::{CopyLimits, Step, report::Kind};

use super::{
    cluster::Cluster,
    cut_over_alike,
    driver::{Driver, HBA, database, session, sql, until},
    following, following_as,
};

/// A table that the application makes anew while a cutover runs: the attempt took the new one from the catalog, and the
/// stream, once it went on, dropped that by its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_anew_behind_the_marker_is_there_in_the_end() {
    let (source, target, mut driver) = following(
        "create table x (id int primary key, v text); insert into x select g, 'old' from generate_series(1, 100) g;
         create table y (id int primary key, v text); insert into y select * from x;
         create table z (id int primary key, v text); insert into z select * from x",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    sql(
        &source,
        "shop",
        "drop table x; create table x (id int primary key, v text); insert into x select g, 'new' from generate_series(1, 9) g",
    )
    .await;
    for statement in [
        "drop table y",
        "create table y (id int primary key, v text, w int)",
        "insert into y values (1, 'new')",
        "create table z2 (like z including all); insert into z2 values (1, 'new'); drop table z; alter table z2 rename to z",
        "create table made (id int primary key); insert into made values (1); drop table made",
        "create table made (id int primary key); insert into made values (2)",
    ] {
        sql(&source, "shop", statement).await;
    }
    let mut failure = None;
    for step in [Step::Complete, Step::Sequences, Step::Verify] {
        failure = driver.step(step, 1, &[], end).await.err();
        if failure.is_some() {
            break;
        }
    }
    let failure = failure.expect("the attempt ends");
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    assert!(failure.message.contains("DROP TABLE, behind"), "{failure:?}");
    driver.back(1).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// Its copy is newer than both commands: the one that named its parent alone was carried, and the one that named itself not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_left_and_came_back_before_its_copy_is_one_still() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table large (id int primary key, v text);
         insert into large select g, repeat('x', 500) from generate_series(1, 9000) g;
         create table whole (id int, region int, primary key (id, region)) partition by list (region);
         create table first partition of whole for values in (1);
         create table second partition of whole for values in (2);
         insert into whole select g, 1 + g % 2 from generate_series(1, 100) g",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.limits =
        CopyLimits { jobs: 1, bytes_per_second: 200_000, part_pages: 8, ..CopyLimits::default() };
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    super::a_part_is_here(&target).await;
    driver.kill().await;
    for statement in [
        "alter table whole detach partition first",
        "update first set id = id + 1000",
        "alter table whole attach partition first for values in (1)",
    ] {
        sql(&source, "shop", statement).await;
    }
    driver.limits = CopyLimits::default();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What was changed there and back is no difference from the dump: only the target itself tells what came of it here.
#[tokio::test]
async fn what_was_changed_there_and_back_is_compared_here() {
    let (source, target, mut driver) =
        following("create table t (id int primary key, v text); create index of_v on t (v)").await;
    sql(&source, "shop", "alter index of_v rename to another; alter index another rename to of_v")
        .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    sql(&target, "shop", "drop index of_v").await;
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    assert!(failure.message.contains("index public.of_v"), "{failure:?}");
    driver.back(1).await;
    sql(&target, "shop", "create index of_v on t (v)").await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// Its size is asked for when it is there no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_dropped_while_the_tables_are_read_is_left_out() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    let schema =
        "create table t (id int primary key);\ninsert into t values (1);\ncreate table x (id int)";
    sql(&source, "shop", schema).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    let other = session(&source, "shop").await;
    other.batch_execute("begin; drop table x").await.unwrap();
    let waits = "select count(*) from pg_stat_activity where application_name like 'whimbrel%' and wait_event_type = 'Lock'";
    let gone = async {
        until(&source, "shop", waits).await;
        other.batch_execute("commit").await.unwrap();
    };
    let begun = async {
        driver.begin(1, 0).await;
        driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    };
    tokio::join!(gone, begun);
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// With what it owned, and what hung on it. No event trigger tells that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_may_go_before_its_new_copy_is_made() {
    let schema = "create table owner (id serial primary key, v int);
        insert into owner (v) select generate_series(1, 10);
        create table kept (id serial primary key, v int);
        insert into kept (v) select generate_series(1, 10);
        create table child (id int primary key, owner int references owner);
        insert into child values (1, 1);
        create view shown as select id from owner;
        create sequence loose owned by owner.v";
    let (source, target, mut driver) = following_as(schema, false).await;
    // A slot's snapshot waits for it.
    let older = session(&source, "shop").await;
    older.batch_execute("begin; select txid_current()").await.unwrap();
    sql(
        &source,
        "shop",
        "alter table owner alter v type text using v || 'a'; insert into owner (v) values ('b');
         alter table kept alter v type text using v || 'a'; insert into kept (v) values ('b')",
    )
    .await;
    until(&source, "shop", "select count(*) from pg_replication_slots where temporary").await;
    sql(
        &source,
        "shop",
        "alter sequence loose owned by none; drop view shown; drop table owner cascade;
         insert into child values (2, 1000)",
    )
    .await;
    older.batch_execute("commit").await.unwrap();
    until(&target, "shop", "select count(*) where to_regclass('owner') is null").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// That goes last then: it would take its sequence along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_something_hangs_on_may_hand_its_sequence_on_before_its_new_copy() {
    hands_its_sequence_on(
        "create table child (id int primary key, acc int references acc);
         insert into child values (1, 1)",
        "alter table child add foreign key (acc) references acc; insert into acc (v) values ('c')",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_may_hand_its_sequence_on_before_its_new_copy() {
    hands_its_sequence_on("", "").await;
}

/// A table that waits for its new copy goes before that, and another one takes over its name and its sequence.
async fn hands_its_sequence_on(besides: &str, then: &str) {
    let schema = format!(
        "create table acc (id serial primary key, v int);
         insert into acc (v) select generate_series(1, 10);
         create table kept (id serial primary key, v int);
         insert into kept (v) select generate_series(1, 10);
         {besides}"
    );
    let (source, target, mut driver) = following_as(&schema, false).await;
    // A slot's snapshot waits for it.
    let older = session(&source, "shop").await;
    older.batch_execute("begin; select txid_current()").await.unwrap();
    sql(
        &source,
        "shop",
        "alter table acc alter v type text using v || 'a'; insert into acc (v) values ('b');
         alter table kept alter v type text using v || 'a'; insert into kept (v) values ('b')",
    )
    .await;
    until(&source, "shop", "select count(*) from pg_replication_slots where temporary").await;
    sql(
        &source,
        "shop",
        "create table acc2 (id int primary key default nextval('acc_id_seq'), v text, w int);
         insert into acc2 select id, v, 1 from acc;
         alter sequence acc_id_seq owned by acc2.id;
         drop table acc cascade;
         alter table acc2 rename to acc",
    )
    .await;
    sql(&source, "shop", then).await;
    older.batch_execute("commit").await.unwrap();
    let waits = "select 1 from whimbrel.relation where point is null";
    until(&target, "shop", &format!("select count(*) where not exists ({waits})")).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// pg_dump locks all tables, and while it waits for one, the application's transaction may want another: PostgreSQL would end that.
/// Offline, for a slot is made when nobody writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_ends_no_transaction_of_the_application() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    let schema = "create table a (id int primary key); create table b (id int primary key)";
    sql(&source, "shop", schema).await;
    let app = session(&source, "shop").await;
    app.batch_execute("begin; alter table b add column n int").await.unwrap();
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.online = false;
    driver.begin(1, 0).await;
    let waits = "select count(*) from pg_stat_activity
        where application_name like 'whimbrel/dump %' and wait_event_type = 'Lock'";
    until(&source, "shop", waits).await;
    // Whoever has waited for less (deadlock_timeout) would be the one that is ended.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    app.batch_execute("alter table a add column n int; commit").await.unwrap();
    driver.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
}
