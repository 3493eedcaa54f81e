//! libpq's TLS modes for rustls.
//!
//! rustls is stricter than libpq: it wants X.509 version 3 and a subject alternative name. Where that bites, the error
//! says how to make the certificate anew.
mod binding;
mod verify;

use std::{env, fs, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

pub(super) use binding::channel_binding;

use self::verify::{Unverified, Verified};
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
