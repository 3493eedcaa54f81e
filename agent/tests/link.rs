//! Enrolment and sessions against a scripted controller, over real TLS.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod controller;

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use controller::{Controller, Peer, token};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use whimbrel_agent::link::{
    DataDir, Enrolment, Identity, JoinToken, Link, LinkError, Outlet, Tasks, enrol,
};
use whimbrel_proto::{
    agent::v1::{
        Command, CommandAck, GoAway, Hello, LeaseGrant, Query, QueryAnswer, Report, ReportAck,
        RunningTask, Superseded, TaskProgress, Welcome, agent_message::Kind as Sent,
        controller_message::Kind as Told,
    },
    v1::Progress,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn wish() -> Enrolment {
    Enrolment { name: "a".into(), labels: Default::default() }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Accepts every command and remembers it.
struct Recorder {
    commands: mpsc::Sender<Command>,
    stopped: AtomicBool,
}

#[async_trait]
impl Tasks for Recorder {
    async fn command(&self, command: Command) -> CommandAck {
        self.commands.send(command.clone()).await.unwrap();
        let command_id = command.command_id;
        CommandAck { command_id, accepted: true, ..CommandAck::default() }
    }

    fn running(&self) -> Vec<RunningTask> {
        vec![RunningTask { migration_uid: "m".into(), database: "d".into(), ..Default::default() }]
    }

    async fn query(&self, query: Query) -> QueryAnswer {
        QueryAnswer { query_id: query.query_id, kind: None }
    }

    async fn stop_all(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

/// An enrolled agent with a running link.
struct Agent {
    outlet: Outlet,
    tasks: Arc<Recorder>,
    commands: mpsc::Receiver<Command>,
    stop: CancellationToken,
    ready: Arc<AtomicBool>,
    link: JoinHandle<Result<(), LinkError>>,
    _folder: tempfile::TempDir,
}

impl Agent {
    async fn join(controller: &Controller) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let token = JoinToken::parse(&controller.token()).unwrap();
        let identity = enrol(&dir, &token, &wish()).await.unwrap();
        let outlet = Outlet::new();
        let link = Link::new(dir, identity, outlet.clone(), vec!["pg_dump 1.2 /x".into()]).unwrap();
        let (sender, commands) = mpsc::channel(16);
        let tasks = Arc::new(Recorder { commands: sender, stopped: AtomicBool::new(false) });
        let (stop, ready) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (stopping, told, working) = (stop.clone(), Arc::clone(&ready), Arc::clone(&tasks));
        let link = tokio::spawn(async move {
            link.run(working, stopping, move || told.store(true, Ordering::SeqCst)).await
        });
        Self { outlet, tasks, commands, stop, ready, link, _folder: folder }
    }
}

/// Takes the next session up with a welcome of `term`.
async fn welcome(controller: &mut Controller, term: u64) -> (Peer, Hello) {
    let mut peer = within("a session", controller.peers.recv()).await.unwrap();
    let Sent::Hello(hello) = within("hello", peer.next()).await else { panic!("no hello") };
    peer.send(Told::Welcome(Welcome {
        protocol: 1,
        term,
        // Four of them in silence end a session: long enough for a machine that has much else to do.
        heartbeat_interval: Some(Duration::from_secs(1).try_into().unwrap()),
        lease_ttl: Some(Duration::from_secs(15).try_into().unwrap()),
    }))
    .await;
    (peer, hello)
}

/// The next message that is `wanted`, heartbeats answered meanwhile.
async fn wait_for<T>(peer: &mut Peer, what: &str, wanted: impl Fn(Sent) -> Option<T>) -> T {
    let search = async {
        loop {
            let sent = peer.next().await;
            if let Sent::Heartbeat(beat) = &sent {
                let ttl = Some(Duration::from_secs(15).try_into().unwrap());
                let grant = LeaseGrant { heartbeat_sequence: beat.sequence, ttl };
                peer.send(Told::Lease(grant)).await;
            }
            if let Some(found) = wanted(sent) {
                return found;
            }
        }
    };
    within(what, search).await
}

fn report(sent: Sent) -> Option<Report> {
    match sent {
        Sent::Report(report) => Some(report),
        _ => None,
    }
}

fn ack(sent: Sent) -> Option<CommandAck> {
    match sent {
        Sent::Ack(ack) => Some(ack),
        _ => None,
    }
}

fn command(id: &str, term: u64) -> Told {
    Told::Command(Command { command_id: id.into(), term, ..Default::default() })
}

#[tokio::test]
async fn a_token_is_good_once_and_the_identity_stays() {
    let controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let token = JoinToken::parse(&controller.token()).unwrap();
    let identity = enrol(&dir, &token, &wish()).await.unwrap();
    assert_eq!(identity.name(), "a");
    assert_eq!(Identity::load(&dir).unwrap().unwrap().name(), "a");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let other = tempfile::tempdir().unwrap();
    let error = enrol(&DataDir::open(other.path()).unwrap(), &token, &wish()).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::EnrolRefused { code, .. } if code == "JoinTokenUsed"),
        "{error}"
    );
    assert_eq!(error.exit_status(), 5);
    assert!(Identity::load(&DataDir::open(&other.path().join("x")).unwrap()).unwrap().is_none());
}

#[tokio::test]
async fn the_secret_is_not_sent_to_another_ca() {
    let controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let wrong = token(&controller.address.to_string(), &[7; 32]);
    let error = enrol(&dir, &JoinToken::parse(&wrong).unwrap(), &wish()).await.unwrap_err();
    assert!(matches!(error, LinkError::WrongController { .. }), "{error}");
    assert_eq!(error.exit_status(), 5);
    // It was not spent: the right one still works.
    let token = JoinToken::parse(&controller.token()).unwrap();
    enrol(&dir, &token, &wish()).await.unwrap();
}

#[tokio::test]
async fn reports_are_sent_again_until_they_are_acknowledged() {
    let mut controller = Controller::start().await;
    let agent = Agent::join(&controller).await;
    agent.outlet.report(Report { database: "one".into(), ..Default::default() }).await;
    agent.outlet.report(Report { database: "two".into(), ..Default::default() }).await;

    let (mut peer, first) = welcome(&mut controller, 1).await;
    assert_eq!(first.postgres_programs, ["pg_dump 1.2 /x"]);
    let one = wait_for(&mut peer, "report one", report).await;
    let two = wait_for(&mut peer, "report two", report).await;
    assert_eq!((one.sequence, two.sequence), (1, 2));
    peer.send(Told::ReportAck(ReportAck { sequence: 1 })).await;
    // Answered after the acknowledgement was read.
    peer.send(command("c", 1)).await;
    wait_for(&mut peer, "ack", ack).await;
    drop(peer);

    let (mut peer, second) = welcome(&mut controller, 1).await;
    assert_eq!(first.incarnation, second.incarnation, "the same life of the process");
    let again = wait_for(&mut peer, "report two again", report).await;
    assert_eq!((again.sequence, again.database.as_str()), (2, "two"));
}

#[tokio::test]
async fn an_old_term_is_refused_and_commands_are_taken_up_in_order() {
    let mut controller = Controller::start().await;
    let mut agent = Agent::join(&controller).await;
    let (mut peer, _) = welcome(&mut controller, 3).await;
    peer.send(command("one", 3)).await;
    peer.send(command("old", 2)).await;
    peer.send(command("two", 4)).await;
    let mut acks = Vec::new();
    while acks.len() < 3 {
        let ack = wait_for(&mut peer, "an ack", ack).await;
        acks.push((ack.command_id, ack.refusal));
    }
    assert!(acks.contains(&("old".into(), "StaleTerm".into())), "{acks:?}");
    let taken = |command: Option<Command>| command.unwrap().command_id;
    assert_eq!(taken(agent.commands.recv().await), "one");
    assert_eq!(taken(agent.commands.recv().await), "two");
    drop(peer);

    // A controller of an older term is not listened to; the agent leaves and dials again.
    let (mut old, _) = welcome(&mut controller, 3).await;
    assert!(within("the end", old.from.message()).await.is_ok_and(|message| message.is_none()));
    let (_peer, _) = welcome(&mut controller, 4).await;
}

#[tokio::test]
async fn a_lease_is_held_while_heartbeats_are_answered() {
    let mut controller = Controller::start().await;
    let agent = Agent::join(&controller).await;
    let lease = agent.outlet.lease();
    assert!(lease.require().is_err());
    let (mut peer, _) = welcome(&mut controller, 1).await;
    let beats = std::cell::Cell::new(0);
    wait_for(&mut peer, "heartbeats", |sent| {
        beats.set(beats.get() + usize::from(matches!(sent, Sent::Heartbeat(_))));
        (beats.get() == 2).then_some(())
    })
    .await;
    // The answer to the first beat is on its way.
    let held = async {
        while lease.require().is_err() {
            tokio::task::yield_now().await;
        }
    };
    within("a lease", held).await;
    assert!(agent.ready.load(Ordering::SeqCst));

    // Not answered any more, the session is dead; the agent dials again by itself.
    let (_again, _) = welcome(&mut controller, 1).await;
}

#[tokio::test]
async fn the_newest_progress_is_sent_and_told_again() {
    let mut controller = Controller::start().await;
    let agent = Agent::join(&controller).await;
    let progress = |inserts| TaskProgress {
        migration_uid: "m".into(),
        database: "d".into(),
        progress: Some(Progress { inserts, ..Default::default() }),
        ..Default::default()
    };
    let newest = |sent| match sent {
        Sent::Progress(progress) => Some(progress.progress.unwrap().inserts),
        _ => None,
    };
    let (mut peer, _) = welcome(&mut controller, 1).await;
    agent.outlet.progress(progress(1));
    agent.outlet.progress(progress(2));
    assert_eq!(wait_for(&mut peer, "progress", newest).await, 2);
    peer.send(Told::GoAway(GoAway { pause: None })).await;
    let (mut peer, _) = welcome(&mut controller, 1).await;
    assert_eq!(wait_for(&mut peer, "progress again", newest).await, 2);
}

#[tokio::test]
async fn superseded_ends_the_process() {
    let mut controller = Controller::start().await;
    let agent = Agent::join(&controller).await;
    let (peer, _) = welcome(&mut controller, 1).await;
    peer.send(Told::Superseded(Superseded { reason: "revoked".into() })).await;
    let error = within("the end", agent.link).await.unwrap().unwrap_err();
    assert_eq!(error.exit_status(), 3);
    assert!(error.to_string().contains("revoked"));
    assert!(agent.tasks.stopped.load(Ordering::SeqCst));
    assert!(agent.outlet.lease().require().is_err());
}

#[tokio::test]
async fn told_to_stop_it_stops_the_tasks_and_ends_well() {
    let mut controller = Controller::start().await;
    let agent = Agent::join(&controller).await;
    let (_peer, _) = welcome(&mut controller, 1).await;
    agent.stop.cancel();
    within("the end", agent.link).await.unwrap().unwrap();
    assert!(agent.tasks.stopped.load(Ordering::SeqCst));
}
