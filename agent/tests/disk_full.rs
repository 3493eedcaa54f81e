//! A target whose disk is full: the copy holds by name, what is there stays, and it goes on when there is room.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{process::Command, sync::Arc};

use cluster::Cluster;
use driver::{Driver, HBA, database, sql, value};
use whimbrel_proto::agent::v1::{CopyLimits, failure::Policy, report::Kind};

/// A file system of its own, for a tablespace; away when the test is over.
struct Disk(String);

impl Disk {
    /// `None`: our rights don't let us mount one.
    fn mount(folder: &str, megabytes: u32) -> Option<Self> {
        let owner = std::fs::metadata(folder).unwrap();
        let (uid, gid) = (
            std::os::unix::fs::MetadataExt::uid(&owner),
            std::os::unix::fs::MetadataExt::gid(&owner),
        );
        let options = format!("size={megabytes}m,mode=700,uid={uid},gid={gid}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs", folder])
            .output()
            .ok()?;
        mount.status.success().then(|| Self(folder.to_owned()))
    }

    fn grow(&self, megabytes: u32) {
        let options = format!("remount,size={megabytes}m");
        assert!(Command::new("mount").args(["-o", &options, &self.0]).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may still have files of it open for a moment.
        if let Err(error) = Command::new("umount").args(["-l", &self.0]).status() {
            eprintln!("unmounting {}: {error}", self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_when_the_targets_disk_is_full_and_goes_on_by_part() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let folder = target.folder_of_server("small");
    let Some(disk) = Disk::mount(&folder, 40) else {
        eprintln!("skipped: no right to mount a file system");
        return;
    };
    database(&target, &format!("create tablespace small location '{folder}'")).await;
    // Databases that are made from it are there too.
    database(&target, "alter database template0 set tablespace small").await;
    database(&source, "create database narrow").await;
    sql(&source, "narrow", "create table t (id int primary key, pad text); insert into t select g, repeat('x', 500) from generate_series(1, 80000) g").await;
    let mut driver = Driver::new(&source, &target, "narrow").await;
    driver.limits = CopyLimits { part_pages: 256, jobs: 2, ..CopyLimits::default() };
    driver.begin(1, 0).await;
    let failure = driver.failure().await;
    assert_eq!(
        (failure.code.as_str(), failure.policy()),
        ("DiskFull", Policy::Hold),
        "{failure:?}"
    );
    driver.kill().await;
    let parts = "select count(*) from whimbrel.part";
    let before: u32 = value(&target, "narrow", parts).await.parse().unwrap();
    let first = "select string_agg(xmin::text, ',' order by page_from) from whimbrel.part where page_from > 0 and page_from <= 512";
    let kept = value(&target, "narrow", first).await;
    assert!(before > 3, "{before} parts");
    disk.grow(400);
    let oid = "select oid::int8 from pg_database where datname = 'narrow'";
    let oid: u32 = value(&target, "postgres", oid).await.parse().unwrap();
    driver.begin(2, oid).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "narrow", first).await, kept);
    let sum = "select count(*) || ' ' || sum(id) from t";
    assert_eq!(value(&source, "narrow", sum).await, value(&target, "narrow", sum).await);
    drop(target);
}
