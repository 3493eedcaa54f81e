//! Hello and Welcome.
use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming, transport::Channel};
use whimbrel_proto::agent::v1::{
    AgentMessage, ControllerMessage, Hello, RunningTask, Welcome, controller_message,
    link_service_client::LinkServiceClient,
};

use super::End;
use crate::link::{enrol::reason, error::LinkError, run::Link};

/// The protocol version spoken here.
const PROTOCOL: u32 = 1;
/// From Hello to Welcome. The controller notes our arrival in its store before it answers.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) fn hello(link: &Link, running: Vec<RunningTask>) -> Hello {
    Hello {
        incarnation: link.incarnation.clone(),
        protocol_min: PROTOCOL,
        protocol_max: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        postgres_programs: link.programs.clone(),
        running,
        last_command: link.told.last(),
    }
}

/// Opens the stream and waits for the welcome.
pub(super) async fn open(
    channel: Channel,
    outgoing: mpsc::Receiver<AgentMessage>,
) -> Result<(Streaming<ControllerMessage>, Welcome), End> {
    let opened = timeout(WELCOME_TIMEOUT, welcomed(channel, outgoing)).await;
    let late = || End::Lost(format!("no welcome within {} s", WELCOME_TIMEOUT.as_secs()));
    opened.map_err(|_| late())?
}

async fn welcomed(
    channel: Channel,
    outgoing: mpsc::Receiver<AgentMessage>,
) -> Result<(Streaming<ControllerMessage>, Welcome), End> {
    use controller_message::Kind;
    let mut client = LinkServiceClient::new(channel)
        .max_decoding_message_size(whimbrel_proto::MESSAGE_BYTES_MAX);
    let response = client.session(ReceiverStream::new(outgoing)).await;
    let mut inbound = response.map_err(|status| ended(&status))?.into_inner();
    let first = inbound.message().await.map_err(|status| ended(&status))?;
    let Some(first) = first else {
        return Err(End::Lost("the controller closed the session".to_owned()));
    };
    match first.kind {
        Some(Kind::Welcome(welcome)) => Ok((inbound, welcome)),
        Some(Kind::Superseded(superseded)) => {
            Err(End::Fatal(LinkError::Superseded { reason: superseded.reason }))
        }
        Some(Kind::GoAway(away)) => Err(End::GoAway(duration(away.pause))),
        _ => Err(End::Lost("the controller began without a welcome".to_owned())),
    }
}

/// A session that the controller refuses by name is over for good; everything else may be the network's doing.
pub(super) fn ended(status: &tonic::Status) -> End {
    let refused = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
    match reason(status) {
        Some(code) if refused => {
            End::Fatal(LinkError::Revoked { code, message: status.message().to_owned() })
        }
        _ => End::Lost(format!("{:?}: {}", status.code(), status.message())),
    }
}

/// Whether the welcome is one of a controller that we may listen to.
pub(super) fn check(link: &mut Link, welcome: &Welcome) -> Result<(), End> {
    if welcome.protocol != PROTOCOL {
        let cause = format!("the controller speaks protocol {}, not {PROTOCOL}", welcome.protocol);
        return Err(End::Lost(cause));
    }
    match link.term.accept(&link.dir, welcome.term) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let (told, seen) = (welcome.term, link.term.highest());
            Err(End::Lost(format!(
                "the controller's term is {told}, and {seen} was seen already: if its store was restored from a \
                 backup, start it once with --restored"
            )))
        }
        // The disk may be full: what runs goes on, and no command is taken until the term can be kept.
        Err(error) => Err(End::Lost(error.to_string())),
    }
}

/// Below zero, or absent: none.
pub(super) fn duration(told: Option<prost_types::Duration>) -> Duration {
    told.and_then(|told| Duration::try_from(told).ok()).unwrap_or_default()
}
