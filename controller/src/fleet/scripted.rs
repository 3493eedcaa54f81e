//! Sessions of scripted agents, with a listener that waits, or fails, when it is told to.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;
use whimbrel_proto::agent::v1::{self as link, agent_message, controller_message::Kind as Told};

use super::{Fleet, FleetParts, Listener, TokenKey, state::SILENT};
use crate::{
    data_dir::DataDir,
    migration::{
        Command, CommandKind, Endpoint, Goal, Mode, NewMigration, Secret, Spec, SslMode, create,
    },
    store::{
        Agent, Change, JoinToken, NewCommand, OutboxEntry, SqliteStore, Store, StoreError, Target,
    },
    tls::Authority,
};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Ears {
    arrived: Mutex<Vec<String>>,
    /// The life whose arrival takes until it is let go.
    slow: Mutex<String>,
    begun: Notify,
    let_go: Notify,
    refusals: Mutex<Vec<String>>,
    /// A refusal was told.
    refused: Notify,
    deaf: AtomicBool,
}

#[async_trait]
impl Listener for Ears {
    async fn arrived(
        &self,
        _: &str,
        incarnation: &str,
        _: &[link::RunningTask],
    ) -> Result<(), StoreError> {
        if *self.slow.lock().unwrap() == incarnation {
            self.begun.notify_one();
            self.let_go.notified().await;
        }
        self.arrived.lock().unwrap().push(incarnation.to_owned());
        Ok(())
    }

    async fn report(&self, _: &str, _: &str, _: link::Report) -> Result<(), StoreError> {
        Ok(())
    }

    fn progress(&self, _: &str, _: link::TaskProgress) {}

    async fn refused(&self, _: OutboxEntry, refusal: String, _: u64) -> Result<(), StoreError> {
        self.refused.notify_one();
        if self.deaf.load(Ordering::SeqCst) {
            return Err(StoreError::Full { cause: "a test".to_owned() });
        }
        self.refusals.lock().unwrap().push(refusal);
        Ok(())
    }
}

struct Scene {
    fleet: Arc<Fleet>,
    store: Arc<dyn Store>,
    ears: Arc<Ears>,
    agent: Agent,
    _folder: tempfile::TempDir,
}

struct Session {
    out: mpsc::Sender<Result<link::AgentMessage, Status>>,
    told: ReceiverStream<Result<link::ControllerMessage, Status>>,
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_700_000_000).unwrap()
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&folder.path().join("data")).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path("store.db")).unwrap());
        let term = store.begin_term().await.unwrap();
        let fleet = Arc::new(Fleet::new(FleetParts {
            store: Arc::clone(&store),
            authority: Arc::new(Authority::open(&dir, now()).unwrap()),
            token_key: TokenKey::new([0; 32]),
            addresses: vec![],
            term,
        }));
        let labels = BTreeMap::new();
        let token = JoinToken { hash: vec![1], labels, expires_at: jiff::Timestamp::MAX };
        store.add_token(token, None).await.unwrap();
        let agent = store.enrol(&[1], agent(), now()).await.unwrap();
        Self { fleet, store, ears: Arc::default(), agent, _folder: folder }
    }

    async fn hello(&self, incarnation: &str) -> Session {
        self.hello_behind(incarnation, 0).await
    }

    /// The agent was given that command before.
    async fn hello_behind(&self, incarnation: &str, last_command: u64) -> Session {
        let (out, incoming) = mpsc::channel(16);
        let hello = link::Hello {
            incarnation: incarnation.to_owned(),
            protocol_min: 1,
            protocol_max: 1,
            last_command,
            ..link::Hello::default()
        };
        let listener: Arc<dyn Listener> = Arc::<Ears>::clone(&self.ears);
        let incoming = ReceiverStream::new(incoming);
        let told = self.fleet.open(self.agent.clone(), incoming, listener);
        let session = Session { out, told };
        session.say(agent_message::Kind::Hello(hello)).await;
        session
    }

    /// A command in the outbox, of a migration that is there.
    async fn command(&self) {
        let endpoint = endpoint();
        let agent = self.agent.id.clone();
        let target = Target {
            id: "t".to_owned(),
            uid: "u".to_owned(),
            version: 1,
            endpoint,
            agent: agent.clone(),
            created_at: now(),
            updated_at: now(),
        };
        self.store.create_target(target, None).await.unwrap();
        let new = NewMigration {
            uid: "m".to_owned(),
            target_id: "t".to_owned(),
            name: "m".to_owned(),
            spec: spec(&agent),
            incarnations: BTreeMap::new(),
        };
        let outcome = create(new, now());
        let command =
            Command { agent, database: "d".to_owned(), epoch: 1, kind: CommandKind::Receive };
        let change = Change {
            expected_version: 0,
            term: 1,
            at: now(),
            migration: outcome.migration,
            notes: vec![],
            commands: vec![NewCommand { id: "c".to_owned(), command }],
            dropped: vec![],
        };
        self.store.create_migration(change, None).await.unwrap();
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        host: "h".to_owned(),
        port: 1,
        user: "u".to_owned(),
        password: Secret::Pgpass,
        ssl_mode: SslMode::Prefer,
    }
}

