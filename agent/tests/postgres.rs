//! Sessions, TLS and their errors against a real server.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;

use cluster::{Cluster, PASSWORD};
use whimbrel_agent::{
    postgres::{
        ChildEnvironment, Client, ConnectError, Endpoint, Password, Programs, SslMode, connect,
    },
    replication::{ReplicationConnection, ReplicationError},
};

/// A way to authenticate for each role; none for `nobody`.
const HBA: &str = "local all all scram-sha-256\n\
    host all plain 127.0.0.1/32 scram-sha-256\n\
    host all clear 127.0.0.1/32 password\n\
    host all old 127.0.0.1/32 md5\n\
    host all open 127.0.0.1/32 trust\n\
    host all postgres 127.0.0.1/32 scram-sha-256\n";

const ROLES: &str = "create role plain login replication password 'p'; \
    create role clear login replication password 'p'; \
    create role open login replication; \
    create role nobody login password 'p'; \
    set password_encryption = md5; \
    create role old login replication password 'p'";

fn as_role(cluster: &Cluster, user: &str, ssl_mode: SslMode) -> Endpoint {
    Endpoint {
        user: user.into(),
        password: Some(Password::new("p".into())),
        ..cluster.endpoint(ssl_mode)
    }
}

async fn refused(endpoint: &Endpoint, database: &str) -> ConnectError {
    let error = connect(endpoint, database, "test").await.unwrap_err();
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    assert!(!error.remedy().is_empty());
    // Both kinds of connection say the same.
    match ReplicationConnection::connect(endpoint, database, "test").await.unwrap_err() {
        ReplicationError::Connect(other) => assert_eq!(other.code(), error.code(), "{other}"),
        other => panic!("{other}"),
    }
    error
}

async fn setting(client: &Client, name: &str) -> String {
    let sql = "select coalesce(current_setting($1, true), 'unknown')";
    client.query_one(sql, &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_session_has_our_settings_whatever_the_role_says() {
    let cluster = Cluster::start(HBA, "datestyle = 'SQL, DMY'\nstatement_timeout = 5000");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let first = connect(&endpoint, "postgres", "test").await.unwrap();
    assert!(!first.is_tls());
    assert_eq!(first.server_version_num() / 10_000, first.server_major());
    let role = "alter role postgres set search_path = public; \
        alter role postgres set default_transaction_read_only = on; \
        alter role postgres set timezone = 'Europe/Oslo'; \
        alter role postgres set idle_in_transaction_session_timeout = 1000";
    first.batch_execute(role).await.unwrap();
    let client = connect(&endpoint, "postgres", "copy").await.unwrap();
    for (name, wanted) in [
        ("application_name", "whimbrel/copy"),
        ("datestyle", "ISO, DMY"),
        ("search_path", ""),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("timezone", "UTC"),
        ("default_transaction_read_only", "off"),
        ("row_security", "off"),
        ("extra_float_digits", "3"),
    ] {
        assert_eq!(setting(&client, name).await, wanted, "{name}");
    }
    if client.server_major() >= 14 {
        assert_eq!(setting(&client, "client_connection_check_interval").await, "5s");
        assert_eq!(setting(&client, "idle_session_timeout").await, "0");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let cluster = Cluster::start(HBA, "");
    let admin = connect(&cluster.endpoint(SslMode::Prefer), "postgres", "test").await.unwrap();
    admin.batch_execute(ROLES).await.unwrap();
    let good = cluster.endpoint(SslMode::Prefer);

    let wrong = Endpoint { password: Some(Password::new("no".into())), ..good.clone() };
    assert_eq!(refused(&wrong, "postgres").await.code(), "AuthenticationFailed");
    let none = Endpoint { password: None, ..good.clone() };
    assert_eq!(refused(&none, "postgres").await.code(), "PasswordMissing");
    assert_eq!(refused(&good, "missing").await.code(), "DatabaseDoesNotExist");
    let nobody = as_role(&cluster, "nobody", SslMode::Prefer);
    assert_eq!(refused(&nobody, "postgres").await.code(), "NoPgHbaEntry");
    let unknown = Endpoint { host: "no-such-host.invalid".into(), ..good.clone() };
    assert_eq!(refused(&unknown, "postgres").await.code(), "HostUnresolvable");
    let closed = Endpoint { port: 1, ..good.clone() };
    let error = refused(&closed, "postgres").await;
    assert_eq!(error.code(), "ConnectionRefused");
    assert!(error.is_transient());
    let tls = Endpoint { ssl_mode: SslMode::Require, ..good };
    assert_eq!(refused(&tls, "postgres").await.code(), "TlsNotSupported");
}

#[tokio::test]
async fn every_way_to_authenticate_works_on_both_kinds_of_connection() {
    let cluster = Cluster::start(HBA, "");
    let admin = connect(&cluster.endpoint(SslMode::Prefer), "postgres", "test").await.unwrap();
    admin.batch_execute(ROLES).await.unwrap();
    for user in ["plain", "clear", "old", "open"] {
        let endpoint = as_role(&cluster, user, SslMode::Prefer);
        connect(&endpoint, "postgres", "test").await.unwrap();
        ReplicationConnection::connect(&endpoint, "postgres", "test").await.unwrap();
    }
    connect(&cluster.socket_endpoint(), "postgres", "test").await.unwrap();
}

#[tokio::test]
async fn a_statement_can_be_cancelled_and_a_lost_session_says_why() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let client = connect(&endpoint, "postgres", "test").await.unwrap();
    let admin = connect(&endpoint, "postgres", "admin").await.unwrap();
    let canceller = client.canceller();
    let sleeping = client.batch_execute("select pg_sleep(60)");
    let cancelling = async {
        let running = "select count(*) from pg_stat_activity \
            where application_name = 'whimbrel/test' and state = 'active'";
        while admin.query_one(running, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        canceller.cancel().await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleeping, cancelling);
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");

    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
        where application_name = 'whimbrel/test'";
    admin.execute(end, &[]).await.unwrap();
    while !client.is_closed() {
        tokio::task::yield_now().await;
    }
    assert!(client.closed_because().unwrap().contains("57P01"), "{:?}", client.closed_because());
}

#[tokio::test]
async fn pg_dump_logs_in_without_a_password_on_its_command_line() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let major = connect(&endpoint, "postgres", "test").await.unwrap().server_major();
    let programs = Programs::discover(&[]).await;
    let Ok(tools) = programs.dump_for(major, major) else {
        // Servers for tests come without it, the machine's own with it.
        assert!(std::env::var_os("WHIMBREL_TEST_PG_BIN").is_some(), "no pg_dump {major}");
        return;
    };
    let environment = ChildEnvironment::new(&endpoint, "postgres", "dump").unwrap();
    let mut command = tokio::process::Command::new(&tools.dump.path);
    command.args(["--schema-only", "--no-password"]);
    environment.apply(&mut command);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
