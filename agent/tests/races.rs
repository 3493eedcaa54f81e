//! What somebody else does at the very moment: it is seen for what it is.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{sync::Arc, time::Duration};

use cluster::Cluster;
use driver::{Driver, HBA, database, moved_alike, session, sql, until};
use tokio::time::{sleep, timeout};
use whimbrel_proto::agent::v1::{failure::Policy, report::Kind};

fn servers() -> (Arc<Cluster>, Arc<Cluster>) {
    (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")))
}

/// An epoch that is over and one that begins make the same database: it held until somebody looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_being_made_is_a_matter_for_another_try() {
    let (source, target) = servers();
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key)").await;
    // Not committed yet, as CREATE DATABASE has it for a while.
    let other = session(&target, "postgres").await;
    let making =
        "create temporary table making as select * from pg_database where datname = 'template0';
        update making set oid = 4000000, datname = 'whimbrel_test_shop_new';
        begin; insert into pg_database select * from making";
    other.batch_execute(making).await.unwrap();
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    until(&target, "postgres", "select count(*) from pg_locks where not granted").await;
    other.batch_execute("commit").await.unwrap();
    let failure = driver.failure().await;
    assert_eq!(failure.policy(), Policy::Retry, "{failure:?}");
    other.batch_execute("delete from pg_database where oid = 4000000").await.unwrap();
    driver.kill().await;
    driver.begin(2, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    moved_alike(&source, &target, "shop").await;
}

/// It was a hold, to be mended on the source, where a new slot is all that is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_goes_while_it_is_waited_for_is_missing() {
    let (source, target) = servers();
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key)").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    driver.kill().await;
    until(&source, "postgres", "select count(*) from pg_replication_slots where not active").await;
    // A temporary one is held by its session, and goes with it: nobody can have it in between.
    let holder = session(&source, "shop").await;
    let held = "select pg_copy_logical_replication_slot('whimbrel_test_shop', 'kept');
        select pg_drop_replication_slot('whimbrel_test_shop');
        select pg_copy_logical_replication_slot('kept', 'whimbrel_test_shop', true)";
    holder.batch_execute(held).await.unwrap();
    driver.begin(2, driver.target_oid()).await;
    let waiting = async {
        while !source.log().contains("\"whimbrel_test_shop\" is active for PID") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.expect("it did not come for the slot");
    drop(holder);
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SlotMissing", "{failure:?}");
}
