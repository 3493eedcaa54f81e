//! Damage on a source's disk, and a source whose transaction ids run out: made for real.
use std::sync::Arc;

use whimbrel_proto::v1::FindingState;

use crate::{
    bench::{Bench, HBA},
    cluster::Cluster,
};

/// The first transaction id of a segment of `pg_xact` (32 pages of 8 kB, two bits a transaction), 1.6 thousand millions.
const NEXT_XID: u64 = 1526 * 32 * 8192 * 4;

/// Autovacuum is told to let it come to that.
#[tokio::test]
async fn transaction_ids_that_run_out() {
    let settings = "autovacuum = off\nautovacuum_freeze_max_age = 2000000000\n";
    let cluster = Arc::new(Cluster::start(HBA, settings));
    let bench = Bench::of(Arc::clone(&cluster)).await;
    bench.sql("postgres", "create database app").await;
    cluster.stop();
    cluster.reset_wal(&["-x", &NEXT_XID.to_string()]);
    cluster.write_bytes("pg_xact/05F6", &[0; 32 * 8192]);
    cluster.restart();
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&["app: WraparoundNear app"]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}

#[tokio::test]
async fn pages_that_do_not_match_their_checksum() {
    let cluster = Arc::new(Cluster::start(HBA, ""));
    let bench = Bench::of(Arc::clone(&cluster)).await;
    bench.sql("postgres", "create database app").await;
    bench.sql("app", "create table public.t (id int primary key, v text)").await;
    bench
        .sql(
            "app",
            "insert into public.t select g, repeat('x', 100) from generate_series(1, 100) g",
        )
        .await;
    let client = bench.client("app").await;
    let row = client.query_one("select pg_relation_filepath('public.t')", &[]).await.unwrap();
    let file: String = row.get(0);
    drop(client);
    cluster.stop();
    cluster.enable_checksums();
    let whole = cluster.read(&file);
    let mut damaged = whole.clone();
    damaged[4000] ^= 0xff;
    cluster.write_bytes(&file, &damaged);
    cluster.restart();
    let client = bench.client("app").await;
    assert!(client.query("select sum(length(v)) from public.t", &[]).await.is_err());
    drop(client);
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&["app: ChecksumFailures app"]);
    looked.assert_status(FindingState::FindingWarning);
    cluster.stop();
    cluster.write_bytes(&file, &whole);
    cluster.restart();
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}
