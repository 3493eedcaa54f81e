//! An agent that joins as the contract says, and does what it is told without any database. Reports are kept until they
//! are acknowledged, as a real one's are.
use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Identity};
use whimbrel_proto::{
    agent::v1::{
        self as link, agent_message, command, controller_message,
        enrolment_service_client::EnrolmentServiceClient, link_service_client::LinkServiceClient,
        report,
    },
    v1,
};

use crate::host::Host;

/// Who the agent is, after it joined.
#[derive(Clone)]
pub(crate) struct Joined {
    certificate: String,
    key: String,
}

pub(crate) async fn join(host: &Host, token: &str, name: &str) -> Result<Joined, Status> {
    join_with(host, token, name, &KeyPair::generate().unwrap()).await
}

/// With a key of one's own.
pub(crate) async fn join_with(
    host: &Host,
    token: &str,
    name: &str,
    key: &KeyPair,
) -> Result<Joined, Status> {
    let json = URL_SAFE_NO_PAD.decode(token.strip_prefix("whj1.").unwrap()).unwrap();
    let token: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(token["addresses"][0], host.address.as_str());
    let request = CertificateParams::default().serialize_request(key).unwrap();
    let request = link::EnrolRequest {
        secret: URL_SAFE_NO_PAD.decode(token["secret"].as_str().unwrap()).unwrap(),
        agent_name: name.to_owned(),
        csr_pem: request.pem().unwrap(),
        sealing_key: vec![7; 32],
        ..Default::default()
    };
    let mut client = EnrolmentServiceClient::new(host.channel(None).await);
    let answer = client.enrol(request).await?.into_inner();
    assert_eq!(answer.ca_pem, host.ca);
    Ok(Joined { certificate: answer.certificate_pem, key: key.serialize_pem() })
}

#[derive(Default)]
struct Memory {
    sequence: u64,
    unacknowledged: BTreeMap<u64, link::Report>,
    /// By id: a command that comes again is not done again.
    done: Vec<String>,
    /// Steps are held back from this one on.
    hold_at: Option<link::Step>,
    held: Vec<link::Command>,
}

/// One life of an agent's process.
#[derive(Clone)]
pub(crate) struct Agent {
    joined: Joined,
    incarnation: String,
    memory: Arc<Mutex<Memory>>,
    held: watch::Sender<bool>,
}

impl Agent {
    pub(crate) fn new(joined: Joined) -> Self {
        let incarnation = uuid::Uuid::new_v4().to_string();
        let held = watch::Sender::new(false);
        Self { joined, incarnation, memory: Arc::default(), held }
    }

    pub(crate) async fn hold_at(&self, step: link::Step) {
        self.memory.lock().await.hold_at = Some(step);
    }

    /// Waits until a step is held back.
    pub(crate) async fn until_held(&self) {
        self.held.subscribe().wait_for(|held| *held).await.unwrap();
    }

    /// What is held back is done at the next session.
    pub(crate) async fn let_go(&self) {
        let mut memory = self.memory.lock().await;
        memory.hold_at = None;
        for command in std::mem::take(&mut memory.held) {
            answer(&mut memory, &command);
        }
    }

    /// Serves one session to its end; gives how it ended.
    pub(crate) async fn session(&self, host: &Host) -> Result<(), Status> {
        let identity = Identity::from_pem(&self.joined.certificate, &self.joined.key);
        let mut client = LinkServiceClient::new(host.channel(Some(identity)).await);
        let (out, messages) = mpsc::channel(1024);
        let hello = link::Hello {
            incarnation: self.incarnation.clone(),
            protocol_min: 1,
            protocol_max: 1,
            ..Default::default()
        };
        send(&out, agent_message::Kind::Hello(hello)).await;
        let mut incoming = client.session(ReceiverStream::new(messages)).await?.into_inner();
        let mut sent = 0;
        while let Some(message) = incoming.message().await? {
            match message.kind.unwrap() {
                controller_message::Kind::Command(command) => self.command(&out, command).await,
                controller_message::Kind::ReportAck(ack) => {
                    self.memory.lock().await.unacknowledged.remove(&ack.sequence);
                }
                controller_message::Kind::Superseded(superseded) => {
                    return Err(Status::aborted(superseded.reason));
                }
                _ => {}
            }
            let memory = self.memory.lock().await;
            for (sequence, report) in memory.unacknowledged.range(sent + 1..) {
                sent = *sequence;
                send(&out, agent_message::Kind::Report(report.clone())).await;
            }
        }
        Ok(())
    }

