//! One session: Hello, Welcome, then everything that comes and goes, in one loop.
//!
//! Nothing here waits for the controller while something else is due: what is to be sent waits for a place in the
//! outgoing queue, and the loop goes on reading meanwhile.
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming, transport::Channel};
use whimbrel_proto::{
    agent::v1::{
        AgentMessage, Command, CommandAck, ControllerMessage, Heartbeat, Hello, LeaseGrant, Query,
        QueryAnswer, RenewCertificate, Welcome, agent_message, controller_message,
        link_service_client::LinkServiceClient, query, query_answer,
    },
    v1::ServerTest,
};

use super::{enrol::reason, error::LinkError, renew, run::Link, tasks::Tasks};

/// The protocol version spoken here.
const PROTOCOL: u32 = 1;
/// Messages between this loop and HTTP/2: enough to fill a window, few enough that a heartbeat is not stuck behind many.
const OUTGOING_MAX: usize = 16;
/// From dialling to Welcome.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);
/// What the controller may ask for as a heartbeat's interval.
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);
/// Each heartbeat is answered: this many in a row that are not, and the session is dead.
const HEARTBEATS_UNANSWERED_MAX: u32 = 4;
/// Progress is for eyes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Questions answered at once: each opens a connection.
const QUERIES_MAX: usize = 8;

/// Reports sent and not acknowledged: each costs the controller a write to its store, so more would only wait there.
const REPORTS_UNDER_WAY_MAX: usize = 64;
/// Answers that wait to be sent; while there are more, nothing is read.
const READY_MAX: usize = 64;

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

type Kind = agent_message::Kind;

struct Session<'a> {
    link: &'a mut Link,
    tasks: &'a Arc<dyn Tasks>,
    commands: &'a mpsc::Sender<Command>,
    queries: FuturesUnordered<BoxFuture<'static, QueryAnswer>>,
    /// Answers and refusals to be sent.
    ready: VecDeque<Kind>,
    heartbeats: Heartbeats,
    /// Sequence of the last report sent in this session.
    reported: u64,
    progress_due: bool,
}

#[derive(Default)]
struct Heartbeats {
    sequence: u64,
    due: bool,
    sent: VecDeque<(u64, Instant)>,
}

/// Runs a session on `channel` to its end.
pub(super) async fn run(
    link: &mut Link,
    channel: Channel,
    tasks: &Arc<dyn Tasks>,
    commands: &mpsc::Sender<Command>,
    acks: &mut mpsc::Receiver<CommandAck>,
    welcomed: &mut (dyn FnMut() + Send),
) -> End {
    let (out, outgoing) = mpsc::channel(OUTGOING_MAX);
    let running = tasks.running();
    link.outlet.shared.progress.start_over(&running);
    let hello = Hello {
        incarnation: link.incarnation.clone(),
        protocol_min: PROTOCOL,
        protocol_max: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        postgres_programs: link.programs.clone(),
        running,
    };
    if out.send(message(Kind::Hello(hello))).await.is_err() {
        return End::Lost("the outgoing queue is closed".to_owned());
    }
    let opened = timeout(WELCOME_TIMEOUT, open(channel, outgoing)).await;
    let (inbound, welcome) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(end)) => return end,
        Err(_) => return End::Lost(format!("no welcome within {} s", WELCOME_TIMEOUT.as_secs())),
    };
    if let Err(end) = check(link, &welcome) {
        return end;
    }
    tracing::info!(term = welcome.term, "session with the controller");
    welcomed();
    let mut session = Session {
        link,
        tasks,
        commands,
        queries: FuturesUnordered::new(),
        ready: VecDeque::new(),
        heartbeats: Heartbeats::default(),
        reported: 0,
        progress_due: true,
    };
    session.serve(inbound, &out, acks, &welcome).await
}

const fn message(kind: Kind) -> AgentMessage {
    AgentMessage { kind: Some(kind) }
}

async fn open(
    channel: Channel,
    outgoing: mpsc::Receiver<AgentMessage>,
) -> Result<(Streaming<ControllerMessage>, Welcome), End> {
    let mut client = LinkServiceClient::new(channel);
    let response = client.session(ReceiverStream::new(outgoing)).await;
    let mut inbound = response.map_err(|status| ended(&status))?.into_inner();
    match inbound.message().await {
        Ok(Some(ControllerMessage { kind: Some(controller_message::Kind::Welcome(welcome)) })) => {
            Ok((inbound, welcome))
        }
        Ok(Some(ControllerMessage {
            kind: Some(controller_message::Kind::Superseded(superseded)),
        })) => Err(End::Fatal(LinkError::Superseded { reason: superseded.reason })),
        Ok(Some(ControllerMessage { kind: Some(controller_message::Kind::GoAway(away)) })) => {
            Err(End::GoAway(duration(away.pause)))
        }
        Ok(Some(_)) => Err(End::Lost("the controller began without a welcome".to_owned())),
        Ok(None) => Err(End::Lost("the controller closed the session".to_owned())),
        Err(status) => Err(ended(&status)),
    }
}

