//! libpq's TLS modes for rustls, and the channel binding that SCRAM wants.
//!
//! rustls is stricter than libpq: it wants X.509 version 3 and a subject alternative name. Where that bites, the error
//! says how to make the certificate anew.
use std::{env, fs, io, path::PathBuf, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{ConnectError, ConnectProblem, Endpoint, SslMode};

/// TLS that can't be set up on our side.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsSetupError {
    #[error("reading the root certificates {path}: {cause}")]
    Roots { path: String, cause: String },
    #[error("neither PGSSLROOTCERT nor a home folder names the root certificates")]
    NoRootFile,
    #[error("setting up TLS: {0}")]
    Rustls(String),
}

impl TlsSetupError {
    pub(super) fn into_connect_error(self, endpoint: &Endpoint, database: &str) -> ConnectError {
        let problem = match self {
            Self::Roots { .. } | Self::NoRootFile => ConnectProblem::RootCertificatesMissing,
            Self::Rustls(_) => ConnectProblem::TlsFailed,
        };
        ConnectError::new(problem, endpoint, database, self.to_string())
    }
}

pub(super) fn client_config(mode: SslMode) -> Result<ClientConfig, TlsSetupError> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => {
            Arc::new(Unverified(Arc::clone(&provider)))
        }
        SslMode::VerifyCa => Arc::new(Verified::new(&provider, false)?),
        SslMode::VerifyFull => Arc::new(Verified::new(&provider, true)?),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::Rustls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Where libpq looks: `PGSSLROOTCERT`, else `~/.postgresql/root.crt`.
fn root_file() -> Result<PathBuf, TlsSetupError> {
    if let Some(path) = env::var_os("PGSSLROOTCERT").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let home = env::home_dir().ok_or(TlsSetupError::NoRootFile)?;
    Ok(home.join(".postgresql/root.crt"))
}

fn read_roots() -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let path = root_file()?;
    let refuse = |cause: String| TlsSetupError::Roots { path: path.display().to_string(), cause };
    let pem = fs::read(&path).map_err(|error| refuse(error.to_string()))?;
    let roots = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(error.to_string()))?;
    if roots.is_empty() {
        return Err(refuse("no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// `prefer` and `require`: encryption against listeners, no word about who is there.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    // Who made up the certificate could sign with it too, so checking the signature would tell nothing, and would
    // refuse the version 1 certificates that libpq takes.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// `verify-ca` and `verify-full`.
#[derive(Debug)]
struct Verified {
    chain: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl Verified {
    fn new(provider: &Arc<CryptoProvider>, check_name: bool) -> Result<Self, TlsSetupError> {
        let roots = read_roots()?;
        let mut store = RootCertStore::empty();
        for root in &roots {
            store.add(root.clone()).map_err(|error| TlsSetupError::Rustls(error.to_string()))?;
        }
        let provider = Arc::clone(provider);
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| TlsSetupError::Rustls(error.to_string()))?;
        Ok(Self { chain, roots, check_name })
    }

    /// A self-signed certificate that is itself in the root file: libpq takes it, webpki never takes a CA's certificate
    /// as a server's.
    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().any(|root| root == certificate)
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let refuse = |problem| Error::InvalidCertificate(problem);
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|_| refuse(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > parsed.validity().not_after.timestamp() {
        return Err(refuse(CertificateError::Expired));
    }
    if now < parsed.validity().not_before.timestamp() {
        return Err(refuse(CertificateError::NotValidYet));
    }
    Ok(())
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_root(end_entity) {
            check_dates(end_entity, now)?;
            if self.check_name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match self.chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // webpki looks at the name last, after the chain and the dates.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A failed handshake in words, with what to do where rustls' own words don't say it.
pub(super) fn explain(error: &io::Error) -> String {
    let text = format!("TLS handshake: {error}");
    let advice = if text.contains("UnsupportedCertVersion") {
        "; the server's certificate is X.509 version 1: make it anew with a subject alternative name"
    } else if text.contains("CaUsedAsEndEntity") {
        "; the server shows a CA's certificate: put this very certificate into the root file"
    } else if text.contains("UnknownIssuer") {
        "; its issuer is not in the root file"
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        "; the certificate has no subject alternative name for this host: make it anew with one, or ask for ssl mode VerifyCA"
    } else {
        ""
    };
    format!("{text}{advice}")
}

/// `tls-server-end-point` (RFC 5929): the certificate's hash by its own signature's algorithm, SHA-1 and MD5 raised to
/// SHA-256. None for algorithms without a hash of their own, such as Ed25519.
pub(super) fn channel_binding(connection: &ClientConnection) -> Option<Vec<u8>> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    end_point_hash(&parsed.signature_algorithm.algorithm.to_id_string(), certificate)
}

fn end_point_hash(signature_algorithm: &str, certificate: &[u8]) -> Option<Vec<u8>> {
    match signature_algorithm {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => {
            Some(Sha384::digest(certificate).to_vec())
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => {
            Some(Sha512::digest(certificate).to_vec())
        }
        _ => None,
    }
}
