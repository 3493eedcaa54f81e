//! Sessions of ours that a setting makes another role's (`… set role`).
use std::sync::Arc;

use whimbrel_proto::agent::v1::report::Kind;

use crate::{
    cluster::{Cluster, PASSWORD},
    cut_over_alike,
    driver::{Driver, HBA, database, sql, value},
};

async fn servers(source_role: &str, target_role: &str) -> (Arc<Cluster>, Arc<Cluster>) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let password = PASSWORD.replace('\'', "''");
    for (cluster, attributes) in [(&source, source_role), (&target, target_role)] {
        database(cluster, "create role own createdb").await;
        let role =
            format!("create role mover login {attributes} in role own password '{password}'");
        database(cluster, &role).await;
    }
    (source, target)
}

/// With `schema` on the source, whose owner `own` is.
async fn moving(source: &Arc<Cluster>, target: &Arc<Cluster>, schema: &str) -> Driver {
    database(source, "create database shop owner own").await;
    sql(source, "shop", "set role own;\ncreate table t (id int primary key, v text);\ninsert into t values (1, 'a')").await;
    sql(source, "postgres", schema).await;
    let mut driver = Driver::new(source, target, "shop").await;
    driver.user = "mover".into();
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(source, "shop", "update t set v = 'b'").await;
    driver
}

async fn nothing_is_left(source: &Cluster, target: &Cluster) {
    let left = "select (select count(*) from pg_replication_slots) + (select count(*) from pg_publication)";
    assert_eq!(value(source, "shop", left).await, "0");
    let ledger = "select count(*) from pg_namespace where nspname = 'whimbrel'";
    assert_eq!(value(target, "shop", ledger).await, "0");
}

/// Only that role has rights; and only the login role may end what runs as the login role.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_role_that_becomes_the_owner_ends_its_own_sessions() {
    let (source, target) = servers("noinherit replication", "noinherit").await;
    for cluster in [&source, &target] {
        database(cluster, "alter role mover set role = 'own'").await;
    }
    let mut driver = moving(&source, &target, "select 1").await;
    driver.kill().await;
    let mut driver = Driver::another(&driver).await;
    driver.user = "mover".into();
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    nothing_is_left(&source, &target).await;
}

/// The setting comes with the switch; our last steps there are the ledger's owner's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_makes_everybody_another_role_is_switched_and_cleaned() {
    let (source, target) = servers("superuser", "createdb").await;
    for cluster in [&source, &target] {
        database(cluster, "create role app in role own;\ngrant app to mover").await;
    }
    let mut driver = moving(&source, &target, "alter database shop set role = 'app'").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    nothing_is_left(&source, &target).await;
    let set = "select setconfig from pg_db_role_setting where setrole = 0";
    assert_eq!(value(&target, "postgres", set).await, "{role=app}");
}
