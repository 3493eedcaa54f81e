//! What a stream holds in memory does not grow with the transaction; with one row it grows by a few copies of it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{fs, sync::Arc};

use cluster::Cluster;
use driver::{Driver, HBA, batch, database, rows_alike, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// 150,000 rows, 75 MB in the stream.
const TRANSACTION: &str =
    "insert into t select g, repeat(md5(g::text), 15) from generate_series(1, 150000) g";

/// What it may take: two runs, the credit, their statements, and what the allocator keeps.
const TRANSACTION_MB: u64 = 60;

/// 100,000 subtransactions in one transaction, of which every fourth is rolled back.
const SUBTRANSACTIONS: &str = "do $$ begin
    for i in 200001..300000 loop
        begin
            insert into t values (i, 'sub');
            if i % 4 = 0 then raise 'undo'; end if;
        exception when raise_exception then null;
        end;
    end loop;
end $$";

const ROW_MB: u64 = 64;

/// A row is received, decoded in place, and copied once for the server.
const COPIES: u64 = 4;

/// In the base copy it is not decoded, and goes on as it came.
const COPIES_OF_COPIED: u64 = 3;

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
    let row = |id: u32| format!("insert into one select {id}, repeat(md5('x'), {ROW_MB} * 32768)");
    batch(&source, "large", &row(0)).await;
    peak_mb();
    let begin = peak_mb();
    let mut driver = Driver::new(&source, &target, "large").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let grown = peak_mb().saturating_sub(begin);
    assert!(grown < ROW_MB * COPIES_OF_COPIED, "copying a row of {ROW_MB} MB took {grown} MB");
    eprintln!("a copied row of {ROW_MB} MB: {grown} MB");
    peak_mb();
    let idle = peak_mb();

    batch(&source, "large", TRANSACTION).await;
    settle(&mut driver, 1).await;
    let grown = peak_mb().saturating_sub(idle);
    assert!(grown < TRANSACTION_MB, "a transaction of 75 MB took {grown} MB");

    batch(&source, "large", SUBTRANSACTIONS).await;
    settle(&mut driver, 4).await;
    let subtransactions = peak_mb().saturating_sub(idle);
    assert!(subtransactions < TRANSACTION_MB, "100,000 subtransactions took {subtransactions} MB");
    eprintln!("a transaction of 75 MB: {grown} MB; 100,000 subtransactions: {subtransactions} MB");

    batch(&source, "large", &row(1)).await;
    settle(&mut driver, 5).await;
    let grown = peak_mb().saturating_sub(idle);
    assert!(grown < ROW_MB * COPIES, "a row of {ROW_MB} MB took {grown} MB");
    eprintln!("idle {idle} MB; the row {grown} MB");
    let sums = "select count(*) || ' ' || sum(hashtext(t::text)) from t";
    assert_eq!(value(&source, "large", sums).await, value(&target, "large", sums).await);
    batch(&source, "large", "truncate t").await;
    settle(&mut driver, 6).await;
    rows_alike(&source, &target, "large", &[]).await;
}

async fn settle(driver: &mut Driver, attempt: u32) {
    let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, attempt, &[], end).await.unwrap();
    driver.back(attempt).await;
}
