//! The link's life: session after session, until it is told to stop or told off.
use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use whimbrel_proto::agent::v1::{Command, CommandAck};

use super::{
    backoff::Backoff,
    data_dir::DataDir,
    dial::{dial, session_config},
    error::LinkError,
    identity::Identity,
    outlet::Outlet,
    session::{self, End},
    tasks::Tasks,
    term::Term,
};

/// Commands that wait to be taken up. The controller has at most a few a database under way.
const COMMANDS_MAX: usize = 256;
/// A pause that a leaving controller may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// After the tasks have stopped, their last reports are sent as long as this, if there is a session.
const FAREWELL: Duration = Duration::from_secs(2);

/// The link, before it runs.
#[derive(Debug)]
pub struct Link {
    pub(super) dir: DataDir,
    pub(super) identity: Identity,
    pub(super) term: Term,
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
        let term = Term::load(&dir)?;
        let incarnation = uuid::Uuid::new_v4().to_string();
        Ok(Self { dir, identity, term, outlet, incarnation, programs })
    }

    /// The agent's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.identity.name()
    }

    /// Keeps a session until `stop`; then stops the tasks. `ready` is called once, when the first session is up.
    ///
    /// # Errors
    /// [`LinkError`] when going on makes no sense: superseded, revoked, a folder that can't be written. The tasks are
    /// stopped then too.
    pub async fn run(
        mut self,
        tasks: Arc<dyn Tasks>,
        stop: CancellationToken,
        ready: impl FnOnce() + Send,
    ) -> Result<(), LinkError> {
        let (commands, taken) = mpsc::channel(COMMANDS_MAX);
        let (done, mut acks) = mpsc::channel(COMMANDS_MAX);
        let worker = tokio::spawn(take_up(Arc::clone(&tasks), taken, done));
        let outlet = self.outlet.clone();
        let stopping = async {
            stop.cancelled().await;
            tasks.stop_all().await;
            said_farewell(&outlet).await;
        };
        let mut stopping = pin!(stopping);
        let result = {
            let sessions = self.sessions(&tasks, &commands, &mut acks, ready);
            tokio::select! {
                error = sessions => Err(error),
                () = &mut stopping => Ok(()),
            }
        };
        if result.is_err() {
            self.outlet.shared.lease.give_up();
            tasks.stop_all().await;
        }
        worker.abort();
        result
    }

    async fn sessions(
        &mut self,
        tasks: &Arc<dyn Tasks>,
        commands: &mpsc::Sender<Command>,
        acks: &mut mpsc::Receiver<CommandAck>,
        ready: impl FnOnce() + Send,
    ) -> LinkError {
        let mut backoff = Backoff::new();
        let mut ready = Some(ready);
        loop {
            let mut welcomed = false;
            let end = self
                .session(tasks, commands, acks, &mut || {
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
    async fn session(
        &mut self,
        tasks: &Arc<dyn Tasks>,
        commands: &mpsc::Sender<Command>,
        acks: &mut mpsc::Receiver<CommandAck>,
        welcomed: &mut (dyn FnMut() + Send),
    ) -> End {
        // Made anew each time: the certificate may have been renewed.
        let config = match session_config(&self.identity) {
            Ok(config) => config,
            Err(error) => return End::Fatal(error),
        };
        let mut last = End::Lost("the identity names no address".to_owned());
        for address in self.identity.addresses().to_vec() {
            match dial(&address, Arc::clone(&config)).await {
                Ok(channel) => {
                    return session::run(self, channel, tasks, commands, acks, welcomed).await;
                }
                Err(error) => last = End::Lost(error.to_string()),
            }
        }
        last
    }
}

/// Takes commands up one after another, whatever becomes of the session that they came by.
async fn take_up(
    tasks: Arc<dyn Tasks>,
    mut commands: mpsc::Receiver<Command>,
    acks: mpsc::Sender<CommandAck>,
) {
    while let Some(command) = commands.recv().await {
        let ack = tasks.command(command).await;
        if acks.send(ack).await.is_err() {
            return;
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
    if tokio::time::timeout(FAREWELL, empty).await.is_err() {
        tracing::info!("stopping with reports that the controller has not acknowledged");
    }
}
