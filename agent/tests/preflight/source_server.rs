//! Defects of a source's server.
use whimbrel_agent::postgres::{Endpoint, Password, Programs};
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, ROLE_PASSWORD};

#[tokio::test]
async fn that_lets_nobody_in_is_all_that_is_told() {
    let bench = Bench::shared().await;
    let superuser = bench.superuser();
    let address = superuser.address();
    let nobody = Endpoint { port: 1, ..superuser.clone() };
    let wrong = Endpoint { password: Some(Password::new("no".into())), ..superuser.clone() };
    for (endpoint, expected) in [
        (&nobody, ": ConnectionRefused 127.0.0.1:1".to_owned()),
        (&wrong, format!(": AuthenticationFailed {address}")),
    ] {
        let looked = bench.source(endpoint, &["app"]).await;
        looked.assert_told(&[&expected]);
        looked.assert_status(FindingState::FindingFailed);
        assert_eq!(looked.made(""), ["AuthenticationAndConnectivityValidation"]);
        assert!(looked.0.findings.as_ref().unwrap().databases.is_empty());
        assert!(looked.0.facts.is_empty());
        let target = bench.target(endpoint, &["app"], b"").await;
        target.assert_told(&[&expected]);
    }
}

#[tokio::test]
async fn without_a_database_postgres_is_looked_at_from_another() {
    let bench = Bench::start("").await;
    bench.sql("postgres", "create database app").await;
    bench.sql("app", "drop database postgres").await;
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
    let missing = bench.source(&bench.superuser(), &["none"]).await;
    let address = bench.superuser().address();
    missing.assert_told(&[&format!(": DatabaseDoesNotExist {address}")]);
}

#[tokio::test]
async fn that_does_not_write_enough_and_has_no_room() {
    let bench =
        Bench::start("wal_level = replica\nmax_replication_slots = 2\nmax_wal_senders = 1\n").await;
    bench.sql("postgres", "create database app").await;
    bench.sql("postgres", "select pg_create_physical_replication_slot('idle')").await;
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&[
        ": WalLevelNotLogical wal_level",
        ": ReplicationSlotsExhausted max_replication_slots",
        ": WalSendersExhausted max_wal_senders",
    ]);
    assert!(looked.only("ReplicationSlotsExhausted").message.contains("nobody uses idle"));
    looked.paste(&bench).await;
    bench.cluster.restart();
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}

#[tokio::test]
async fn that_is_a_standby() {
    let bench = Bench::start("").await;
    bench.sql("postgres", "create database app").await;
    bench.cluster.write("standby.signal", "");
    bench.cluster.restart();
    let address = bench.superuser().address();
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&[&format!(": ServerInRecovery {address}")]);
    let target = bench.target(&bench.superuser(), &["app"], &looked.0.facts).await;
    assert!(
        target.told().contains(&format!(": ServerInRecovery {address}")),
        "{:?}",
        target.told()
    );
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}

#[tokio::test]
async fn whose_role_may_not_replicate_and_programs_that_are_missing() {
    let mut bench = Bench::shared().await;
    bench
        .sql("postgres", &format!("create role plain_mover login password '{ROLE_PASSWORD}'"))
        .await;
    bench.sql("postgres", "create database plain owner plain_mover").await;
    let looked = bench.source(&bench.as_role("plain_mover"), &["plain"]).await;
    looked.assert_told(&[": ReplicationPrivilegeMissing plain_mover"]);
    looked.paste(&bench).await;
    bench.source(&bench.as_role("plain_mover"), &["plain"]).await.assert_told(&[]);

    bench.programs = Programs::default();
    let looked = bench.source(&bench.superuser(), &["plain"]).await;
    looked.assert_told(&[": PgDumpMissing pg_dump"]);
    assert!(looked.only("PgDumpMissing").remedy.contains("postgresql-client-"));
}

#[tokio::test]
async fn that_throws_away_what_a_slot_needs() {
    let bench = Bench::start("max_slot_wal_keep_size = '1GB'\nwal_sender_timeout = '3s'\n").await;
    bench.sql("postgres", "create database app").await;
    let looked = bench.source(&bench.superuser(), &["app"]).await;
    looked.assert_told(&[
        ": WalKeepSizeLimited max_slot_wal_keep_size",
        ": WalSenderTimeoutShort wal_sender_timeout",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    assert!(looked.only("WalKeepSizeLimited").message.contains("1024 MB"));
    looked.paste(&bench).await;
    bench.source(&bench.superuser(), &["app"]).await.assert_told(&[]);
}

#[tokio::test]
async fn that_has_few_sessions_and_locks() {
    let bench = Bench::start(
        "max_connections = 8\nmax_wal_senders = 4\nmax_locks_per_transaction = 10\nautovacuum_max_workers = 1\n",
    )
    .await;
    bench
        .sql(
            "postgres",
            &format!("create role few_mover login replication connection limit 3 password '{ROLE_PASSWORD}'"),
        )
        .await;
    bench.sql("postgres", "create database app owner few_mover connection limit 4").await;
    let tables: String =
        (0..90).map(|i| format!("create table public.t{i} (id int primary key);")).collect();
    bench.sql("app", "alter schema public owner to few_mover").await;
    bench.sql("app", &format!("set role few_mover; {tables}")).await;
    let mover = bench.as_role("few_mover");
    let looked = bench.source(&mover, &["app"]).await;
    looked.assert_told(&[
        ": ConnectionsFew max_connections",
        ": ConnectionLimitLow few_mover",
        ": ConnectionLimitLow app",
        "app: MaxLocksTooLow max_locks_per_transaction",
    ]);
    looked.paste(&bench).await;
    bench.cluster.restart();
    bench.source(&mover, &["app"]).await.assert_told(&[]);
}