fn spec(agent: &str) -> Spec {
    Spec {
        mode: Mode::Online,
        goal: Goal::Migrate,
        source_type: "OnPremises".to_owned(),
        source: endpoint(),
        target: endpoint(),
        databases: vec!["d".to_owned()],
        selection: Default::default(),
        overwrite: false,
        migrate_roles: false,
        source_agent: agent.to_owned(),
        target_agent: agent.to_owned(),
        setup_logical_replication: false,
        follow_schema_changes: true,
        limits: Default::default(),
        window_start: None,
        window_end: None,
    }
}

fn agent() -> Agent {
    Agent {
        id: "a".to_owned(),
        uid: "uid".to_owned(),
        version: 1,
        labels: BTreeMap::new(),
        program_version: String::new(),
        incarnation: String::new(),
        past_incarnations: vec![],
        key_hash: vec![],
        sealing_key: vec![1; 32],
        postgres_programs: vec![],
        draining: false,
        revoked: false,
        created_at: now(),
        last_seen_at: None,
    }
}

impl Session {
    async fn say(&self, kind: agent_message::Kind) {
        self.out.send(Ok(link::AgentMessage { kind: Some(kind) })).await.unwrap();
    }

    /// What it is told next; `None`: the session has ended.
    async fn hear(&mut self) -> Option<Told> {
        let next = timeout(PATIENCE, self.told.next()).await.expect("a word in time")?;
        next.ok()?.kind
    }
}

#[tokio::test]
async fn an_older_life_never_arrives_after_a_newer_one() {
    let scene = Scene::new().await;
    "old".clone_into(&mut scene.ears.slow.lock().unwrap());
    let mut old = scene.hello("old").await;
    scene.ears.begun.notified().await;
    // It has not heard its welcome when its connection is gone, and the next life is here.
    let mut new = scene.hello("new").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    scene.ears.let_go.notify_one();
    assert!(matches!(old.hear().await, Some(Told::Welcome(_))));
    drop(old);
    assert!(matches!(new.hear().await, Some(Told::Welcome(_))));
    assert_eq!(*scene.ears.arrived.lock().unwrap(), ["old", "new"]);
    assert_eq!(scene.fleet.incarnation("a").as_deref(), Some("new"));
}

#[tokio::test]
async fn a_store_that_does_not_know_an_agents_last_command_is_not_served() {
    let scene = Scene::new().await;
    scene.command().await;
    let last = scene.store.last_command().await.unwrap();
    assert!(last > 0);
    let mut older = scene.hello_behind("a life", last + 1).await;
    let told = timeout(PATIENCE, older.told.next()).await.unwrap().unwrap();
    assert!(told.unwrap_err().message().contains("StoreIsOlder: agents/a"));
    assert!(scene.ears.arrived.lock().unwrap().is_empty());
    let shown = || async { scene.fleet.state(&scene.fleet.agent("a").await.unwrap()).turned_away };
    assert!(shown().await.unwrap().starts_with("StoreIsOlder: agents/a"));
    assert!(scene.fleet.absence("a").unwrap().contains("`whimbrel agent show a`"));
    let mut same = scene.hello_behind("a life", last).await;
    assert!(matches!(same.hear().await, Some(Told::Welcome(_))));
    assert_eq!((shown().await, scene.fleet.absence("a")), (None, None));
    scene.store.skip_terms(1000).await.unwrap();
    let mut restored = scene.hello_behind("another", last + 1).await;
    same.told.close();
    drop(same);
    assert!(matches!(restored.hear().await, Some(Told::Welcome(_))));
}

