//! Row changes of every kind, through the stream, on real servers: what arrives is what was written.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../driver/mod.rs"]
mod driver;

mod encodings;
mod flush;
mod fuzz;
mod kinds;
mod settings;
mod types;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, rows_alike};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// Two servers, and a database on the first of them that is followed on the second.
pub(crate) struct Followed {
    pub(crate) source: Arc<Cluster>,
    pub(crate) target: Arc<Cluster>,
    pub(crate) driver: Driver,
    name: &'static str,
    attempt: u32,
    epoch: u64,
}

impl Followed {
    /// Makes the database by `schema`, copies it, and follows it.
    pub(crate) async fn start(name: &'static str, schema: &str) -> Self {
        let settings = "max_prepared_transactions = 10\n";
        let (source, target) =
            (Arc::new(Cluster::start(HBA, settings)), Arc::new(Cluster::start(HBA, settings)));
        Self::start_on(source, target, name, schema).await
    }

    pub(crate) async fn start_on(
        source: Arc<Cluster>,
        target: Arc<Cluster>,
        name: &'static str,
        schema: &str,
    ) -> Self {
        database(&source, &format!("create database {name}")).await;
        Self::follow(source, target, name, schema).await
    }

    /// As [`Followed::start`], of a database that is there.
    pub(crate) async fn follow(
        source: Arc<Cluster>,
        target: Arc<Cluster>,
        name: &'static str,
        schema: &str,
    ) -> Self {
        let mut driver = Driver::new(&source, &target, name).await;
        let mut followed = Self { source, target, driver, name, attempt: 0, epoch: 1 };
        followed.write(schema).await;
        driver = followed.driver;
        driver.begin(1, 0).await;
        driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
        followed.driver = driver;
        followed
    }

    /// Another agent takes the work over, with new sessions.
    pub(crate) async fn go_on(&mut self) {
        let mut next = Driver::another(&self.driver).await;
        self.driver.kill().await;
        self.epoch += 1;
        next.begin(self.epoch, self.driver.target_oid()).await;
        next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
        self.driver = next;
    }

    /// Runs a script on the source: what blank lines part is sent, and committed, by itself.
    pub(crate) async fn write(&self, script: &str) {
        let client = driver::session(&self.source, self.name).await;
        for part in script.split("\n\n").filter(|part| !part.trim().is_empty()) {
            let done = client.batch_execute(part).await;
            done.unwrap_or_else(|error| panic!("{part}: {error:?}"));
        }
    }

    /// Waits until everything written so far is there, compares every table, and goes on following.
    pub(crate) async fn assert_alike(&mut self) {
        self.assert_alike_but(&[]).await;
    }

    /// As [`Followed::assert_alike`], but for tables that the stream does not carry whole.
    pub(crate) async fn assert_alike_but(&mut self, tables: &[&str]) {
        self.attempt += 1;
        let end = self.driver.step(Step::MarkEnd, self.attempt, &[], 0).await.unwrap().lsn;
        self.driver.step(Step::Drain, self.attempt, &[], end).await.unwrap();
        rows_alike(&self.source, &self.target, self.name, tables).await;
        self.driver.back(self.attempt).await;
    }

    /// Leaves nothing of it on either server.
    pub(crate) async fn end(mut self) {
        self.driver.lose_slot().await;
        for cluster in [&self.source, &self.target] {
            database(cluster, &format!("drop database {} with (force)", self.name)).await;
        }
    }
}
