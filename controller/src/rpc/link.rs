//! LinkService: agents only, by the certificate that the handshake has checked.
use std::sync::Arc;

use async_trait::async_trait;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};
use whimbrel_proto::agent::v1::{
    AgentMessage, ControllerMessage, link_service_server::LinkService,
};

use super::{
    Rpc,
    status::{of_fleet, refuse},
};
use crate::{
    fleet::{FleetError, Listener},
    tls::agent_identity,
};

#[async_trait]
impl LinkService for Rpc {
    type SessionStream = ReceiverStream<Result<ControllerMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let unknown = |message: &str| refuse(Code::Unauthenticated, "AgentUnknown", message);
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|chain| chain.first());
        let certificate = certificate.ok_or_else(|| {
            unknown("only an agent that has joined may open a session: it shows its certificate")
        })?;
        let (id, uid) = agent_identity(certificate)
            .ok_or_else(|| unknown("the certificate is not an agent's"))?;
        let agent = self.fleet.admit(&id, &uid).await.map_err(|error| match error {
            FleetError::Unknown { .. } => {
                unknown("this controller does not know the agent: join it with a new token")
            }
            FleetError::Revoked { .. } => {
                refuse(Code::PermissionDenied, "AgentRevoked", error.to_string())
            }
            error => of_fleet(error),
        })?;
        let listener: Arc<dyn Listener> = Arc::clone(&self.driver) as Arc<dyn Listener>;
        Ok(Response::new(self.fleet.open(agent, request.into_inner(), listener)))
    }
}
