//! A target that crashes between an offline migration's copy and its cutover.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, moved_alike, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

const SCHEMA: &str = "
create table kept (id int primary key, v text);
insert into kept select g, 'k' from generate_series(1, 100) g;
create unlogged table cache (id int primary key, kept int references kept, v text);
insert into cache select g, g, 'c' from generate_series(1, 100) g;
create unlogged table never (id int primary key);
";

async fn copied(driver: &mut Driver, epoch: u64) {
    driver.begin(epoch, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
}

async fn run(driver: &mut Driver, steps: &[Step]) {
    for step in steps {
        let done = driver.step(*step, 1, &[], 0).await;
        done.unwrap_or_else(|failure| panic!("{step:?}: {failure:?}"));
    }
}

/// PostgreSQL empties them, and nothing but their emptiness tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlogged_tables_that_a_crash_has_emptied_are_copied_again() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database off").await;
    sql(&source, "off", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "off").await;
    driver.online = false;
    copied(&mut driver, 1).await;
    driver.kill().await;
    target.crash();
    assert_eq!(value(&target, "off", "select count(*) from cache").await, "0");
    copied(&mut driver, 2).await;
    run(&mut driver, &[Step::Complete, Step::Sequences]).await;

    target.crash();
    let failure = driver.step(Step::Verify, 1, &[], 0).await.unwrap_err();
    assert_eq!(failure.code, "UnloggedTableEmptied", "{failure:?}");
    driver.kill().await;
    copied(&mut driver, 3).await;
    run(&mut driver, &[Step::Complete, Step::Sequences, Step::Verify, Step::Switch]).await;
    moved_alike(&source, &target, "off").await;
}
