//! libpq's TLS modes against a real server. One test, in a program of its own: it sets an environment variable.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;

use std::{env, path::Path};

use cluster::Cluster;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use whimbrel_agent::{
    postgres::{Endpoint, Password, SslMode, connect},
    replication::{ReplicationConnection, ReplicationError},
};

const HBA: &str = "hostssl all tls 127.0.0.1/32 scram-sha-256\n\
    hostnossl all plain 127.0.0.1/32 scram-sha-256\n\
    host all postgres 127.0.0.1/32 scram-sha-256\n";

const ROLES: &str = "create role tls login replication password 'p'; \
    create role plain login replication password 'p'";

fn as_role(cluster: &Cluster, user: &str, ssl_mode: SslMode) -> Endpoint {
    Endpoint {
        user: user.into(),
        password: Some(Password::new("p".into())),
        ..cluster.endpoint(ssl_mode)
    }
}

/// The code and the text of a refusal, the same for both kinds of connection.
async fn refused(endpoint: &Endpoint) -> (&'static str, String) {
    let error = connect(endpoint, "postgres", "test").await.unwrap_err();
    match ReplicationConnection::connect(endpoint, "postgres", "test").await.unwrap_err() {
        ReplicationError::Connect(other) => assert_eq!(other.code(), error.code(), "{other}"),
        other => panic!("{other}"),
    }
    (error.code(), error.to_string())
}

/// A CA, and a server certificate of it for `names`.
fn certificates(names: Vec<SanType>) -> (String, String, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = names;
    let certificate = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    (ca_pem, certificate.pem(), key.serialize_pem())
}

fn with_tls(cluster: &Cluster, names: Vec<SanType>) -> String {
    let (ca, certificate, key) = certificates(names);
    cluster.write("server.crt", &certificate);
    cluster.write("server.key", &key);
    cluster.append("postgresql.auto.conf", "ssl = on\n");
    cluster.restart();
    ca
}

fn trust(path: &Path) {
    #[allow(
        unsafe_code,
        clippy::disallowed_methods,
        reason = "nothing else runs in this program, so nothing reads the environment meanwhile"
    )]
    unsafe {
        env::set_var("PGSSLROOTCERT", path);
    }
}

#[tokio::test]
async fn tls_modes_are_libpqs() {
    let cluster = Cluster::start(HBA, "");
    let admin = connect(&cluster.endpoint(SslMode::Prefer), "postgres", "test").await.unwrap();
    admin.batch_execute(ROLES).await.unwrap();
    drop(admin);
    let ca = with_tls(&cluster, vec![SanType::DnsName("db.example".try_into().unwrap())]);
    let folder = tempfile::tempdir().unwrap();
    let (roots, foreign) = (folder.path().join("ca"), folder.path().join("foreign"));
    std::fs::write(&roots, ca).unwrap();
    std::fs::write(&foreign, certificates(Vec::new()).0).unwrap();

    for mode in [SslMode::Prefer, SslMode::Require] {
        let endpoint = as_role(&cluster, "tls", mode);
        assert!(connect(&endpoint, "postgres", "test").await.unwrap().is_tls());
        // SCRAM-SHA-256-PLUS: the server offers it over TLS, and would refuse a client that hides that it can.
        let replication = ReplicationConnection::connect(&endpoint, "postgres", "test").await;
        assert!(replication.unwrap().is_tls());
    }
    let endpoint = as_role(&cluster, "tls", SslMode::Disable);
    assert_eq!(refused(&endpoint).await.0, "NoPgHbaEntry");
    // The server takes this role only without TLS.
    let endpoint = as_role(&cluster, "plain", SslMode::Prefer);
    assert!(!connect(&endpoint, "postgres", "test").await.unwrap().is_tls());
    ReplicationConnection::connect(&endpoint, "postgres", "test").await.unwrap();

    let verify_ca = as_role(&cluster, "tls", SslMode::VerifyCa);
    trust(&folder.path().join("missing"));
    assert_eq!(refused(&verify_ca).await.0, "RootCertificatesMissing");
    trust(&foreign);
    assert_eq!(refused(&verify_ca).await.0, "TlsFailed");
    trust(&roots);
    connect(&verify_ca, "postgres", "test").await.unwrap();
    let verify_full = as_role(&cluster, "tls", SslMode::VerifyFull);
    let (code, text) = refused(&verify_full).await;
    assert_eq!(code, "TlsFailed");
    assert!(text.contains("subject alternative name"), "{text}");

    let ca = with_tls(&cluster, vec![SanType::IpAddress([127, 0, 0, 1].into())]);
    std::fs::write(&roots, ca).unwrap();
    connect(&verify_full, "postgres", "test").await.unwrap();
    ReplicationConnection::connect(&verify_full, "postgres", "test").await.unwrap();
}
