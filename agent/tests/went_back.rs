//! A source that is an earlier one than the target has seen: nothing of it may be taken for what follows.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, rows_alike, sql, until, value};
use whimbrel_proto::agent::v1::{CopyAgain, CopyLimits, Step, report::Kind};

/// One table after the other, the largest first, at a speed at which a test can step in.
const SLOW: CopyLimits = CopyLimits {
    jobs: 1,
    bytes_per_second: 1_000_000,
    snapshot_age: None,
    part_pages: 0,
    retained_wal_bytes: 0,
};

const SCHEMA: &str = "
create table first (id int primary key, pad text);
insert into first select g, repeat('p', 1000) from generate_series(1, 2500) g;
create table second (id int primary key, pad text);
insert into second select g, repeat('p', 1000) from generate_series(1, 2000) g;
create table third (id int primary key, pad text);
insert into third select g, repeat('p', 1000) from generate_series(1, 1500) g;
";

/// A table that was copied under a later snapshot than the slot's has rows that the set back source does not have, and the
/// stream would leave out all that it tells of that table until it comes to that snapshot's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_set_back_before_a_tables_snapshot_is_not_followed() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database half").await;
    sql(&source, "half", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = SLOW;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    let copied =
        |count: u32| format!("select count(*) = {count} from whimbrel.relation where copied");

    until_true(&target, &copied(1)).await;
    driver.kill().await;
    source.keep_state();
    sql(
        &source,
        "half",
        "insert into second select g, 'later' from generate_series(10001, 10100) g",
    )
    .await;
    driver.begin(2, driver.target_oid()).await;
    until_true(&target, &copied(2)).await;
    driver.kill().await;
    source.set_back();
    sql(&source, "half", "update second set pad = 'other' where id <= 10").await;

    driver.begin(3, driver.target_oid()).await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SourceWentBack", "{failure:?}");
    driver.kill().await;
    driver.limits = CopyLimits::default();
    driver.copy_again.push(CopyAgain { number: 1, tables: Vec::new(), new_slot: true });
    driver.begin(4, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    rows_alike(&source, &target, "half", &[]).await;
}

async fn until_true(target: &Cluster, query: &str) {
    let query = format!("select count(*) from ({query}) as it(is_so) where is_so");
    until(target, "half", &query).await;
    assert_eq!(value(target, "half", &query).await, "1");
}
