//! The controller's port as a generated gRPC client meets it.
use std::fs;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use whimbrel_proto::CONTROLLER_TLS_NAME;
use whimbrel_tests::{
    Outcome, ensure, fail,
    stage::{self, Plan, Stage},
};

/// What the CLI's context file knows: the CA, the token.
pub(crate) fn context(stage: &Stage) -> Outcome<serde_yaml_ng::Value> {
    let text = fs::read_to_string(stage.folder().join("controller/admin.yaml"))?;
    Ok(serde_yaml_ng::from_str(&text)?)
}

/// A connection, with a client's certificate or none.
pub(crate) async fn channel(stage: &Stage, identity: Option<Identity>) -> Outcome<Channel> {
    let context = context(stage)?;
    let ca = context["ca"].as_str().unwrap_or_default();
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .domain_name(CONTROLLER_TLS_NAME);
    if let Some(identity) = identity {
        tls = tls.identity(identity);
    }
    let endpoint =
        Endpoint::from_shared(format!("https://{}", stage.address()))?.tls_config(tls)?;
    Ok(endpoint.connect().await?)
}

/// Needs no credential: load balancers have none.
#[test]
fn health_and_reflection_are_open() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        tokio::runtime::Runtime::new()?.block_on(async {
            let channel = channel(stage, None).await?;
            let mut health = health_client::HealthClient::new(channel.clone());
            let answer = health.check(HealthCheckRequest::default()).await?.into_inner();
            ensure!(answer.status() == ServingStatus::Serving, "{answer:?}");

            let request = ServerReflectionRequest {
                message_request: Some(MessageRequest::ListServices(String::new())),
                ..Default::default()
            };
            let mut reflection = ServerReflectionClient::new(channel);
            let asked = tokio_stream::once(request);
            let answer =
                reflection.server_reflection_info(asked).await?.into_inner().message().await?;
            let Some(MessageResponse::ListServicesResponse(list)) =
                answer.and_then(|answer| answer.message_response)
            else {
                fail!("no list of services");
            };
            for wanted in ["whimbrel.v1.MigrationService", "whimbrel.v1.AgentService"] {
                let found = list.service.iter().any(|service| service.name == wanted);
                ensure!(found, "{wanted} is not in {list:?}");
            }
            Ok(())
        })
    })
}
