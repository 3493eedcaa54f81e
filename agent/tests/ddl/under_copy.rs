//! Changes of the schema under a copy that runs: COPY tells rows by the catalog of now, whatever its snapshot.
use std::sync::Arc;

use whimbrel_proto::agent::v1::{CopyLimits, report::Kind};

use crate::{
    cluster::Cluster,
    cut_over_alike,
    driver::{Driver, HBA, database, sql, value},
};

/// Slow enough to be stepped into.
const SLOW: CopyLimits = CopyLimits {
    jobs: 1,
    bytes_per_second: 1_000_000,
    snapshot_age: None,
    part_pages: 8,
    retained_wal_bytes: 0,
};

/// Columns that change their names have other values by these names, and COPY takes names from the catalog of now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_change_names_under_a_copy_keep_their_values() {
    changed_under_a_copy(
        "alter table prices rename net to old;
         alter table prices rename gross to net;
         alter table prices rename old to gross",
    )
    .await;
}

/// No matter for a person: the stream tells that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_goes_under_a_copy_holds_nothing() {
    changed_under_a_copy("drop table staging").await;
}

/// Changes the schema while a copy has not come to the smaller tables; it is begun again, and both sides end alike.
async fn changed_under_a_copy(change: &str) {
    changed_under_a_copy_that(true, change).await;
}

async fn changed_under_a_copy_that(follow: bool, change: &str) {
    let source = Arc::new(Cluster::start(HBA, ""));
    let target = Arc::new(Cluster::start(HBA, ""));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table large (id int primary key, v text);
         insert into large select g, repeat('x', 500) from generate_series(1, 9000) g;
         create type state as enum ('open', 'paid');
         create type money_of as (net int, gross int);
         create table prices (id int primary key, net int, gross int, state state, sums money_of[]);
         insert into prices select g, g, g * 2, case when g % 3 = 0 then 'open'::state else 'paid' end, array[row(g, g * 2)::money_of]
         from generate_series(1, 1000) g;
         create table staging (id int primary key);
         insert into staging values (1)",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    (driver.limits, driver.follow) = (SLOW, follow);
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    super::a_part_is_here(&target).await;
    let copied = "select count(*) from whimbrel.relation where copied";
    assert_eq!(value(&target, "shop", copied).await, "0");
    sql(&source, "shop", change).await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "TableRewritten", "{failure:?}");
    driver.limits = CopyLimits::default();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// COPY tells a value by the labels of now, whatever its snapshot: each would be another value of those that the target has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_that_are_exchanged_under_a_copy_end_it() {
    let exchange = "begin;
         alter type state rename value 'open' to 'x';
         alter type state rename value 'paid' to 'open';
         alter type state rename value 'x' to 'paid';
         commit";
    changed_under_a_copy_that(true, exchange).await;
    changed_under_a_copy_that(false, exchange).await;
}

/// As [`labels_that_are_exchanged_under_a_copy_end_it`]: what is behind the attribute that went would take its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_that_are_exchanged_under_a_copy_end_it() {
    let exchange = "alter type money_of drop attribute net, add attribute tax int";
    changed_under_a_copy_that(true, exchange).await;
    changed_under_a_copy_that(false, exchange).await;
}
