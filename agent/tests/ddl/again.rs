//! Tables that are copied again after the source's schema has changed, and was carried.
use std::sync::Arc;

use whimbrel_proto::agent::v1::{CopyAgain, CopyLimits, Step, report::Kind};

use crate::{
    between,
    cluster::Cluster,
    cut_over, cut_over_alike,
    driver::{Driver, HBA, database, free_slots, moved_alike, sql, value},
    following, following_as, following_with,
};

const SHOP: &str = "create table parent (id int primary key, a text);
    create table child (id int primary key, parent int references parent, b text);
    insert into parent select g, 'p' || g from generate_series(1, 50) g;
    insert into child select g, g, 'c' || g from generate_series(1, 50) g";

pub(crate) async fn copy_again(driver: &mut Driver, number: u32, tables: &[&str]) {
    driver.kill().await;
    let tables = tables.iter().map(|&table| table.to_owned()).collect();
    begin_again(driver, CopyAgain { number, tables, new_slot: false }).await;
}

pub(crate) async fn begin_again(driver: &mut Driver, request: CopyAgain) {
    let epoch = u64::from(request.number) + 1;
    driver.copy_again.push(request);
    let oid = driver.target_oid();
    driver.begin(epoch, oid).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
}

/// Until all that was committed on the source is on the target.
async fn drained(driver: &mut Driver, attempt: u32) {
    let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, attempt, &[], end).await.unwrap();
    driver.back(attempt).await;
}

