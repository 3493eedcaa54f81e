//! TLS to the controller: checked against the CA that the token names, or the one that was kept.
use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use whimbrel_proto::CONTROLLER_TLS_NAME;

use super::{
    error::LinkError,
    heard::{Heard, LastWord},
    identity::Identity,
};

/// For TCP and TLS together. A controller across an ocean answers in well under a second.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// A path that is dead must be noticed before the lease ends: pings while idle, and ten seconds to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// gRPC over HTTP/2 is the only thing spoken.
const ALPN: &[u8] = b"h2";

/// A try to reach the controller.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("connecting to {address}: {cause}")]
    Unreachable { address: String, cause: io::Error },
    #[error("connecting to {address}: no answer within {} s", DIAL_TIMEOUT.as_secs())]
    Timeout { address: String },
    #[error("connecting to {address}: {cause}")]
    Tls { address: String, cause: io::Error },
    #[error("connecting to {address}: {cause}")]
    Http { address: String, cause: tonic::transport::Error },
}

impl DialError {
    /// The server's certificate was refused (as opposed to a network that broke off in the handshake).
    pub(super) fn is_certificate(&self) -> bool {
        let Self::Tls { cause, .. } = self else { return false };
        let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        matches!(inner, Some(Error::InvalidCertificate(_)))
    }
}

/// One connection, never dialled again by itself: each session has its own. With it comes what the controller will have said
/// if it refuses us.
pub(super) async fn dial(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<(Channel, LastWord), DialError> {
    let address = address.to_owned();
    let stream = match timeout(DIAL_TIMEOUT, handshake(&address, config)).await {
        Ok(stream) => stream?,
        Err(_) => return Err(DialError::Timeout { address }),
    };
    let word = LastWord::default();
    let stream = Arc::new(Mutex::new(Some(Heard::new(stream, word.clone()))));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(stream.map(TokioIo::new).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "the connection to the controller ended")
        }))
    });
    Endpoint::from_static("http://controller")
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map(|channel| (channel, word))
        .map_err(|cause| DialError::Http { address, cause })
}

async fn handshake(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let unreachable = |cause| DialError::Unreachable { address: address.to_owned(), cause };
    let socket = TcpStream::connect(address).await.map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    // Whatever the address: the certificate always has this name, and only our own CA can have signed it.
    let name = ServerName::try_from(CONTROLLER_TLS_NAME)
        .map_err(|error| unreachable(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    TlsConnector::from(config)
        .connect(name, socket)
        .await
        .map_err(|cause| DialError::Tls { address: address.to_owned(), cause })
}

fn crypto(error: impl std::fmt::Display) -> LinkError {
    LinkError::Crypto { doing: "setting up TLS to the controller", cause: error.to_string() }
}

/// For sessions: the CA that was kept, and our own certificate.
pub(super) fn session_config(identity: &Identity) -> Result<Arc<ClientConfig>, LinkError> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.ca()?).map_err(crypto)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(crypto)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.certificate()?], identity.key()?)
        .map_err(crypto)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// For enrolment: any CA with this fingerprint, which the server must show; it can be asked for afterwards.
pub(super) fn enrolment_config(
    fingerprint: [u8; 32],
) -> Result<(Arc<ClientConfig>, Arc<Pinned>), LinkError> {
    let provider = Arc::new(ring::default_provider());
    let pinned =
        Arc::new(Pinned { fingerprint, provider: Arc::clone(&provider), ca: OnceLock::new() });
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Pinned>::clone(&pinned);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(crypto)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok((Arc::new(config), pinned))
}

/// Takes a server whose chain ends in the CA with the fingerprint: the secret is sent to nobody else.
#[derive(Debug)]
pub(super) struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
    ca: OnceLock<CertificateDer<'static>>,
}

impl Pinned {
    /// The CA's certificate, after a handshake.
    pub(super) fn ca(&self) -> Option<&CertificateDer<'static>> {
        self.ca.get()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refuse = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let ca = intermediates
            .iter()
            .find(|shown| Sha256::digest(shown).as_slice() == self.fingerprint)
            .ok_or_else(refuse)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        self.ca.get_or_init(|| ca.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
