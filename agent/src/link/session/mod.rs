//! One session: Hello, Welcome, then everything that comes and goes, in one loop ([`serve`]).

mod heartbeat;
mod open;
mod receive;
mod serve;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tonic::transport::Channel;
use whimbrel_proto::agent::v1::{Command, CommandAck, agent_message};

use super::{error::LinkError, run::Link, tasks::Tasks};

/// Messages between the loop and HTTP/2: enough to fill a window, few enough that a heartbeat is not stuck behind many.
const OUTGOING_MAX: usize = 16;

/// Why a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// Dial again.
    Lost(String),
    /// Dial again after a pause.
    GoAway(Duration),
    /// Don't.
    Fatal(LinkError),
}

/// What an agent sends.
type Kind = agent_message::Kind;

/// The work beside the session, which outlives it.
pub(super) struct Work {
    pub(super) tasks: Arc<dyn Tasks>,
    /// To the one who takes commands up.
    pub(super) commands: mpsc::Sender<Command>,
    /// From there.
    pub(super) acks: mpsc::Receiver<CommandAck>,
}

/// Runs a session on `channel` to its end.
pub(super) async fn run(
    link: &mut Link,
    channel: Channel,
    work: &mut Work,
    welcomed: &mut (dyn FnMut() + Send),
) -> End {
    let running = work.tasks.running();
    link.outlet.shared.progress.start_over(&running);
    let (out, outgoing) = mpsc::channel(OUTGOING_MAX);
    if out.send(serve::message(Kind::Hello(open::hello(link, running)))).await.is_err() {
        return End::Lost("the outgoing queue is closed".to_owned());
    }
    let (inbound, welcome) = match open::open(channel, outgoing).await {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    if let Err(end) = open::check(link, &welcome) {
        return end;
    }
    tracing::info!(term = welcome.term, "session with the controller");
    welcomed();
    let period = open::duration(welcome.heartbeat_interval);
    serve::Session::new(link, work).serve(inbound, &out, period).await
}
