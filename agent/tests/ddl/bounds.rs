//! Partitions that give their places to each other, where no event trigger tells the steps.
use whimbrel_proto::agent::v1::Step;

use super::{again::copy_again, cut_over_alike, following_as};
use crate::driver::{batch, sql, until};

const FAMILY: &str =
    "create table p (k text, id int, v text, primary key (k, id)) partition by list (k);
     create table pa partition of p for values in ('a');
     create table p2 partition of p for values in ('b') partition by range (id);
     create table p2x partition of p2 for values from (0) to (1000);
     create table t (id int primary key);
     insert into p values ('a', 1, 'low'), ('b', 2, 'low')";

/// None can join before the one has left that has its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_exchange_their_bounds_arrive() {
    let schema = "create table p (k text, id int, v text, primary key (k, id)) partition by list (k);
        create table pa partition of p for values in ('a'); create table pb partition of p for values in ('b');
        create table pc partition of p for values in ('c'); create table t (id int primary key);
        insert into p values ('a', 1, 'low'), ('b', 2, 'low'), ('c', 3, 'low')";
    for step in [
        // A row that its partition's bound refuses here tells it,
        "truncate pa, pb, pc",
        "update pa set k = 'b'; update pb set k = 'c'; update pc set k = 'a'",
        // or the stream's word of the columns.
        "alter table p add w int default 7; alter table pa add w int default 7;
         alter table pb add w int default 8; alter table pc add w int default 9;
         update pa set k = 'b'; update pb set k = 'c'; update pc set k = 'a'",
    ] {
        let (source, target, mut driver) = following_as(schema, false).await;
        let change = format!(
            "begin; alter table p detach partition pa; alter table p detach partition pb;
             alter table p detach partition pc; {step}; alter table p attach partition pa for values in ('b');
             alter table p attach partition pb for values in ('c'); alter table p attach partition pc for values in ('a'); commit;
             insert into p values ('a', 4, 'x'), ('b', 5, 'y'), ('c', 6, 'z'); insert into t values (1)"
        );
        batch(&source, "shop", &change).await;
        until(&target, "shop", "select count(*) from t").await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// It is told by nothing, not even by a row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_exchange_their_bounds_arrive_with_the_cutover() {
    let (source, target, mut driver) = following_as(FAMILY, false).await;
    let change = "truncate pa, p2; alter table p detach partition pa; alter table p detach partition p2;
        alter table p attach partition pa for values in ('b'); alter table p attach partition p2 for values in ('a')";
    batch(&source, "shop", change).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Of a leaf further down the bound says nothing of that place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_has_left_makes_room_for_the_leaves_of_another() {
    for step in ["alter table p detach partition pa", "drop table pa"] {
        let (source, target, mut driver) = following_as(FAMILY, false).await;
        let change = format!(
            "{step}; alter table p detach partition p2; alter table p attach partition p2 for values in ('a', 'b');
             insert into p values ('a', 3, 'x'); insert into t values (1)"
        );
        sql(&source, "shop", &change).await;
        until(&target, "shop", "select count(*) from t").await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// Its own form is as it is here, and its rows do not fit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_is_copied_again_in_the_place_that_its_parent_has() {
    let (source, target, mut driver) = following_as(FAMILY, false).await;
    sql(&target, "shop", "delete from p2x").await;
    sql(&source, "shop", "update p set v = 'held' where id = 2").await;
    until(&target, "shop", "select count(*) from whimbrel.relation where held is not null").await;
    sql(
        &source,
        "shop",
        "alter table p detach partition pa; alter table p detach partition p2;
         alter table p attach partition p2 for values in ('a', 'b'); insert into p values ('a', 3, 'x')",
    )
    .await;
    copy_again(&mut driver, 1, &["public.p2x"]).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.back(1).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}
