//! One session: what is read from the agent, what is reported on, what is sent.
use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use whimbrel_points::point;
use whimbrel_proto::agent::v1::{self as link, agent_message::Kind, controller_message};

use super::{
    Fleet, Listener, query,
    registry::{Greeted, Session},
    reports::{Reports, Waiting},
};
use crate::{
    store::{Agent, StoreError},
    translate::duration_out,
};

/// Three beats a lease: two may be lost.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How long an agent may begin what destroys, since its last beat.
pub const LEASE_TTL: Duration = Duration::from_secs(15);

/// A session that says nothing for three leases is dead, whatever TCP thinks.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Hello is the first thing that an agent sends.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages on their way to one agent. Small: what waits longer is in the outbox.
const OUTGOING_MAX: usize = 64;

/// Acknowledgements that wait for the store. With as many, nothing more is read from the agent until there is room.
const ACKS_MAX: usize = 1024;

/// Between tries to write what a report or an acknowledgement led to, when the store fails.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What agents are told when the controller goes: long enough for a restart.
const AWAY_PAUSE: Duration = Duration::from_secs(2);

/// The version of the link's protocol that this controller speaks.
const PROTOCOL: u32 = 1;

/// What an agent sends.
pub trait Incoming: Stream<Item = Result<link::AgentMessage, Status>> + Send + Unpin {}
impl<T: Stream<Item = Result<link::AgentMessage, Status>> + Send + Unpin> Incoming for T {}

impl Fleet {
    /// Begins a session with an admitted agent; the fleet owns it. Gives what is to be sent.
    pub fn open(
        self: &Arc<Self>,
        agent: Agent,
        incoming: impl Incoming + 'static,
        listener: Arc<dyn Listener>,
    ) -> ReceiverStream<Result<link::ControllerMessage, Status>> {
        let (outgoing, sent) = mpsc::channel(OUTGOING_MAX);
        let fleet = Arc::clone(self);
        self.tasks.spawn(async move {
            let id = agent.id;
            if let Err(status) = fleet.run(&id, incoming, &*listener, outgoing.clone()).await {
                tracing::info!(agent = id, reason = status.message(), "the session ends");
                // A full queue means that the agent reads nothing: it will see the stream end.
                drop(outgoing.try_send(Err(status)));
            }
        });
        ReceiverStream::new(sent)
    }

    async fn run(
        &self,
        agent: &str,
        mut incoming: impl Incoming,
        listener: &dyn Listener,
        outgoing: super::registry::Outgoing,
    ) -> Result<(), Status> {
        let hello = hello(&mut incoming).await?;
        let cancel = self.stop.child_token();
        let strays = self.strays(&hello.running).await;
        let strays = strays.map_err(|error| Status::unavailable(error.to_string()))?;
        let session = Arc::new(Session::new(agent, &hello, strays, outgoing, cancel));
        let turn = self.turn(agent);
        let turn = turn.lock().await;
        match self.greet(&session, &hello).await {
            Ok(Greeted::Welcome) => {}
            Ok(Greeted::Refused(reason)) => {
                tracing::warn!(agent, incarnation = session.incarnation, reason, "turned away");
                let superseded = link::Superseded { reason };
                session.send(controller_message::Kind::Superseded(superseded)).await;
                return Ok(());
            }
            Err(error) => return Err(Status::unavailable(error.to_string())),
        }
        tracing::info!(agent, incarnation = session.incarnation, "the agent has a session");
        for stray in &session.strays {
            tracing::warn!(agent, "the agent runs what this controller knows nothing of: {stray}");
        }
        // Before Welcome: what a new life makes stale is out of the outbox before anything is sent. And before the next
        // Hello is heard: what an older life leads to must not come after what a newer one does.
        let arrived = listener.arrived(agent, &session.incarnation, &hello.running).await;
        drop(turn);
        let ended = match arrived {
            Ok(()) => self.converse(&session, incoming, listener).await,
            Err(error) => Err(Status::unavailable(error.to_string())),
        };
        self.leave(&session).await;
        session.cancel.cancel();
        tracing::info!(agent, "the agent's session has ended");
        ended
    }

    async fn converse(
        &self,
        session: &Session,
        incoming: impl Incoming,
        listener: &dyn Listener,
    ) -> Result<(), Status> {
        let welcome = link::Welcome {
            protocol: PROTOCOL,
            term: self.term,
            heartbeat_interval: Some(duration_out(HEARTBEAT_INTERVAL)),
            lease_ttl: Some(duration_out(LEASE_TTL)),
        };
        if !session.send(controller_message::Kind::Welcome(welcome)).await {
            return Ok(());
        }
        let (reports, taken) = Reports::new();
        let (acks, acknowledged) = mpsc::channel(ACKS_MAX);
        let ended = tokio::select! {
            ended = self.listen(session, incoming, listener, Heard { reports, acks }) => ended,
            () = take_reports(session, listener, taken) => Ok(()),
            () = self.take_acks(listener, acknowledged) => Ok(()),
            () = self.dispatch(session) => Ok(()),
            () = session.cancel.cancelled() => Ok(()),
        };
        self.say_goodbye(session);
        ended
    }

    /// When it is we who go.
    fn say_goodbye(&self, session: &Session) {
        if !self.stop.is_cancelled() {
            return;
        }
        let away = link::GoAway { pause: Some(duration_out(AWAY_PAUSE)) };
        let kind = Some(controller_message::Kind::GoAway(away));
        // An agent that reads nothing now finds the stream closed.
        drop(session.outgoing.try_send(Ok(link::ControllerMessage { kind })));
    }