#[tokio::test]
async fn a_second_process_of_an_agent_that_answers_is_turned_away() {
    let scene = Scene::new().await;
    let mut first = scene.hello("first").await;
    assert!(matches!(first.hear().await, Some(Told::Welcome(_))));
    let mut copy = scene.hello("copy").await;
    let Some(Told::Query(query)) = first.hear().await else { panic!("asked whether it lives") };
    let answer = link::QueryAnswer { query_id: query.query_id, kind: None };
    first.say(agent_message::Kind::Answer(answer)).await;
    let Some(Told::Superseded(told)) = copy.hear().await else { panic!("turned away") };
    assert!(told.reason.contains("AgentRunsTwice: another process of agents/a"), "{}", told.reason);
    assert_eq!(scene.fleet.incarnation("a").as_deref(), Some("first"));
    assert_eq!(*scene.ears.arrived.lock().unwrap(), ["first"]);

    // One that is frozen does not answer: the next one takes its place, and it has to go.
    tokio::time::pause();
    let mut next = scene.hello("next").await;
    assert!(matches!(next.hear().await, Some(Told::Welcome(_))));
    tokio::time::resume();
    assert!(matches!(first.hear().await, Some(Told::Query(_))));
    assert!(matches!(first.hear().await, Some(Told::Superseded(_))));
    let mut late = scene.hello("first").await;
    assert!(matches!(late.hear().await, Some(Told::Superseded(_))));
}

#[tokio::test]
async fn it_is_known_how_long_an_agent_is_away() {
    let scene = Scene::new().await;
    assert!(scene.fleet.away_for("a").is_some(), "since the controller began");
    let mut agent = scene.hello("first").await;
    assert!(matches!(agent.hear().await, Some(Told::Welcome(_))));
    assert_eq!(scene.fleet.away_for("a"), None);
    drop(agent);
    let lost = async {
        while scene.fleet.away_for("a").is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, lost).await.expect("the session is missed");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(scene.fleet.away_for("a").unwrap() >= Duration::from_secs(61));
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_missed_before_its_connection_is() {
    let scene = Scene::new().await;
    let mut agent = scene.hello("first").await;
    assert!(matches!(agent.hear().await, Some(Told::Welcome(_))));
    tokio::time::pause();
    // Some time has passed by itself before.
    let rest = Duration::from_secs(10);
    tokio::time::advance(SILENT - rest).await;
    assert_eq!((scene.fleet.away_for("a"), scene.fleet.is_away("a")), (None, false));
    // Its connection stands; nothing comes.
    tokio::time::advance(rest).await;
    assert!(scene.fleet.away_for("a").unwrap() >= SILENT && scene.fleet.is_away("a"));

    // What is counted goes on when the connection is given up, and ends with the next word.
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::resume();
    drop(agent);
    let gone = async {
        while scene.fleet.session("a").is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the session ends");
    assert!(scene.fleet.away_for("a").unwrap() >= SILENT + Duration::from_secs(5));
    let mut agent = scene.hello("first").await;
    assert!(matches!(agent.hear().await, Some(Told::Welcome(_))));
    assert_eq!((scene.fleet.away_for("a"), scene.fleet.is_away("a")), (None, false));
}

#[tokio::test]
async fn a_refusal_that_could_not_be_noted_is_not_lost() {
    let scene = Scene::new().await;
    scene.command().await;
    let (command_id, refusal) = ("c".to_owned(), "Unknown".to_owned());
    let ack = link::CommandAck { command_id, accepted: false, refusal, epoch: 0 };
    let mut session = scene.hello("one").await;
    assert!(matches!(session.hear().await, Some(Told::Welcome(_))));
    assert!(matches!(session.hear().await, Some(Told::Command(_))));
    scene.ears.deaf.store(true, Ordering::SeqCst);
    session.say(agent_message::Kind::Ack(ack)).await;
    // Heard after the acknowledgement, and answered.
    session.say(agent_message::Kind::Heartbeat(link::Heartbeat::default())).await;
    assert!(matches!(session.hear().await, Some(Told::Lease(_))));
    scene.ears.refused.notified().await;
    assert!(scene.store.undelivered("c").await.unwrap().is_some(), "it is not noted");

    scene.ears.deaf.store(false, Ordering::SeqCst);
    let noted = async {
        while scene.store.undelivered("c").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, noted).await.expect("it is noted once the store is good again");
    assert_eq!(*scene.ears.refusals.lock().unwrap(), ["Unknown"]);
}
