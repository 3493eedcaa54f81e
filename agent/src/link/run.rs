//! The link's life: session after session, until it is told to stop or told off.
use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use whimbrel_proto::agent::v1::{Command, CommandAck};

use super::{
    backoff::Backoff,
    data_dir::DataDir,
    dial::{dial, session_config},
    error::LinkError,
    identity::Identity,
    outlet::Outlet,
    session::{self, End, Work},
    tasks::Tasks,
    term::Term,
    told::Told,
};

/// Commands that wait to be taken up. The controller has at most a few a database under way.
const COMMANDS_MAX: usize = 256;
/// A pause that a leaving controller may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A command that is being taken up when we stop has this long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// After the tasks have stopped, their last reports are sent as long as this, if there is a session.
const FAREWELL: Duration = Duration::from_secs(2);

/// The link, before it runs.
#[derive(Debug)]
pub struct Link {
    pub(super) dir: DataDir,
    pub(super) identity: Identity,
    pub(super) term: Term,
    pub(super) told: Told,
    pub(super) outlet: Outlet,
    /// A UUID of this life of the process.
    pub(super) incarnation: String,
    /// As in `Hello.postgres_programs`.
    pub(super) programs: Vec<String>,
}

impl Link {
    /// Takes the folder and the identity over.
    ///
    /// # Errors
    /// [`LinkError`] when the term can't be read.
    pub fn new(
        dir: DataDir,
        identity: Identity,
        outlet: Outlet,
        programs: Vec<String>,
    ) -> Result<Self, LinkError> {
        let (term, told) = (Term::load(&dir)?, Told::load(&dir));
        let incarnation = uuid::Uuid::new_v4().to_string();
        Ok(Self { dir, identity, term, told, outlet, incarnation, programs })
    }

    /// The agent's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.identity.name()
    }

    /// Keeps a session until `stop`; then stops the tasks. `ready` is called once, when the first session is up.
    ///
    /// # Errors
    /// [`LinkError`] when going on makes no sense: superseded, revoked. The tasks are
    /// stopped then too.
    pub async fn run(
        mut self,
        tasks: Arc<dyn Tasks>,
        stop: CancellationToken,
        ready: impl FnOnce() + Send,
    ) -> Result<(), LinkError> {
        let (commands, taken) = mpsc::channel(COMMANDS_MAX);
        let (done, acks) = mpsc::channel(COMMANDS_MAX);
        // What is stopped must not be started again by a command that waits.
        let no_more = stop.child_token();
        let worker = tokio::spawn(take_up(Arc::clone(&tasks), taken, done, no_more.clone()));
        let mut work = Work { tasks: Arc::clone(&tasks), commands, acks };
        let outlet = self.outlet.clone();
        let sessions = async {
            let error = self.sessions(&mut work, ready).await;
            outlet.shared.lease.give_up();
            error
        };
        let mut worker = Some(worker);
        let result = tokio::select! {
            error = sessions => Err(error),
            () = stopped(&stop, &tasks, &mut worker, &outlet) => Ok(()),
        };
        if result.is_err() {
            no_more.cancel();
            stop_all(&tasks, worker.take()).await;
        }
        result
    }

    async fn sessions(&mut self, work: &mut Work, ready: impl FnOnce() + Send) -> LinkError {
        let mut backoff = Backoff::new();
        let mut ready = Some(ready);
        loop {
            let mut welcomed = false;
            let end = self
                .session(work, &mut || {
                    welcomed = true;
                    if let Some(ready) = ready.take() {
                        ready();
                    }
                })
                .await;
            if welcomed {
                backoff.reset();
            }
            let pause = match end {
                End::Lost(cause) => {
                    let pause = backoff.next();
                    tracing::warn!(%cause, ?pause, "no session with the controller; trying again");
                    pause
                }
                End::GoAway(pause) => {
                    let pause = pause.min(PAUSE_MAX) + backoff.next();
                    tracing::info!(
                        ?pause,
                        "the controller goes away; dialling again after a pause"
                    );
                    pause
                }
                End::Fatal(error) => return error,
            };
            sleep(pause).await;
        }
    }

    /// Tries each address once.
    async fn session(&mut self, work: &mut Work, welcomed: &mut (dyn FnMut() + Send)) -> End {
        if self.identity.is_expired() {
            tracing::error!(
                "the agent's certificate has expired: make a token with `whimbrel agent token create`, and start this \
                 agent again with it (--join-file) on the same --data-dir: it keeps its name and its work"
            );
        }
        // Made anew each time: the certificate may have been renewed.
        let config = match session_config(&self.identity) {
            Ok(config) => config,
            Err(error) => return End::Fatal(error),
        };
        let mut last = End::Lost("the identity names no address".to_owned());
        for address in self.identity.addresses().to_vec() {
            match dial(&address, Arc::clone(&config)).await {
                Ok((channel, word)) => {
                    let end = session::run(self, channel, work, welcomed).await;
                    return match (end, word.explained()) {
                        (End::Lost(cause), Some(why)) => End::Lost(format!("{why} ({cause})")),
                        (end, _) => end,
                    };
                }
                Err(error) => last = End::Lost(error.to_string()),
            }
        }
        last
    }
}

/// Ends when `stop` was called, and everything has come to its end. The session goes on meanwhile.
async fn stopped(
    stop: &CancellationToken,
    tasks: &Arc<dyn Tasks>,
    worker: &mut Option<JoinHandle<()>>,
    outlet: &Outlet,
) {
    stop.cancelled().await;
    stop_all(tasks, worker.take()).await;
    said_farewell(outlet).await;
}

async fn stop_all(tasks: &Arc<dyn Tasks>, worker: Option<JoinHandle<()>>) {
    if let Some(worker) = worker {
        match timeout(COMMAND_TIMEOUT, worker).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "taking commands up ended badly"),
            Err(_) => tracing::warn!("stopping while a command is still being taken up"),
        }
    }
    tasks.stop_all().await;
}

/// Takes commands up one after another, whatever becomes of the session that they came by, until `stop`.
async fn take_up(
    tasks: Arc<dyn Tasks>,
    mut commands: mpsc::Receiver<Command>,
    acks: mpsc::Sender<CommandAck>,
    stop: CancellationToken,
) {
    loop {
        let command = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            command = commands.recv() => command,
        };
        let Some(command) = command else { return };
        let ack = tasks.command(command).await;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            sent = acks.send(ack) => if sent.is_err() { return },
        }
    }
}

/// Waits until all reports are acknowledged, within [`FAREWELL`].
async fn said_farewell(outlet: &Outlet) {
    /// Acknowledgements come one by one; there is nothing to be woken by.
    const LOOK: Duration = Duration::from_millis(20);
    let empty = async {
        while !outlet.shared.reports.is_empty() {
            sleep(LOOK).await;
        }
    };
    if timeout(FAREWELL, empty).await.is_err() {
        tracing::info!("stopping with reports that the controller has not acknowledged");
    }
}