/// A session that the controller refuses by name is over for good; everything else may be the network's doing.
fn ended(status: &tonic::Status) -> End {
    let refused = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
    match reason(status) {
        Some(code) if refused => {
            End::Fatal(LinkError::Revoked { code, message: status.message().to_owned() })
        }
        _ => End::Lost(format!("{:?}: {}", status.code(), status.message())),
    }
}

fn check(link: &mut Link, welcome: &Welcome) -> Result<(), End> {
    if welcome.protocol != PROTOCOL {
        let cause = format!("the controller speaks protocol {}, not {PROTOCOL}", welcome.protocol);
        return Err(End::Lost(cause));
    }
    match link.term.accept(&link.dir, welcome.term) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let (told, seen) = (welcome.term, link.term.highest());
            Err(End::Lost(format!("the controller's term is {told}, and {seen} was seen already")))
        }
        Err(error) => Err(End::Fatal(error.into())),
    }
}

fn duration(told: Option<prost_types::Duration>) -> Duration {
    // Below zero, or absent: none.
    told.and_then(|told| Duration::try_from(told).ok()).unwrap_or_default()
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Session<'_> {
    async fn serve(
        &mut self,
        mut inbound: Streaming<ControllerMessage>,
        out: &mpsc::Sender<AgentMessage>,
        acks: &mut mpsc::Receiver<CommandAck>,
        welcome: &Welcome,
    ) -> End {
        let period = duration(welcome.heartbeat_interval).clamp(HEARTBEAT_MIN, HEARTBEAT_MAX);
        let silence_max = period * HEARTBEATS_UNANSWERED_MAX;
        let mut heartbeat = ticks(period);
        let mut progress = ticks(PROGRESS_INTERVAL);
        let mut renewal = match renew::due_in(&self.link.identity) {
            Ok(wait) => tokio::time::Instant::now() + wait,
            Err(error) => return End::Fatal(error),
        };
        let mut silent_until = tokio::time::Instant::now() + silence_max;
        let outlet = self.link.outlet.clone();
        loop {
            tokio::select! {
                received = inbound.message(), if self.ready.len() < READY_MAX => {
                    silent_until = tokio::time::Instant::now() + silence_max;
                    let end = match received {
                        Ok(Some(message)) => self.receive(message),
                        Ok(None) => Some(End::Lost("the controller closed the session".to_owned())),
                        Err(status) => Some(ended(&status)),
                    };
                    if let Some(end) = end {
                        return end;
                    }
                }
                place = out.reserve(), if self.has_outgoing() => match (place, self.outgoing()) {
                    (Ok(place), Some(kind)) => place.send(message(kind)),
                    (Ok(_), None) => {}
                    (Err(_), _) => return End::Lost("the stream to the controller ended".to_owned()),
                },
                Some(ack) = acks.recv(), if self.ready.is_empty() => {
                    self.ready.push_back(Kind::Ack(ack));
                }
                Some(answer) = self.queries.next() => self.ready.push_back(Kind::Answer(answer)),
                () = outlet.shared.wake.notified() => {}
                _ = heartbeat.tick() => self.heartbeats.due = true,
                _ = progress.tick() => self.progress_due = true,
                () = sleep_until(renewal) => {
                    renewal = tokio::time::Instant::now() + match self.ask_for_certificate() {
                        Ok(wait) => wait,
                        Err(error) => return End::Fatal(error),
                    };
                }
                () = sleep_until(silent_until) => {
                    return End::Lost("the controller does not answer heartbeats".to_owned());
                }
            }
        }
    }

    fn has_outgoing(&self) -> bool {
        let shared = &self.link.outlet.shared;
        self.heartbeats.due
            || !self.ready.is_empty()
            || self.may_report()
            || (self.progress_due && shared.progress.has_unsent())
    }

    fn may_report(&self) -> bool {
        let reports = &self.link.outlet.shared.reports;
        reports.has_after(self.reported) && reports.under_way(self.reported) < REPORTS_UNDER_WAY_MAX
    }

    /// The next message: the lease first, progress last.
    fn outgoing(&mut self) -> Option<Kind> {
        if self.heartbeats.due {
            return Some(Kind::Heartbeat(self.heartbeat()));
        }
        if let Some(kind) = self.ready.pop_front() {
            return Some(kind);
        }
        let shared = &self.link.outlet.shared;
        if self.may_report()
            && let Some(report) = shared.reports.after(self.reported)
        {
            self.reported = report.sequence;
            return Some(Kind::Report(report));
        }
        let progress = shared.progress.take();
        self.progress_due = progress.is_some();
        progress.map(Kind::Progress)
    }

    fn heartbeat(&mut self) -> Heartbeat {
        let beats = &mut self.heartbeats;
        beats.due = false;
        beats.sequence += 1;
        beats.sent.push_back((beats.sequence, Instant::now()));
        while beats.sent.len() > HEARTBEATS_UNANSWERED_MAX as usize {
            beats.sent.pop_front();
        }
        let running_tasks = u32::try_from(self.tasks.running().len()).unwrap_or(u32::MAX);
        Heartbeat { sequence: beats.sequence, running_tasks }
    }

    fn receive(&mut self, message: ControllerMessage) -> Option<End> {
        use controller_message::Kind as From;
        match message.kind {
            Some(From::Command(command)) => return self.command(command),
            Some(From::ReportAck(ack)) => {
                self.link.outlet.shared.reports.acknowledge(ack.sequence);
            }
            Some(From::Lease(grant)) => self.lease(&grant),
            Some(From::Query(query)) => self.query(query),
            Some(From::Certificate(certificate)) => {
                let link = &mut *self.link;
                match link.identity.renew(&link.dir, certificate.certificate_pem) {
                    Ok(()) => tracing::info!("the certificate was renewed"),
                    Err(error) => tracing::error!(%error, "the certificate was not renewed"),
                }
            }
            Some(From::Superseded(superseded)) => {
                return Some(End::Fatal(LinkError::Superseded { reason: superseded.reason }));
            }
            Some(From::GoAway(away)) => return Some(End::GoAway(duration(away.pause))),
            Some(From::Welcome(_)) => {
                return Some(End::Lost("the controller sent a second welcome".to_owned()));
            }
            // A message of a later version, which Hello did not ask for.
            None => tracing::warn!("the controller sent a message that is not known here"),
        }
        None
    }

    fn command(&mut self, command: Command) -> Option<End> {
        let id = command.command_id.clone();
        match self.link.term.accept(&self.link.dir, command.term) {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(term = command.term, "a command of an old term was refused");
                self.ready.push_back(Kind::Ack(CommandAck {
                    command_id: id,
                    accepted: false,
                    refusal: "StaleTerm".to_owned(),
                }));
                return None;
            }
            Err(error) => return Some(End::Fatal(error.into())),
        }
        // It is sent again in the next session: nothing is lost by ending this one.
        let sent = self.commands.try_send(command);
        sent.is_err().then(|| End::Lost("more commands than can wait here".to_owned()))
    }

    fn lease(&mut self, grant: &LeaseGrant) {
        let beats = &mut self.heartbeats;
        while let Some((sequence, at)) = beats.sent.front().copied() {
            if sequence > grant.heartbeat_sequence {
                break;
            }
            beats.sent.pop_front();
            if sequence == grant.heartbeat_sequence {
                self.link.outlet.shared.lease.grant(at, duration(grant.ttl));
            }
        }
    }

    fn query(&mut self, query: Query) {
        if self.queries.len() >= QUERIES_MAX {
            self.ready.push_back(Kind::Answer(busy(query)));
            return;
        }
        let tasks = Arc::clone(self.tasks);
        self.queries.push(Box::pin(async move { tasks.query(query).await }));
    }

    /// Asks when it is time; gives when to look again.
    fn ask_for_certificate(&mut self) -> Result<Duration, LinkError> {
        let wait = renew::due_in(&self.link.identity)?;
        if !wait.is_zero() {
            return Ok(wait);
        }
        let identity = &self.link.identity;
        let csr_pem = identity.keys.request_pem(identity.name())?;
        self.ready.push_back(Kind::Renew(RenewCertificate { csr_pem }));
        Ok(renew::again())
    }
}

fn busy(query: Query) -> QueryAnswer {
    let failure = ServerTest {
        code: "AgentBusy".to_owned(),
        message: format!("asking the agent: it answers {QUERIES_MAX} questions already"),
        remedy: "ask again in a moment".to_owned(),
        ..Default::default()
    };
    let kind = match query.kind {
        Some(query::Kind::ListDatabases(_)) => query_answer::Kind::Failure(failure),
        _ => query_answer::Kind::ServerTest(failure),
    };
    QueryAnswer { query_id: query.query_id, kind: Some(kind) }
}
