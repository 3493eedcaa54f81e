//! The connection to the controller: TLS against the context's CA, the token in every call, and a bound on each.
use std::time::Duration;

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use whimbrel_proto::{
    CONTROLLER_TLS_NAME,
    v1::{
        agent_service_client::AgentServiceClient, compare_service_client::CompareServiceClient,
        migration_service_client::MigrationServiceClient,
        source_service_client::SourceServiceClient, target_service_client::TargetServiceClient,
    },
};

use crate::{context::Context, failure::Failure};

/// Longer than a TCP handshake with a lost packet or two takes; short enough that a person waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A call only reads or records something; a controller that needs longer is in trouble.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A call that lets an agent connect to a server, which has its own, shorter bound for that.
pub(crate) const AGENT_CALL_TIMEOUT: Duration = Duration::from_secs(90);

/// A watch can be silent for long: this finds a connection that died without a word.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);

/// How long the answer to a keepalive may take: as long as connecting may.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whole migrations come in pages: a thousand tables in a message is far below gRPC's 4 MB.
pub(crate) const PAGE_SIZE: i32 = 1000;

/// A channel that says who we are.
pub(crate) type Link = InterceptedService<Channel, Bearer>;

/// The controller, as the verbs see it.
#[derive(Clone)]
pub(crate) struct Client {
    link: Link,
    /// As in the context.
    pub(crate) address: String,
}

/// Puts the token in a call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Client {
    /// Connects at the first call, so that what makes no sense is refused without a controller.
    ///
    /// # Errors
    /// A context that can't be one.
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        let bad = |what: &str| Failure::Usage(format!("the context file's {what} can't be used"));
        let mut token: MetadataValue<Ascii> =
            format!("Bearer {}", context.token.trim()).parse().map_err(|_| bad("token"))?;
        token.set_sensitive(true);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&context.ca))
            .domain_name(CONTROLLER_TLS_NAME);
        let channel = Endpoint::from_shared(format!("https://{}", context.address))
            .map_err(|_| bad("address (expected host:port)"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tls_config(tls)
            .map_err(|_| bad("ca (expected a PEM certificate)"))?
            .connect_lazy();
        let link = InterceptedService::new(channel, Bearer(token));
        Ok(Self { link, address: context.address.clone() })
    }

    /// Calls about agents.
    pub(crate) fn agents(&self) -> AgentServiceClient<Link> {
        AgentServiceClient::new(self.link.clone())
    }

    /// Calls about targets.
    pub(crate) fn targets(&self) -> TargetServiceClient<Link> {
        TargetServiceClient::new(self.link.clone())
    }

    /// Calls about sources.
    pub(crate) fn sources(&self) -> SourceServiceClient<Link> {
        SourceServiceClient::new(self.link.clone())
    }

    /// Comparisons.
    pub(crate) fn comparisons(&self) -> CompareServiceClient<Link> {
        CompareServiceClient::new(self.link.clone())
            .max_decoding_message_size(whimbrel_proto::MESSAGE_BYTES_MAX)
    }

    /// Calls about migrations.
    pub(crate) fn migrations(&self) -> MigrationServiceClient<Link> {
        MigrationServiceClient::new(self.link.clone())
            .max_decoding_message_size(whimbrel_proto::MESSAGE_BYTES_MAX)
    }
}

/// A request with the usual bound.
pub(crate) fn call<T>(message: T) -> Request<T> {
    call_within(message, CALL_TIMEOUT)
}

/// A request with a bound of its own.
pub(crate) fn call_within<T>(message: T, bound: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(bound);
    request
}

/// A new id, so that a call that arrives twice has one effect.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
