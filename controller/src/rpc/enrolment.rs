//! EnrolmentService: open to everyone who has a join token.
use async_trait::async_trait;
use tonic::{Request, Response, Status};
use whimbrel_proto::agent::v1::{
    EnrolRequest, EnrolResponse, enrolment_service_server::EnrolmentService,
};

use super::{Rpc, status::of_fleet};
use crate::translate::time_out;

#[async_trait]
impl EnrolmentService for Rpc {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let enrolled = self.fleet.enrol(request.into_inner()).await.map_err(of_fleet)?;
        Ok(Response::new(EnrolResponse {
            agent_name: enrolled.agent.id,
            agent_uid: enrolled.agent.uid,
            certificate_pem: enrolled.certificate_pem,
            ca_pem: enrolled.ca_pem,
            expire_time: Some(time_out(enrolled.expires_at)),
        }))
    }
}
