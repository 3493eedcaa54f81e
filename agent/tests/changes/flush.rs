//! The source may forget what the target has on its disk, and nothing more.
use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    Followed,
    cluster::Cluster,
    driver::{HBA, value},
};

const CONFIRMED: &str = "select confirmed_flush_lsn from pg_replication_slots";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_crashes_gets_again_what_it_lost() {
    let source = Arc::new(Cluster::start(HBA, ""));
    // It flushes by itself only every ten seconds.
    let target =
        Arc::new(Cluster::start(HBA, "wal_writer_delay = 10s\nwal_writer_flush_after = 1GB\n"));
    let schema = "create table t (id int primary key, v int); create table w (v int); alter table w replica identity full";
    let mut followed = Followed::start_on(source, Arc::clone(&target), "flush", schema).await;
    followed.assert_alike().await;
    let written = value(&followed.source, "flush", "select pg_current_wal_lsn()").await;
    followed.write("insert into t select g, 0 from generate_series(1, 100) g; insert into w select g from generate_series(1, 100) g").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while value(&target, "flush", "select count(*) from w").await != "100" {
        assert!(Instant::now() < deadline, "the rows did not come");
        sleep(Duration::from_millis(20)).await;
    }
    // Committed and visible there, not flushed: the slot must not know.
    let early = format!("({CONFIRMED}) > '{written}'::pg_lsn");
    assert_eq!(value(&followed.source, "flush", &early).await, "false");
    target.crash();
    followed.go_on().await;
    followed.write("update t set v = v + 1; update w set v = v + 1").await;
    followed.assert_alike().await;
    let sum = value(&target, "flush", "select sum(v) from t").await;
    assert_eq!(sum, "100");
}