    async fn command(&self, out: &mpsc::Sender<link::AgentMessage>, command: link::Command) {
        let ack = link::CommandAck {
            command_id: command.command_id.clone(),
            accepted: true,
            ..link::CommandAck::default()
        };
        send(out, agent_message::Kind::Ack(ack)).await;
        let mut memory = self.memory.lock().await;
        if memory.done.contains(&command.command_id) {
            return;
        }
        memory.done.push(command.command_id.clone());
        if let Some(command::Kind::CutoverStep(step)) = &command.kind
            && memory.hold_at == Some(step.step())
        {
            memory.held.push(command);
            self.held.send_replace(true);
            return;
        }
        answer(&mut memory, &command);
        if let Some(command::Kind::Receive(_)) = &command.kind {
            send(out, agent_message::Kind::Progress(progress(&command))).await;
        }
    }
}

fn progress(command: &link::Command) -> link::TaskProgress {
    let progress = v1::Progress {
        lag_bytes: Some(0),
        latency_seconds: Some(0.1),
        copied_rows: 3,
        ..Default::default()
    };
    let table = v1::TableProgress {
        database: command.database.clone(),
        schema: "public".to_owned(),
        table: "orders".to_owned(),
        ..Default::default()
    };
    link::TaskProgress {
        migration_uid: command.migration_uid.clone(),
        database: command.database.clone(),
        epoch: command.epoch,
        progress: Some(progress),
        tables: vec![table],
        operation: "copying tables".to_owned(),
    }
}

fn answer(memory: &mut Memory, command: &link::Command) {
    use report::Kind;
    let (task, kinds) = match command.kind.as_ref().unwrap() {
        command::Kind::CheckSource(_) => {
            let facts = b"facts".to_vec().into();
            (
                link::TaskKind::CheckSource,
                vec![Kind::Checked(link::Checked { facts, ..Default::default() })],
            )
        }
        command::Kind::CheckTarget(check) => {
            assert_eq!(&check.source_facts[..], b"facts");
            (link::TaskKind::CheckTarget, vec![Kind::Checked(link::Checked::default())])
        }
        command::Kind::Receive(_) => {
            let kinds = vec![
                Kind::Prepared(link::DatabasePrepared { target_oid: 42 }),
                Kind::CopyFinished(link::CopyFinished::default()),
                Kind::StreamStarted(link::StreamStarted { from_lsn: 1 }),
            ];
            (link::TaskKind::Receive, kinds)
        }
        command::Kind::CutoverStep(step) => {
            let done =
                link::StepDone { step: step.step, attempt: step.attempt, ..Default::default() };
            (link::TaskKind::Send, vec![Kind::StepDone(done)])
        }
        command::Kind::CleanSource(_) => {
            (link::TaskKind::CleanSource, vec![Kind::TaskDone(link::TaskDone {})])
        }
        _ => return,
    };
    for kind in kinds {
        memory.sequence += 1;
        let report = link::Report {
            sequence: memory.sequence,
            migration_uid: command.migration_uid.clone(),
            database: command.database.clone(),
            epoch: command.epoch,
            task: task.into(),
            kind: Some(kind),
        };
        memory.unacknowledged.insert(memory.sequence, report);
    }
}

async fn send(out: &mpsc::Sender<link::AgentMessage>, kind: agent_message::Kind) {
    // The session is over when nobody takes it; the loop sees that.
    drop(out.send(link::AgentMessage { kind: Some(kind) }).await);
}

impl Agent {
    /// The same agent, in a new process.
    pub(crate) fn reborn(&self) -> Self {
        Self::new(self.joined.clone())
    }
}
