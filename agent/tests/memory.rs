//! What a stream holds in memory does not grow with the transaction; with one row it grows by a few copies of it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{fs, sync::Arc};

use cluster::Cluster;
use driver::{Driver, HBA, batch, database, rows_alike, sql};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// 150,000 rows, 75 MB in the stream.
const TRANSACTION: &str =
    "insert into t select g, repeat(md5(g::text), 15) from generate_series(1, 150000) g";

/// What it may take: two runs, the credit, their statements, and what the allocator keeps.
const TRANSACTION_MB: u64 = 60;

const ROW_MB: u64 = 64;

/// A row is received, decoded in place, and copied once for the server.
const COPIES: u64 = 4;

/// The most that this process had resident since the last call, MB. The agent is in it.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_by_the_largest_row() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database large").await;
    sql(&source, "large", "create table t (id int primary key, v text); create table one (id int primary key, v text)").await;
    let mut driver = Driver::new(&source, &target, "large").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    peak_mb();
    let idle = peak_mb();

    batch(&source, "large", TRANSACTION).await;
    settle(&mut driver, 1).await;
    let grown = peak_mb().saturating_sub(idle);
    assert!(grown < TRANSACTION_MB, "a transaction of 75 MB took {grown} MB");

    let row = format!("insert into one select 1, repeat(md5('x'), {ROW_MB} * 32768)");
    batch(&source, "large", &row).await;
    settle(&mut driver, 2).await;
    let grown = peak_mb().saturating_sub(idle);
    assert!(grown < ROW_MB * COPIES, "a row of {ROW_MB} MB took {grown} MB");
    eprintln!("idle {idle} MB; the row {grown} MB");
    batch(&source, "large", "truncate t").await;
    settle(&mut driver, 3).await;
    rows_alike(&source, &target, "large", &[]).await;
}

async fn settle(driver: &mut Driver, attempt: u32) {
    let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, attempt, &[], end).await.unwrap();
    driver.back(attempt).await;
}
