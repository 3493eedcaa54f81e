//! `agent token create`: in table form the token alone, so that `$(…)` works.
use whimbrel_proto::v1::CreateJoinTokenRequest;

use crate::{
    args::agent::TokenCreate,
    client::{call, request_id},
    failure::Failure,
    render::{agent::Token, clock},
    verb::{Session, duration},
};

pub(super) async fn create(session: &Session, args: TokenCreate) -> Result<(), Failure> {
    let request = CreateJoinTokenRequest {
        ttl: args.ttl.map(|ttl| duration("--ttl", ttl)).transpose()?,
        labels: args.labels.into_iter().collect(),
        request_id: request_id(),
    };
    let token = session.client.agents().create_join_token(call(request)).await?.into_inner();
    let token = Token::from(token);
    let expires = clock(token.expires_at.as_ref());
    session.screen.hint(&format!(
        "good once, until {expires}; next: whimbrel-agent run --data-dir DIR --name NAME --join TOKEN"
    ));
    session.screen.print(&token, || token.token.clone())
}