/// A change of the schema that is here already: the form is the same on both sides, whatever the dump says.
#[tokio::test]
async fn a_table_is_copied_again_after_a_change_was_carried() {
    let (source, target, mut driver) = following(SHOP).await;
    sql(
        &source,
        "shop",
        "alter table child add c int default 7;
         insert into child values (51, 1, 'new', 8);
         create table made (id int primary key references parent);
         insert into made values (1)",
    )
    .await;
    drained(&mut driver, 1).await;
    // What is here is not the source's any more.
    sql(&target, "shop", "update child set b = 'spoilt'; delete from made").await;
    copy_again(&mut driver, 1, &["public.child", "public.made"]).await;
    sql(&source, "shop", "update child set c = 9 where id = 3; insert into made values (2)").await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// Rows that the stream has brought are no part of a copy, and yet they are here: without a key nothing would object to
/// having each of them twice.
#[tokio::test]
async fn rows_of_a_table_made_in_the_stream_are_not_copied_beside_themselves() {
    let (source, target, mut driver) = following(SHOP).await;
    let made = "create table heap (v int); insert into heap select generate_series(1, 9)";
    sql(&source, "shop", made).await;
    drained(&mut driver, 1).await;
    copy_again(&mut driver, 1, &["public.heap"]).await;
    let (rows, more) = ("select count(*) from heap", "insert into heap values (0)");
    assert_eq!(value(&target, "shop", rows).await, "9");
    sql(&source, "shop", &format!("{more}; {}", made.replace("heap", "other"))).await;
    drained(&mut driver, 2).await;

    // With a new slot, everything that differs.
    driver.lose_slot().await;
    sql(&source, "shop", "insert into other values (0)").await;
    begin_again(&mut driver, CopyAgain { number: 2, tables: Vec::new(), new_slot: true }).await;
    assert_eq!(value(&target, "shop", rows).await, "10");
    assert_eq!(value(&target, "shop", "select count(*) from other").await, "10");
    sql(&source, "shop", more).await;
    cut_over_alike(&source, &target, &mut driver, 3).await;
}

/// A change that is still in the stream: the table is copied when the stream has come so far.
#[tokio::test]
async fn a_table_is_copied_again_with_a_change_on_its_way() {
    let (source, target, mut driver) = following(SHOP).await;
    driver.kill().await;
    sql(
        &source,
        "shop",
        "alter table child rename b to bb;
         alter table child add c int default 7;
         alter table parent rename to parents;
         insert into child values (51, 1, 'new', 8);
         insert into parents values (51, 'p')",
    )
    .await;
    sql(&target, "shop", "update child set b = 'spoilt'").await;
    copy_again(&mut driver, 1, &["public.child"]).await;
    sql(&source, "shop", "update child set c = 9 where id = 3").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A composite type that its rows are made of: they come with a column more than the type here has, and it held for ever.
#[tokio::test]
async fn a_table_is_copied_again_with_a_change_of_its_composite_type_on_its_way() {
    let schema = "create type pair as (x int, y text);
        create table parent (id int primary key, p pair); insert into parent values (1, '(1,a)');
        create table child (id int primary key, b text); insert into child values (1, 'b')";
    let (source, target, mut driver) = following(schema).await;
    driver.kill().await;
    sql(
        &source,
        "shop",
        "insert into parent values (2, '(2,b)');
         alter type pair add attribute z int;
         insert into parent values (3, '(3,c,3)')",
    )
    .await;
    copy_again(&mut driver, 1, &["public.parent"]).await;
    sql(&source, "shop", "insert into parent values (4, '(4,d,4)')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Keys of the dump that no longer fit: the cutover makes those of then.
#[tokio::test]
async fn foreign_keys_that_have_changed_come_with_the_cutover() {
    let (source, target, mut driver) = following(SHOP).await;
    sql(
        &source,
        "shop",
        "alter table parent rename to parents;
         alter table child rename parent to of_parent;
         insert into parents values (51, 'p');
         insert into child values (51, 51, 'c')",
    )
    .await;
    drained(&mut driver, 1).await;
    // They go while the table is empty, and the keys of the dump speak of names that are no more.
    copy_again(&mut driver, 1, &["public.child"]).await;
    let keys = "select count(*) from pg_constraint where contype = 'f' and conrelid = 'public.child'::regclass";
    assert_eq!(value(&target, "shop", keys).await, "0");
    cut_over(&mut driver, 2).await;
    assert_eq!(value(&target, "shop", keys).await, "1");
    moved_alike(&source, &target, "shop").await;
}

/// After an attempt that took a new dump, its keys are here: they are not made once more.
#[tokio::test]
async fn an_attempt_that_steps_back_after_a_new_dump_leaves_a_stream_that_goes_on() {
    let (source, target, mut driver) = following(SHOP).await;
    sql(&source, "shop", "create table made (id int primary key references parent)").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
    driver.back(1).await;
    sql(&source, "shop", "insert into parent values (51, 'p'); insert into made values (51)").await;
    copy_again(&mut driver, 1, &["public.parent"]).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// While there is no slot, nothing tells of a table that is made. One that is never written to again would have come without
/// its rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_while_there_was_no_slot_comes_with_its_rows() {
    let (source, target, mut driver) = following(SHOP).await;
    driver.lose_slot().await;
    sql(
        &source,
        "shop",
        "create schema more;
         create table more.logs (at int not null, v text, primary key (at)) partition by range (at);
         create table more.first partition of more.logs for values from (0) to (10);
         insert into more.logs select g, 'l' || g from generate_series(1, 9) g;
         create table lookup (id serial primary key, v text);
         insert into lookup (v) values ('one'), ('two');
         update parent set a = 'changed' where id = 7",
    )
    .await;
    begin_again(&mut driver, CopyAgain { number: 1, tables: Vec::new(), new_slot: true }).await;
    sql(&source, "shop", "insert into child values (60, 7, 'last')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The new slot counts only once they are made: whoever comes after a failure looks for them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_while_there_was_no_slot_comes_though_it_could_not_be_made_at_once() {
    let (source, target, mut driver) = following(SHOP).await;
    driver.lose_slot().await;
    sql(
        &source,
        "shop",
        "create role late;
         create table lookup (id int primary key, v text);
         alter table lookup owner to late;
         insert into lookup values (1, 'one'), (2, 'two')",
    )
    .await;
    let oid = driver.target_oid();
    driver.copy_again.push(CopyAgain { number: 1, tables: Vec::new(), new_slot: true });
    driver.begin(2, oid).await;
    let failure = driver.failure().await;
    assert!(failure.message.contains("late"), "{failure:?}");
    database(&target, "create role late").await;
    driver.kill().await;
    driver.begin(3, oid).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "shop", "select count(*) from lookup").await, "2");
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What was carried, then what is changed while there is no slot. Nobody tells it, and the new slot's snapshot has it.
async fn changed_without_a_slot(follow: bool) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let schema = format!(
        "{SHOP};
         create table prices (id int primary key, net int);
         insert into prices select g, g from generate_series(1, 50) g;
         create table heap (v text);
         insert into heap select 'h' || g from generate_series(1, 50) g;
         create table loose (id int primary key, v text, n text);
         insert into loose select g, null, 'n' || g from generate_series(1, 50) g;
         create table gone (id int primary key references parent);
         insert into gone values (1);
         create type mood as enum ('sad');
         create view seen as select id from child;
         create view gone_too as select id from gone"
    );
    let (source, target, mut driver) = following_as(&schema, follow).await;
    let carried = "alter table child add c int default 7;
        insert into child values (51, 1, 'new', 8);
        create table made (id int primary key, v text);
        insert into made values (1, 'made')";
    sql(&source, "shop", carried).await;
    drained(&mut driver, 1).await;
    driver.lose_slot().await;
    sql(
        &source,
        "shop",
        "create schema more;
         create function more.f() returns int language sql as 'select 1';
         create type more.pair as (a int, b mood);
         create sequence spare;
         alter type mood add value 'merry';
         alter table child add d int not null default nextval('spare'), add p more.pair;
         alter table parent rename to parents;
         alter table parents rename a to aa;
         alter table prices alter net type bigint using net * 100;
         alter table heap add f int default more.f();
         delete from loose where id > 10;
         update loose set v = 'v';
         alter table loose alter v set not null, add unique (v, id), add check (id < 11),
           alter n type int using length(n);
         drop table gone cascade;
         create table gone (at int primary key, v text);
         insert into gone values (7, 'another');
         create table lookup (id serial primary key, child int references child, v text);
         insert into lookup (child, v) values (1, 'one');
         create or replace view seen as select id, d from child;
         create materialized view sums as select count(*) from parents;
         drop view seen; create view looked as select * from lookup",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table made add m mood default 'merry'; update made set v = 'later'",
    )
    .await;
    begin_again(&mut driver, CopyAgain { number: 1, tables: Vec::new(), new_slot: true }).await;
    (source, target, driver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_there_was_no_slot_is_taken_over() {
    let (source, target, mut driver) = changed_without_a_slot(true).await;
    assert_eq!(driver.milestones("SchemaTakenOver").len(), 1);
    sql(
        &source,
        "shop",
        "insert into child (id, b) values (60, 'last'); alter table child add e int default 3;
         update made set m = 'sad'; update loose set n = n + 1",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_there_was_no_slot_is_taken_over_without_event_triggers() {
    let (source, target, mut driver) = changed_without_a_slot(false).await;
    sql(
        &source,
        "shop",
        "insert into child (id, b) values (60, 'last'); update made set m = 'sad'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// What was carried before is known, and named by nobody; what the change did not touch is not copied again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_added_while_there_was_no_slot_copies_no_table_whose_rows_are_the_same() {
    let (source, target, mut driver) = following(SHOP).await;
    sql(&source, "shop", "create table made (id int primary key); insert into made values (1)")
        .await;
    drained(&mut driver, 1).await;
    driver.lose_slot().await;
    sql(&source, "shop", "alter table child add c int default 7").await;
    begin_again(&mut driver, CopyAgain { number: 1, tables: Vec::new(), new_slot: true }).await;
    let told = driver.milestones("SchemaTakenOver").concat();
    assert!(told.ends_with(": table public.child"), "{told}");
    let compared = driver.milestones("TablesCompared").concat();
    assert!(compared.ends_with("none to be copied again"), "{compared}");
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// All foreign keys go for it and come again, and the target has room for the locks of a few of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_among_many_foreign_keys_is_copied_again_with_little_room_for_locks() {
    let few = "max_locks_per_transaction = 10\nmax_connections = 20\n";
    let tables: String = (0..400)
        .map(|i| format!("create table t{i} (id int primary key references parent);\n"))
        .collect();
    let schema = format!(
        "create table parent (id int primary key);\n{tables}insert into parent values (1);\ninsert into t7 values (1)"
    );
    let servers = (Cluster::start(HBA, ""), Cluster::start(HBA, few));
    let (source, target, mut driver) = between(servers.0, servers.1, &schema, |_| {}).await;
    sql(&target, "shop", "set session_replication_role = replica;\ndelete from t7").await;
    copy_again(&mut driver, 1, &["public.t7"]).await;
    sql(&source, "shop", "insert into parent values (2);\ninsert into t8 values (2)").await;
    cut_over(&mut driver, 1).await;
    let keys = "select count(*) from pg_constraint where contype = 'f'";
    assert_eq!(value(&target, "shop", keys).await, "400");
    moved_alike(&source, &target, "shop").await;
}

/// Slow enough to be cut in the middle of a table.
pub(crate) const SLOW: CopyLimits = CopyLimits {
    jobs: 1,
    bytes_per_second: 200_000,
    snapshot_age: None,
    part_pages: 8,
    retained_wal_bytes: 0,
};

/// A copy that is cut in the middle, with changes of the schema behind it; it goes on.
async fn cut_before_changes(follow: bool) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target, mut driver) = cut_with_changes(follow).await;
    driver.begin(2, driver.target_oid()).await;
    (source, target, driver)
}

/// As [`cut_before_changes`]; nobody works on it.
async fn cut_with_changes(follow: bool) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table large (id int primary key, v text);
         insert into large select g, repeat('x', 500) from generate_series(1, 9000) g;
         create table second (id int primary key, large int references large, v text);
         insert into second select g, g, repeat('y', 500) from generate_series(1, 9000) g;
         create table heap (v text);
         insert into heap select repeat('z', 500) from generate_series(1, 9000) g",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    (driver.limits, driver.follow) = (SLOW, follow);
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    super::a_part_is_here(&target).await;
    driver.kill().await;
    sql(
        &source,
        "shop",
        "alter table large add column w int not null default 7;
         create index on large (v, w);
         alter table second rename to third;
         update large set v = 'changed' where id % 10 = 0;
         truncate heap;
         insert into heap values ('after')",
    )
    .await;
    if follow {
        sql(&source, "shop", "create table made as select id from large").await;
    } else {
        sql(&source, "shop", "drop table heap").await;
    }
    driver.limits = CopyLimits::default();
    (source, target, driver)
}

/// A change of the schema while the base copy runs is in the stream. What the copy had not reached when it was cut can't be
/// copied in the dump's form any more: the stream brings it to the new one first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_cut_leaves_to_the_stream_what_has_changed_its_form() {
    let (source, target, mut driver) = cut_before_changes(true).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(driver.milestones("CopyLeftToStream").len(), 1);
    sql(&source, "shop", "delete from third where id = 5; update large set w = 8 where id = 5")
        .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Without event triggers no message tells the form of a table whose rows are left out: the stream passed the change, and the
/// table waited for it without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_copy_of_a_source_that_tells_no_changes_is_not_left_waiting() {
    let (source, target, mut driver) = cut_before_changes(false).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "delete from third where id = 5; update large set w = 8 where id = 5")
        .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A copy that is cut, whose slot is lost: neither the stream nor the dump has the form that its tables have now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_cut_and_loses_its_slot_takes_over_what_has_changed() {
    let (source, target, mut driver) = cut_with_changes(true).await;
    free_slots(&source, "shop").await;
    sql(
        &source,
        "shop",
        "alter table third drop column v;
         alter table heap add x int default 9",
    )
    .await;
    begin_again(&mut driver, CopyAgain { number: 1, tables: Vec::new(), new_slot: true }).await;
    sql(&source, "shop", "update large set w = 8 where id = 5").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Among chosen objects what is gone is not told from what is no longer chosen, but for tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_dropped_while_there_was_no_slot_goes_from_a_selection_too() {
    let chosen = |driver: &mut Driver| {
        driver.selection.exclude_tables = vec!["public.left_out".to_owned()];
    };
    let schema = format!("{SHOP}; create table staging (id int primary key)");
    let (source, target, mut driver) = following_with(&schema, chosen).await;
    driver.lose_slot().await;
    sql(&source, "shop", "drop table staging").await;
    begin_again(&mut driver, CopyAgain { number: 1, tables: Vec::new(), new_slot: true }).await;
    sql(&source, "shop", "insert into child values (60, 7, 'last')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The dump's keys come back once the rows agree, and not those that are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_key_dropped_while_there_was_no_slot_stays_away() {
    let schema =
        format!("{SHOP}; create table other (id int primary key, p int references parent)");
    let (source, target, mut driver) = following(&schema).await;
    sql(&source, "shop", "alter table other drop constraint other_p_fkey").await;
    drained(&mut driver, 1).await;
    copy_again(&mut driver, 1, &["public.other"]).await;
    driver.lose_slot().await;
    sql(
        &source,
        "shop",
        "alter table child drop constraint child_parent_fkey; delete from parent where id = 7",
    )
    .await;
    let kept = "select count(*) from pg_constraint where conname = 'other_p_fkey'";
    assert_eq!(value(&target, "shop", kept).await, "0");
    begin_again(&mut driver, CopyAgain { number: 2, tables: Vec::new(), new_slot: true }).await;
    sql(&source, "shop", "insert into child values (60, 7, 'last'), (61, 777, 'none'); insert into other values (1, 777)").await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}
