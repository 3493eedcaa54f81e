//! The server's certificate, and the TLS settings of the one port.
use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::SanType;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use super::authority::{Authority, TlsError};
use crate::data_dir::DataDir;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Five years: it is made again only at a start, and clients pin the CA, not this.
const LIFE: Duration = DAY.saturating_mul(5 * 365);

/// Made again when less than this is left: a controller that is restarted once in four years never notices.
const RENEW_BEFORE: Duration = DAY.saturating_mul(4 * 365);

/// The certificate that the server shows, and its key.
pub struct ServerIdentity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl ServerIdentity {
    /// Reads the server's certificate, or makes one: at the first start, when its names are others, when it is about to
    /// expire.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(
        dir: &DataDir,
        authority: &Authority,
        hosts: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let (certificate_path, key_path) = (dir.path("server.pem"), dir.path("server.key"));
        let good = certificate_path.exists()
            && key_path.exists()
            && DataDir::read(&certificate_path).is_ok_and(|pem| is_good(&pem, hosts, now));
        if !good {
            let names = hosts.iter().map(|h| san(h)).collect::<Result<_, _>>()?;
            let (certificate, key) = authority.sign_server(names, now, LIFE)?;
            DataDir::write_secret(&key_path, key.as_bytes())?;
            DataDir::write(&certificate_path, certificate.as_bytes())?;
            tracing::info!(names = ?hosts, "made the server's certificate");
        }
        let certificate = DataDir::read(&certificate_path)?;
        let key = DataDir::read(&key_path)?;
        Ok(Self {
            certificate: CertificateDer::from_pem_slice(certificate.as_bytes())
                .map_err(|e| unreadable("the server's certificate", &e))?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|e| unreadable("the server's key", &e))?,
        })
    }
}

fn unreadable(what: &str, cause: &dyn std::fmt::Display) -> TlsError {
    TlsError::Certificate { doing: format!("reading {what}"), cause: cause.to_string() }
}

fn san(host: &str) -> Result<SanType, TlsError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let name = host.try_into().map_err(|e: rcgen::Error| TlsError::Certificate {
        doing: format!("using {host:?} as a name of the server's certificate"),
        cause: e.to_string(),
    })?;
    Ok(SanType::DnsName(name))
}

fn is_good(pem: &str, hosts: &BTreeSet<String>, now: Timestamp) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok((_, parsed)) = x509_parser::certificate::X509Certificate::from_der(&der) else {
        return false;
    };
    let renew_before = i64::try_from(RENEW_BEFORE.as_secs()).unwrap_or(i64::MAX);
    let fresh = parsed.validity().not_after.timestamp() - now.as_second() > renew_before;
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
    let has: BTreeSet<String> = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(dns) => Some((*dns).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    fresh && has == *hosts
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| sixteen()).ok().map(|a| a.to_string())
}

/// The TLS settings: our certificate; a client's certificate is welcome, and if there is one, our authority signed it.
///
/// # Errors
/// [`TlsError::Certificate`].
pub fn server_config(
    authority: &Authority,
    identity: ServerIdentity,
) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |cause: &dyn std::fmt::Display| TlsError::Certificate {
        doing: "setting up TLS".to_owned(),
        cause: cause.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).map_err(|e| failed(&e))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|e| failed(&e))?;
    let chain = vec![identity.certificate, authority.der().clone()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, identity.key)
        .map_err(|e| failed(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
