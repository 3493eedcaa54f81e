//! Changes of the source's schema while the stream runs: carried at their place among the rows.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod again;
mod altered;
mod behind;
mod bounds;
mod brought_ahead;
#[path = "../cluster/mod.rs"]
mod cluster;
mod cost;
mod database_settings;
mod defaults;
mod disabled;
#[path = "../driver/mod.rs"]
mod driver;
mod held;
mod humble;
mod identities;
mod in_the_way;
mod inherits;
mod kinds;
mod lacking;
mod login_role;
mod made_again;
mod names;
mod own;
mod partitions;
mod places;
mod published;
mod random;
mod read_by_type;
mod renumbered;
mod rights;
mod rules;
mod settings;
mod spelled;
mod together;
mod types;
mod under_copy;
mod untold;

use std::{process::Command, sync::Arc, time::Duration};

use cluster::{Cluster, PASSWORD};
use driver::{Driver, HBA, database, moved_alike, sql, value};
use tokio::time::{sleep, timeout};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// A source and a target, with `schema` on the source and the stream open.
async fn following(schema: &str) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    following_as(schema, true).await
}

/// With or without event triggers.
async fn following_as(schema: &str, follow: bool) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    following_with(schema, |driver| driver.follow = follow).await
}

async fn following_with(
    schema: &str,
    how: impl FnOnce(&mut Driver),
) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    between(Cluster::start(HBA, ""), Cluster::start(HBA, ""), schema, how).await
}

/// Servers of any version.
async fn between(
    source: Cluster,
    target: Cluster,
    schema: &str,
    how: impl FnOnce(&mut Driver),
) -> (Arc<Cluster>, Arc<Cluster>, Driver) {
    let (source, target) = (Arc::new(source), Arc::new(target));
    let driver = following_on(&source, &target, schema, how).await;
    (source, target, driver)
}

/// On servers that are there.
async fn following_on(
    source: &Arc<Cluster>,
    target: &Arc<Cluster>,
    schema: &str,
    how: impl FnOnce(&mut Driver),
) -> Driver {
    for cluster in [source, target] {
        database(cluster, "create role app").await;
        database(cluster, "create role reader").await;
    }
    database(source, "create database shop").await;
    sql(source, "shop", schema).await;
    let mut driver = Driver::new(source, target, "shop").await;
    how(&mut driver);
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    driver
}

/// The whole cutover; then both sides are the same, rows and schema, and nothing of ours is left. What its steps have told.
async fn cut_over_alike(
    source: &Cluster,
    target: &Cluster,
    driver: &mut Driver,
    attempt: u32,
) -> String {
    let notes = cut_over(driver, attempt).await;
    let (there, here) = (schema_of(source), schema_of(target));
    assert!(there == here, "{}", difference(&there, &here));
    moved_alike(source, target, "shop").await;
    notes
}

async fn cut_over(driver: &mut Driver, attempt: u32) -> String {
    let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
    let before = [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch];
    let notes = steps(driver, attempt, end, &before).await;
    steps(driver, attempt, end, &[Step::RemoveSource, Step::RemoveLedger]).await;
    notes
}

/// Until the first part of a table has come; a minute at most.
async fn a_part_is_here(target: &Cluster) {
    let comes = async {
        while value(target, "shop", "select count(*) from whimbrel.part").await == "0" {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), comes).await.unwrap();
}

async fn steps(driver: &mut Driver, attempt: u32, end: u64, steps: &[Step]) -> String {
    let mut notes = String::new();
    for step in steps.iter().copied() {
        let done = driver.step(step, attempt, &[], end).await;
        notes += &done.unwrap_or_else(|failure| panic!("{step:?}: {failure:?}")).note;
    }
    notes
}

/// pg_dump's text of the schema.
fn schema_of(cluster: &Cluster) -> String {
    let output = Command::new(cluster::bin().join("pg_dump"))
        .args(["--schema-only", "--host=127.0.0.1", "--username=postgres", "--dbname=shop"])
        .arg(format!("--port={}", cluster.port))
        .env("PGPASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // A key that is new in each dump.
    let told = |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(told).collect::<Vec<_>>().join("\n")
}

fn difference(there: &str, here: &str) -> String {
    let lines = |text: &str, other: &str, sign: char| {
        let other: Vec<&str> = other.lines().collect();
        text.lines()
            .filter(|line| !other.contains(line))
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    format!("{}{}", lines(there, here, '-'), lines(here, there, '+'))
}
