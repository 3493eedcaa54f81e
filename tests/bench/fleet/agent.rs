//! An agent without databases: joins, beats, takes every command, and answers each as if all went well.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Identity},
};
use whimbrel_proto::{
    agent::v1::{
        self as link, agent_message, command, controller_message,
        enrolment_service_client::EnrolmentServiceClient, link_service_client::LinkServiceClient,
        report,
    },
    v1,
};
use whimbrel_tests::{Context, Failure, Outcome};

use super::host::Line;

/// Messages on their way to the controller.
const OUTGOING: usize = 64;

/// Before the controller has said how often it wants a beat, and for progress: as agents do.
const BEAT: Duration = Duration::from_secs(5);
const PROGRESS: Duration = Duration::from_millis(250);

/// What all agents together have seen.
#[derive(Default)]
pub(super) struct Seen {
    welcomes: AtomicUsize,
    streams: AtomicUsize,
    /// When the first command of a migration came.
    commanded: Mutex<HashMap<String, Instant>>,
}

impl Seen {
    pub(super) fn welcomes(&self) -> usize {
        self.welcomes.load(Ordering::Relaxed)
    }

    /// Migrations that were begun here.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn commanded(&self, uid: &str) -> Option<Instant> {
        self.commanded.lock().unwrap_or_else(PoisonError::into_inner).get(uid).copied()
    }

    fn note(&self, uid: &str) {
        let mut commanded = self.commanded.lock().unwrap_or_else(PoisonError::into_inner);
        commanded.entry(uid.to_owned()).or_insert_with(Instant::now);
    }
}

/// Who it is.
#[derive(Clone)]
pub(super) struct Agent {
    number: usize,
    certificate: String,
    key: String,
    seen: Arc<Seen>,
}

/// The resource name of an agent.
pub(super) fn name_of(number: usize) -> String {
    format!("agents/load-{number}")
}

impl Agent {
    /// Joins as the contract says, over an operator's connection.
    pub(super) async fn join(
        number: usize,
        line: &Line,
        channel: Channel,
        seen: Arc<Seen>,
    ) -> Outcome<Self> {
        let doing = || format!("join agent {number}");
        let token = line.clients(channel.clone()).token().await?;
        let json =
            token.strip_prefix("whj1.").ok_or_else(|| Failure::new("another kind of token"))?;
        let json = URL_SAFE_NO_PAD.decode(json).context(doing)?;
        let token: serde_json::Value = serde_json::from_slice(&json).context(doing)?;
        let secret = token["secret"].as_str().unwrap_or_default();
        let key = KeyPair::generate().context(doing)?;
        let request = CertificateParams::default().serialize_request(&key).context(doing)?;
        let request = link::EnrolRequest {
            secret: URL_SAFE_NO_PAD.decode(secret).context(doing)?,
            agent_name: format!("load-{number}"),
            csr_pem: request.pem().context(doing)?,
            sealing_key: vec![7; 32],
            ..Default::default()
        };
        let joined = EnrolmentServiceClient::new(channel).enrol(request).await.context(doing)?;
        let certificate = joined.into_inner().certificate_pem;
        Ok(Self { number, certificate, key: key.serialize_pem(), seen })
    }

    pub(super) fn name(&self) -> String {
        name_of(self.number)
    }

    /// One session, for as long as the controller wants it. `turns`: who may dial.
    pub(super) async fn serve(self, line: Line, turns: Arc<Semaphore>) -> Outcome {
        let doing = || format!("the session of agent {}", self.number);
        let turn = turns.acquire_owned().await.context(doing)?;
        let channel = line.dial(Some(Identity::from_pem(&self.certificate, &self.key))).await?;
        let (out, messages) = mpsc::channel(OUTGOING);
        let hello = link::Hello {
            incarnation: uuid::Uuid::new_v4().to_string(),
            protocol_min: 1,
            protocol_max: 1,
            ..Default::default()
        };
        let mut voice = Voice { out, sequence: 0, beats: 0, seen: self.seen, running: Vec::new() };
        voice.say(agent_message::Kind::Hello(hello)).await?;
        let mut client = LinkServiceClient::new(channel);
        let incoming = client.session(ReceiverStream::new(messages)).await.context(doing)?;
        voice.converse(incoming.into_inner(), turn).await
    }
}

