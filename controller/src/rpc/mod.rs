//! The services: translate a request, ask the driver or the fleet, translate the answer. Nothing is decided here, and
//! nothing is written here.
mod acts;
mod agents;
mod auth;
mod compare;
mod enrolment;
mod link;
mod migrations;
mod page;
mod request;
mod sources;
mod status;
mod targets;
mod watch;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use whimbrel_proto::{
    agent::v1::{
        enrolment_service_server::EnrolmentServiceServer, link_service_server::LinkServiceServer,
    },
    v1::{
        agent_service_server::AgentServiceServer, compare_service_server::CompareServiceServer,
        migration_service_server::MigrationServiceServer,
        source_service_server::SourceServiceServer, target_service_server::TargetServiceServer,
    },
};

use crate::{driver::Driver, fleet::Fleet};
pub use auth::Credential;

/// What every service needs.
#[derive(Clone)]
pub struct Rpc {
    driver: Arc<Driver>,
    fleet: Arc<Fleet>,
    stop: CancellationToken,
}

/// What can go wrong with setting the services up.
#[derive(Debug, thiserror::Error)]
#[error("setting up the reflection service: {0}")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

impl Rpc {
    /// `stop` ends the streams that would go on for ever.
    #[must_use]
    pub const fn new(driver: Arc<Driver>, fleet: Arc<Fleet>, stop: CancellationToken) -> Self {
        Self { driver, fleet, stop }
    }

    /// All services of the one port. The operators' want the credential; the link wants a certificate; enrolment, health
    /// and reflection are open.
    ///
    /// # Errors
    /// [`ReflectionError`].
    pub async fn routes(self, credential: Credential) -> Result<Routes, ReflectionError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<AgentServiceServer<Self>>().await;
        health.set_serving::<TargetServiceServer<Self>>().await;
        health.set_serving::<SourceServiceServer<Self>>().await;
        health.set_serving::<MigrationServiceServer<Self>>().await;
        health.set_serving::<CompareServiceServer<Self>>().await;
        health.set_serving::<EnrolmentServiceServer<Self>>().await;
        health.set_serving::<LinkServiceServer<Self>>().await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(whimbrel_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let auth = move |request| credential.check(request);
        Ok(Routes::new(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(AgentServiceServer::with_interceptor(self.clone(), auth.clone()))
            .add_service(TargetServiceServer::with_interceptor(self.clone(), auth.clone()))
            .add_service(SourceServiceServer::with_interceptor(self.clone(), auth.clone()))
            .add_service(CompareServiceServer::with_interceptor(self.clone(), auth.clone()))
            .add_service(MigrationServiceServer::with_interceptor(self.clone(), auth))
            .add_service(EnrolmentServiceServer::new(self.clone()))
            .add_service(
                LinkServiceServer::new(self)
                    .max_decoding_message_size(whimbrel_proto::MESSAGE_BYTES_MAX),
            ))
    }
}