    async fn listen(
        &self,
        session: &Session,
        mut incoming: impl Incoming,
        listener: &dyn Listener,
        heard: Heard,
    ) -> Result<(), Status> {
        loop {
            let Ok(next) = tokio::time::timeout(SILENCE_MAX, incoming.next()).await else {
                return Err(Status::deadline_exceeded("the agent has been silent for too long"));
            };
            let Some(message) = next else { return Ok(()) };
            session.hear();
            match message?.kind {
                Some(Kind::Report(report)) => heard.reports.put(report)?,
                Some(Kind::Progress(progress)) => listener.progress(&session.agent, progress),
                Some(Kind::Heartbeat(beat)) => beat_back(session, &beat).await,
                // They are taken for as long as the session is there.
                Some(Kind::Ack(ack)) => drop(heard.acks.send(ack).await),
                Some(Kind::Answer(answer)) => query::answered(session, answer),
                Some(Kind::Renew(renew)) => self.renew(session, &renew).await?,
                Some(Kind::Hello(_)) => {
                    return Err(Status::invalid_argument("Hello comes once, and first"));
                }
                // A message of a newer protocol; what we agreed on goes on.
                None => {}
            }
        }
    }

    /// One acknowledgement after the other. A store that fails is waited for: the command is sent again at the next session
    /// only, and that may be far.
    async fn take_acks(
        &self,
        listener: &dyn Listener,
        mut acknowledged: mpsc::Receiver<link::CommandAck>,
    ) {
        while let Some(ack) = acknowledged.recv().await {
            while let Err(error) = self.acknowledged(listener, ack.clone()).await {
                tracing::error!(command = ack.command_id, %error, "an acknowledgement waits for the store");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    async fn acknowledged(
        &self,
        listener: &dyn Listener,
        ack: link::CommandAck,
    ) -> Result<(), StoreError> {
        let command = ack.command_id.clone();
        if !ack.accepted {
            self.refused(listener, ack).await?;
        }
        // Last: should the session end before, a command whose refusal is not noted is sent again, and refused again.
        self.store.delivered(&command).await.map(drop)
    }

    async fn refused(
        &self,
        listener: &dyn Listener,
        ack: link::CommandAck,
    ) -> Result<(), StoreError> {
        let found = self.store.undelivered(&ack.command_id).await?;
        // None: superseded meanwhile.
        let Some(entry) = found else { return Ok(()) };
        tracing::warn!(
            agent = entry.command.agent,
            command = entry.id,
            refusal = ack.refusal,
            "the agent refuses a command"
        );
        listener.refused(entry, ack.refusal, ack.epoch).await
    }

    async fn renew(&self, session: &Session, renew: &link::RenewCertificate) -> Result<(), Status> {
        let unavailable = |e: &dyn std::fmt::Display| Status::unavailable(e.to_string());
        let agent = self.agent(&session.agent).await.map_err(|e| unavailable(&e))?;
        let signed = self
            .authority
            .sign_agent(&renew.csr_pem, &agent.id, &agent.uid, Self::now())
            .map_err(|e| Status::invalid_argument(e.to_string()))?;
        tracing::info!(agent = agent.id, "renewed the agent's certificate");
        let certificate = link::Certificate {
            certificate_pem: signed.certificate_pem,
            ca_pem: self.authority.pem().to_owned(),
        };
        session.send(controller_message::Kind::Certificate(certificate)).await;
        Ok(())
    }
}

/// Where what is heard waits for the store.
struct Heard {
    reports: Reports,
    acks: mpsc::Sender<link::CommandAck>,
}

async fn hello(incoming: &mut impl Incoming) -> Result<link::Hello, Status> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, incoming.next())
        .await
        .map_err(|_| Status::deadline_exceeded("no Hello came"))?;
    let Some(Ok(link::AgentMessage { kind: Some(Kind::Hello(hello)) })) = first else {
        return Err(Status::invalid_argument("the first message is Hello"));
    };
    if hello.incarnation.is_empty() {
        return Err(Status::invalid_argument("Hello has no incarnation"));
    }
    if hello.protocol_min > PROTOCOL || hello.protocol_max < PROTOCOL {
        return Err(Status::failed_precondition(format!(
            "the agent speaks protocol {} to {}, this controller {PROTOCOL}: bring the older one up to date",
            hello.protocol_min, hello.protocol_max
        )));
    }
    Ok(hello)
}

async fn beat_back(session: &Session, beat: &link::Heartbeat) {
    session.set_running_tasks(beat.running_tasks);
    let lease =
        link::LeaseGrant { heartbeat_sequence: beat.sequence, ttl: Some(duration_out(LEASE_TTL)) };
    session.send(controller_message::Kind::Lease(lease)).await;
}

/// One report after the other, each acknowledged when it is durable. A store that fails is waited for.
async fn take_reports(
    session: &Session,
    listener: &dyn Listener,
    mut reports: mpsc::Receiver<Waiting>,
) {
    while let Some(Waiting { report, _room }) = reports.recv().await {
        let sequence = report.sequence;
        while let Err(error) =
            listener.report(&session.agent, &session.incarnation, report.clone()).await
        {
            tracing::error!(agent = session.agent, sequence, %error, "a report waits for the store");
            tokio::time::sleep(STORE_PAUSE).await;
        }
        point!("report.noted");
        let ack = link::ReportAck { sequence };
        if !session.send(controller_message::Kind::ReportAck(ack)).await {
            return;
        }
    }
}
