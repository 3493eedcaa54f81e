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
    part_pages: 8,
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
    // The third is half copied.
    let third = "select count(*) > 0 from whimbrel.part where source_oid = (select source_oid from whimbrel.relation where not copied)";
    until_true(&target, third).await;
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

async fn following() -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database half").await;
    sql(&source, "half", "create table t (id int primary key, v text)").await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    (source, target, driver)
}

/// Each row by a transaction of its own.
async fn write(source: &Cluster, from: u32, to: u32, value: &str) {
    let insert = format!(
        "do $$ begin for i in {from}..{to} loop insert into t values (i, '{value}'); commit; end loop; end $$"
    );
    sql(source, "half", &insert).await;
}

async fn has_come(target: &Cluster, id: u32) {
    until(target, "half", &format!("select count(*) from t where id = {id}")).await;
}

/// Its positions tell nothing: the application has written on, behind where the target was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_set_back_that_was_written_to_since_is_not_followed() {
    let (source, target, mut driver) = following().await;
    write(&source, 1, 100, "kept").await;
    has_come(&target, 100).await;
    driver.kill().await;
    source.keep_state();
    driver.begin(2, driver.target_oid()).await;
    write(&source, 101, 300, "forgotten").await;
    has_come(&target, 300).await;
    driver.kill().await;
    source.set_back();
    write(&source, 1001, 2000, "other").await;
    driver.begin(3, driver.target_oid()).await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SourceWentBack", "{failure:?}");
    // Nor the next time.
    driver.kill().await;
    driver.begin(4, driver.target_oid()).await;
    assert_eq!(driver.failure().await.code, "SourceWentBack");
    driver.kill().await;
    driver.copy_again.push(CopyAgain { number: 1, tables: Vec::new(), new_slot: true });
    driver.begin(5, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    rows_alike(&source, &target, "half", &[]).await;
}

/// Its slot is where the last checkpoint has left it, and tells what the target has once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_crashed_goes_on_where_the_target_is() {
    let (source, target, mut driver) = following().await;
    for (epoch, first) in [(2, 1), (3, 1001), (4, 2001)] {
        write(&source, first, first + 500, "x").await;
        sql(
            &source,
            "half",
            &format!("update t set v = 'y' where id > {first}; alter table t add c{first} int"),
        )
        .await;
        write(&source, first + 501, first + 600, "z").await;
        has_come(&target, first + 600).await;
        driver.kill().await;
        source.crash();
        driver.begin(epoch, driver.target_oid()).await;
        driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    }
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    rows_alike(&source, &target, "half", &[]).await;
}
