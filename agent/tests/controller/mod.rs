//! A controller that does what the test tells it: the real TLS and gRPC, no rules.
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::Stream;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};
use whimbrel_proto::{
    CONTROLLER_TLS_NAME,
    agent::v1::{
        AgentMessage, ControllerMessage, EnrolRequest, EnrolResponse, agent_message,
        controller_message,
        enrolment_service_server::{EnrolmentService, EnrolmentServiceServer},
        link_service_server::{LinkService, LinkServiceServer},
    },
};

pub(crate) const SECRET: &[u8] = b"once";

/// One session, from the controller's side.
pub(crate) struct Peer {
    pub(crate) from: Streaming<AgentMessage>,
    pub(crate) to: mpsc::Sender<Result<ControllerMessage, Status>>,
}

impl Peer {
    pub(crate) async fn next(&mut self) -> agent_message::Kind {
        self.from.message().await.unwrap().expect("the agent left").kind.unwrap()
    }

    pub(crate) async fn send(&self, kind: controller_message::Kind) {
        self.to.send(Ok(ControllerMessage { kind: Some(kind) })).await.unwrap();
    }
}

pub(crate) struct Controller {
    pub(crate) address: SocketAddr,
    pub(crate) ca_der: Vec<u8>,
    pub(crate) peers: mpsc::Receiver<Peer>,
    server: JoinHandle<()>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Controller {
    pub(crate) async fn start() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = Arc::new(Issuer::new(ca, ca_key));
        let (peers_in, peers) = mpsc::channel(4);
        let service = Service {
            issuer: Arc::clone(&issuer),
            ca_pem: ca_certificate.pem(),
            used: Mutex::new(false),
            peers: peers_in,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = acceptor(&issuer, ca_certificate.der());
        let server = tokio::spawn(serve(listener, acceptor, Arc::new(service)));
        Self { address, ca_der: ca_certificate.der().to_vec(), peers, server }
    }

    pub(crate) fn token(&self) -> String {
        token(&self.address.to_string(), &Sha256::digest(&self.ca_der))
    }
}

pub(crate) fn token(address: &str, fingerprint: &[u8]) -> String {
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = BASE64_URL_SAFE_NO_PAD.encode(SECRET);
    let json = format!(
        r#"{{"v":1,"addresses":["{address}"],"ca":"{hex}","secret":"{secret}","expires":4000000000}}"#
    );
    format!("whj1.{}", BASE64_URL_SAFE_NO_PAD.encode(json))
}

fn acceptor(
    issuer: &Issuer<'_, KeyPair>,
    ca: &rustls::pki_types::CertificateDer<'static>,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![CONTROLLER_TLS_NAME.to_owned()])
        .unwrap()
        .signed_by(&key, issuer)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate.der().clone(), ca.clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, service: Arc<Service>) {
    let (connections, accepted) = mpsc::channel(4);
    let accepting = async {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(socket).await {
                connections.send(Ok::<_, std::io::Error>(stream)).await.unwrap();
            }
        }
    };
    let serving = Server::builder()
        .add_service(EnrolmentServiceServer::from_arc(Arc::clone(&service)))
        .add_service(LinkServiceServer::from_arc(service))
        .serve_with_incoming(ReceiverStream::new(accepted));
    tokio::select! {
        () = accepting => {}
        served = serving => served.unwrap(),
    }
}

struct Service {
    issuer: Arc<Issuer<'static, KeyPair>>,
    ca_pem: String,
    used: Mutex<bool>,
    peers: mpsc::Sender<Peer>,
}

fn refusal(reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(
        reason,
        "whimbrel",
        std::collections::HashMap::<String, String>::new(),
    );
    Status::with_error_details(tonic::Code::Unauthenticated, "no", details)
}

#[tonic::async_trait]
impl EnrolmentService for Service {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        if request.secret != SECRET {
            return Err(refusal("JoinTokenUnknown"));
        }
        if std::mem::replace(&mut *self.used.lock().unwrap(), true) {
            return Err(refusal("JoinTokenUsed"));
        }
        assert_eq!(request.sealing_key.len(), 32);
        let csr = CertificateSigningRequestParams::from_pem(&request.csr_pem).unwrap();
        let certificate = csr.signed_by(&self.issuer).unwrap();
        Ok(Response::new(EnrolResponse {
            agent_name: request.agent_name,
            agent_uid: "uid".into(),
            certificate_pem: certificate.pem(),
            ca_pem: self.ca_pem.clone(),
            expire_time: None,
        }))
    }
}

#[tonic::async_trait]
impl LinkService for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<ControllerMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if request.peer_certs().is_none_or(|certificates| certificates.is_empty()) {
            return Err(refusal("NoCertificate"));
        }
        let (to, outgoing) = mpsc::channel(16);
        self.peers.send(Peer { from: request.into_inner(), to }).await.unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