/// What it says in a session.
struct Voice {
    out: mpsc::Sender<link::AgentMessage>,
    sequence: u64,
    beats: u64,
    seen: Arc<Seen>,
    /// The receiving ends that it reports of.
    running: Vec<link::Command>,
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Voice {
    async fn converse(
        &mut self,
        mut incoming: Streaming<link::ControllerMessage>,
        turn: OwnedSemaphorePermit,
    ) -> Outcome {
        let (mut turn, mut beats, mut progress) = (Some(turn), every(BEAT), every(PROGRESS));
        loop {
            tokio::select! {
                message = incoming.message() => {
                    let message = message.context(|| "hear the controller".to_owned())?;
                    let Some(message) = message else { return Err(Failure::new("the session ended")) };
                    match message.kind {
                        Some(controller_message::Kind::Welcome(welcome)) => {
                            // As agents do that have nothing running.
                            beats = every(period(&welcome) * 2);
                            self.seen.welcomes.fetch_add(1, Ordering::Relaxed);
                            turn = None;
                        }
                        Some(controller_message::Kind::Command(command)) => self.obey(command).await?,
                        _ => {}
                    }
                }
                _ = beats.tick(), if turn.is_none() => self.beat().await?,
                _ = progress.tick(), if !self.running.is_empty() => self.tell_progress().await?,
            }
        }
    }

    async fn say(&self, kind: agent_message::Kind) -> Outcome {
        let message = link::AgentMessage { kind: Some(kind) };
        self.out.send(message).await.map_err(|_| Failure::new("the session ended"))
    }

    async fn beat(&mut self) -> Outcome {
        self.beats += 1;
        let running_tasks = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        let beat = link::Heartbeat { sequence: self.beats, running_tasks };
        self.say(agent_message::Kind::Heartbeat(beat)).await
    }

    async fn tell_progress(&self) -> Outcome {
        for command in &self.running {
            let progress = v1::Progress {
                lag_bytes: Some(0),
                latency_seconds: Some(0.001),
                copied_rows: self.beats,
                ..Default::default()
            };
            let told = link::TaskProgress {
                migration_uid: command.migration_uid.clone(),
                database: command.database.clone(),
                epoch: command.epoch,
                progress: Some(progress),
                operation: "applying changes".to_owned(),
                ..Default::default()
            };
            self.say(agent_message::Kind::Progress(told)).await?;
        }
        Ok(())
    }

    async fn obey(&mut self, command: link::Command) -> Outcome {
        self.seen.note(&command.migration_uid);
        let command_id = command.command_id.clone();
        let ack = link::CommandAck { command_id, accepted: true, ..Default::default() };
        self.say(agent_message::Kind::Ack(ack)).await?;
        let (task, answers) = answers(&command);
        for kind in answers {
            self.sequence += 1;
            let report = link::Report {
                sequence: self.sequence,
                migration_uid: command.migration_uid.clone(),
                database: command.database.clone(),
                epoch: command.epoch,
                task: task.into(),
                kind: Some(kind),
            };
            self.say(agent_message::Kind::Report(report)).await?;
        }
        if task == link::TaskKind::Receive {
            self.running.push(command);
            self.seen.streams.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn period(welcome: &link::Welcome) -> Duration {
    let told = welcome.heartbeat_interval.and_then(|told| Duration::try_from(told).ok());
    told.filter(|period| !period.is_zero()).unwrap_or(BEAT)
}

fn answers(command: &link::Command) -> (link::TaskKind, Vec<report::Kind>) {
    use report::Kind;
    match &command.kind {
        Some(command::Kind::CheckSource(_)) => {
            (link::TaskKind::CheckSource, vec![Kind::Checked(link::Checked::default())])
        }
        Some(command::Kind::CheckTarget(_)) => {
            (link::TaskKind::CheckTarget, vec![Kind::Checked(link::Checked::default())])
        }
        Some(command::Kind::Receive(_)) => {
            let kinds = vec![
                Kind::Prepared(link::DatabasePrepared { target_oid: 42 }),
                Kind::CopyFinished(link::CopyFinished::default()),
                Kind::StreamStarted(link::StreamStarted { from_lsn: 1 }),
            ];
            (link::TaskKind::Receive, kinds)
        }
        _ => (link::TaskKind::Unspecified, Vec::new()),
    }
}
