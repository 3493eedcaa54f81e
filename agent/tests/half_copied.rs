//! Tables that are half copied when something becomes of the source.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::{Cluster, programs_of};
use driver::{Driver, HBA, database, rows_alike, sql, until};
use whimbrel_proto::agent::v1::{CopyLimits, Step, report::Kind};

/// Small parts, at a speed at which a test can step in.
const SLOW: CopyLimits = CopyLimits {
    jobs: 1,
    bytes_per_second: 2_500_000,
    snapshot_age: None,
    part_pages: 8,
    retained_wal_bytes: 0,
};

const SCHEMA: &str = "
create table big (id int primary key, pad text, c int);
insert into big select g, repeat('p', 1000), 1 from generate_series(1, 6000) g;
create table small (id int primary key, v text);
insert into small values (1, 'low');
";

async fn half_copied(source: Cluster, target: Cluster) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    half_copied_with(source, target, |_| {}).await
}

async fn half_copied_with(
    source: Cluster,
    target: Cluster,
    how: impl FnOnce(&mut Driver),
) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target) = (Arc::new(source), Arc::new(target));
    database(&source, "create database half").await;
    sql(&source, "half", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = SLOW;
    how(&mut driver);
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    until(&target, "half", "select count(*) from whimbrel.part").await;
    (source, target, driver)
}

/// It has the place, the name and the type of the older one, and none of its values: neither shape nor file tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_made_anew_takes_no_value_of_the_parts_that_are_here() {
    let (source, target, mut driver) =
        half_copied(Cluster::start(HBA, ""), Cluster::start(HBA, "")).await;
    driver.kill().await;
    sql(&source, "half", "alter table big drop column c;\nalter table big add column c int;\nupdate big set c = 5 where id > 5990")
        .await;
    driver.limits = CopyLimits::default();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    // The later command knows it by its number.
    sql(
        &source,
        "half",
        "alter table big rename column c to d; insert into big values (9999, 'n', 9)",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
    rows_alike(&source, &target, "half", &[]).await;
}

/// Without event triggers nothing but its file tells that its rows are other ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_rewritten_and_gets_a_default_is_copied_again() {
    let (source, target, mut driver) =
        half_copied_with(Cluster::start(HBA, ""), Cluster::start(HBA, ""), |driver| {
            (driver.follow, driver.limits.jobs) = (false, 2);
        })
        .await;
    until(&target, "half", "select count(*) from whimbrel.relation where done").await;
    driver.kill().await;
    sql(
        &source,
        "half",
        "alter table small alter v type text using upper(v), alter v set default 'X'",
    )
    .await;
    driver.limits = CopyLimits::default();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
    rows_alike(&source, &target, "half", &[]).await;
}

/// The source and the target have it, and it finds no row that is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_has_a_cast_from_text_of_its_own_is_told_by_its_text() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database half").await;
    let schema = "create type tag as (n int);
        create function to_tag(text) returns tag language sql immutable as $$ select row(0)::public.tag $$;
        create cast (text as tag) with function to_tag(text);
        create table big (k tag primary key, pad text);
        insert into big select row(g)::tag, repeat('p', 1000) from generate_series(1, 6000) g";
    sql(&source, "half", schema).await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = SLOW;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    until(&target, "half", "select count(*) from whimbrel.part").await;
    driver.kill().await;
    sql(&source, "half", "update big set pad = 'q' where (k).n in (1, 2, 5990)").await;
    driver.limits = CopyLimits::default();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "CopyContinued")).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    rows_alike(&source, &target, "half", &[]).await;
}

/// Of each version: 17 calls it by another code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_whose_session_was_ended_is_taken_anew() {
    for major in [15, 17] {
        let Some(programs) = programs_of(major) else {
            eprintln!(
                "NOT TESTED: PostgreSQL {major}: this machine has no server of it (tests/servers)"
            );
            continue;
        };
        let (source, _target, mut driver) = half_copied(
            Cluster::start_of(programs, HBA, ""),
            Cluster::start_of(programs_of(18).unwrap_or_else(cluster::bin), HBA, ""),
        )
        .await;
        let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'whimbrel/snapshot%'";
        until(&source, "half", end).await;
        // Another session is to enter it.
        driver.limit(CopyLimits { jobs: 4, ..SLOW }).await;
        let failure = driver.failure().await;
        assert_eq!(failure.code, "SnapshotLost", "{major}: {failure:?}");
    }
}
