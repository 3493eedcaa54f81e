//! The built-in certificate authority: made at the first start, signs the controller and each agent.
use std::{path::Path, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use whimbrel_points::is_broken;
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use crate::data_dir::{DataDir, DataDirError};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ten years: the authority is pinned by every agent and client, and replacing it means enrolling again.
const CA_LIFE: Duration = DAY.saturating_mul(3650);

/// Ninety days: an agent renews at two thirds, so one that sleeps for a month still comes back.
const AGENT_LIFE: Duration = DAY.saturating_mul(90);

/// For a test that can't wait so long: agents' certificates are good for [`SHORT_LIFE`].
const AGENT_LIFE_LAW: &str = "agent-life";

/// Long enough to join and to open a session with, on a busy machine. It is renewed at once: by [`CLOCK_SLACK`] two thirds of it
/// are over when it is made.
const SHORT_LIFE: Duration = Duration::from_secs(24);

fn agent_life() -> Duration {
    if is_broken(AGENT_LIFE_LAW) { SHORT_LIFE } else { AGENT_LIFE }
}

/// Certificates begin a little before now: clocks differ.
const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);

/// What can go wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Making or reading a certificate.
    #[error("{doing}: {cause}")]
    Certificate {
        /// What was being done to what.
        doing: String,
        /// The library's words.
        cause: String,
    },
    /// The agent's request.
    #[error(
        "the certificate request can't be used: {0}; send a PKCS#10 request in PEM, signed with its own P-256 key"
    )]
    Request(String),
}

fn certificate(doing: &str) -> impl Fn(rcgen::Error) -> TlsError {
    move |e| TlsError::Certificate { doing: doing.to_owned(), cause: e.to_string() }
}

/// The certificate authority of this controller.
pub struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate for an agent.
pub struct SignedAgent {
    /// PEM.
    pub certificate_pem: String,
    /// SHA-256 of its public key.
    pub key_hash: Vec<u8>,
    /// Not good after.
    pub expires_at: Timestamp,
}

impl Authority {
    /// Reads the authority of the data directory, or makes it.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn open(dir: &DataDir, now: Timestamp) -> Result<Self, TlsError> {
        let (certificate_path, key_path) = (dir.path("ca.pem"), dir.path("ca.key"));
        if !certificate_path.exists() {
            Self::make(&certificate_path, &key_path, now)?;
            tracing::info!(path = %certificate_path.display(), "made the certificate authority");
        }
        let pem = DataDir::read(&certificate_path)?;
        let key = KeyPair::from_pem(&DataDir::read(&key_path)?)
            .map_err(certificate("reading the authority's key"))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key)
            .map_err(certificate("reading the authority's certificate"))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| {
            let doing = "reading the authority's certificate".to_owned();
            TlsError::Certificate { doing, cause: e.to_string() }
        })?;
        Ok(Self { pem, der, issuer })
    }

    fn make(certificate_path: &Path, key_path: &Path, now: Timestamp) -> Result<(), TlsError> {
        let failed = certificate("making the certificate authority");
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = params("Whimbrel CA", now, CA_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key).map_err(&failed)?;
        // The key first: a certificate without its key could not be repaired by the next start.
        DataDir::write_secret(key_path, key.serialize_pem().as_bytes())?;
        DataDir::write(certificate_path, made.pem().as_bytes())?;
        Ok(())
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate.
    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 of its certificate, in hexadecimal: what join tokens pin.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.der).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A server certificate and its key, in PEM.
    ///
    /// # Errors
    /// [`TlsError::Certificate`].
    pub fn sign_server(
        &self,
        names: Vec<SanType>,
        now: Timestamp,
        life: Duration,
    ) -> Result<(String, String), TlsError> {
        let failed = certificate("making the server's certificate");
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = params("Whimbrel controller", now, life);
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&key, &self.issuer).map_err(&failed)?;
        Ok((signed.pem(), key.serialize_pem()))
    }

    /// A certificate for the key of an agent's request. Nothing but the key is taken from the request: an agent can't ask
    /// to be something else.
    ///
    /// # Errors
    /// [`TlsError::Request`] when the request is not what it should be.
    pub fn sign_agent(
        &self,
        csr_pem: &str,
        id: &str,
        uid: &str,
        now: Timestamp,
    ) -> Result<SignedAgent, TlsError> {
        let refused = |e: rcgen::Error| TlsError::Request(e.to_string());
        let mut request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(refused)?;
        let life = agent_life();
        let mut params = params(id, now, life);
        params.subject_alt_names = vec![SanType::URI(agent_uri(uid).try_into().map_err(refused)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        request.params = params;
        let signed = request.signed_by(&self.issuer).map_err(refused)?;
        let key_hash = Sha256::digest(request.public_key.subject_public_key_info()).to_vec();
        let expires_at = now.checked_add(life).unwrap_or(Timestamp::MAX);
        Ok(SignedAgent { certificate_pem: signed.pem(), key_hash, expires_at })
    }
}

fn agent_uri(uid: &str) -> String {
    format!("{AGENT_URI_PREFIX}{uid}")
}

const AGENT_URI_PREFIX: &str = "spiffe://whimbrel/agent/";

/// Name and life, and nothing else.
fn params(common_name: &str, now: Timestamp, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(CLOCK_SLACK);
    params.not_after = epoch + now + life;
    params
}

/// The (name, uid) that an agent's certificate carries. That our authority signed it was checked in the handshake.
#[must_use]
pub fn agent_identity(certificate: &CertificateDer<'_>) -> Option<(String, String)> {
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    let names = parsed.subject_alternative_name().ok()??;
    let uid = names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(AGENT_URI_PREFIX),
        _ => None,
    })?;
    Some((name, uid.to_owned()))
}
