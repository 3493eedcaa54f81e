//! A whole stage for a scenario: a source, a target, a controller, an agent that reaches both, and the CLI.
mod assertions;
mod crew;
mod turn;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

pub use crew::Hand;
use turn::Turn;

use crate::{
    Context, Failure, Outcome,
    cli::Cli,
    cluster::{Cluster, ClusterOptions},
    installation::Installation,
    place::{free_port, scratch},
    program::{Program, built},
    proxy::Proxy,
};

/// The name that the target has at the controller.
pub const TARGET: &str = "box";

/// The name of the agent.
pub const AGENT: &str = "mover";

/// What a program built for tests is told to do to itself, and where.
const POINTS: &str = "WHIMBREL_POINTS";

/// So much of each log is shown with a failure.
const LOG_LINES_SHOWN: usize = 40;

/// How a scenario wants its servers.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server that is moved away from.
    pub source: ClusterOptions,
    /// The server that is moved to.
    pub target: ClusterOptions,
    /// Puts a [`Proxy`] on each of the agent's lines: to the controller and to both servers.
    pub proxied: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let with = |password: &str| ClusterOptions {
            password: password.to_owned(),
            ..ClusterOptions::default()
        };
        Self { source: with("source pa'ss"), target: with("target pa\\ss"), proxied: false }
    }
}

/// Everything running. Dropped, everything is gone.
pub struct Stage {
    /// The agent; `None` between its death and its next start.
    pub agent: Option<Program>,
    /// The controller; `None` between its death and its next start.
    pub controller: Option<Program>,
    /// The server that is moved away from.
    pub source: Cluster,
    /// The server that is moved to.
    pub target: Cluster,
    /// Points of the agent's next start (`WHIMBREL_POINTS`).
    pub agent_points: String,
    /// Points of the controller's next start.
    pub controller_points: String,
    /// The CLI, with the administrator's context.
    pub cli: Cli,
    /// The agent's lines, if the plan wanted them.
    pub lines: Option<Lines>,
    port: u16,
    folder: TempDir,
    _turn: Turn,
}

/// The lines of the agent.
pub struct Lines {
    /// To the controller.
    pub controller: Proxy,
    /// To the server that is moved away from.
    pub source: Proxy,
    /// To the server that is moved to.
    pub target: Proxy,
}

impl Lines {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> [&Proxy; 3] {
        [&self.controller, &self.source, &self.target]
    }
}

/// Sets a stage up, plays `scene` on it and shows the logs if it fails.
///
/// # Errors
/// What went wrong, be it with the stage or in the scene.
pub fn play(plan: &Plan, scene: impl FnOnce(&mut Stage) -> Outcome) -> Outcome {
    let mut stage = Stage::set_up(plan)?;
    scene(&mut stage).map_err(|failure| Failure::new(format!("{failure}\n{}", stage.logs())))
}

impl Stage {
    /// Both servers, the controller, the agent, and the target made known.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn set_up(plan: &Plan) -> Outcome<Self> {
        let turn = Turn::take();
        let (source, target) =
            (Cluster::start_with(&plan.source)?, Cluster::start_with(&plan.target)?);
        let folder = tempfile::Builder::new().prefix("whimbrel-stage-").tempdir_in(scratch())?;
        let context = folder.path().join("controller/admin.yaml");
        let port = free_port()?;
        let lines = || -> Outcome<Lines> {
            Ok(Lines {
                controller: Proxy::start(port)?,
                source: Proxy::start(source.port())?,
                target: Proxy::start(target.port())?,
            })
        };
        let lines = plan.proxied.then(lines).transpose()?;
        let mut stage = Self {
            agent: None,
            controller: None,
            agent_points: String::new(),
            controller_points: String::new(),
            source,
            target,
            cli: Cli::new(&context, folder.path()),
            lines,
            port,
            folder,
            _turn: turn,
        };
        stage.start_controller()?;
        stage.enrol_agent()?;
        stage.create_target()?;
        Ok(stage)
    }

    /// The folder of the controller's and the agent's data, and of all logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The controller's address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.log"))
    }

    /// Starts the controller, or starts it again on the same data and port.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_controller(&mut self) -> Outcome {
        self.start_controller_with(&[])
    }

    /// As [`Stage::start_controller`], with more words.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_controller_with(&mut self, words: &[&str]) -> Outcome {
        self.launch_controller_with(words)?;
        self.controller.as_mut().map_or(Ok(()), |program| program.ready().map(drop))
    }

    /// As [`Stage::start_controller`], without waiting for anything.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn launch_controller(&mut self) -> Outcome {
        self.launch_controller_with(&[])
    }

    fn launch_controller_with(&mut self, words: &[&str]) -> Outcome {
        // A limit on its files (see `full_disk`) is an error of a write then, as a full disk is, and not a signal.
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
        command.arg(built("whimbrel-controller")?);
        command.args(["serve", "--listen", &self.address(), "--data-dir"]);
        command.arg(self.folder().join("controller")).args(words);
        if let Some(lines) = &self.lines {
            command.args(["--public-address", &format!("127.0.0.1:{}", lines.controller.port())]);
        }
        command.env(POINTS, &self.controller_points);
        self.controller = Some(Program::start(command, "controller", &self.log("controller"))?);
        Ok(())
    }

    fn enrol_agent(&mut self) -> Outcome {
        let token = self.cli.ok(&["agent", "token", "create"])?;
        let file = self.folder().join("join-token");
        fs::write(&file, token.trim())?;
        self.start_agent(&["--join-file", &file.display().to_string(), "--name", AGENT])
    }

    /// Starts the agent, with more arguments at its first start.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_agent(&mut self, arguments: &[&str]) -> Outcome {
        self.launch_agent(arguments)?;
        self.agent.as_mut().map_or(Ok(()), |program| program.ready().map(drop))
    }

    /// As [`Stage::start_agent`], without waiting for anything.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn launch_agent(&mut self, arguments: &[&str]) -> Outcome {
        self.agent = Some(self.launch_agent_as("agent", arguments, &self.agent_points)?);
        Ok(())
    }

    /// An agent with the data folder `folder` and `points`.
    fn launch_agent_as(&self, folder: &str, arguments: &[&str], points: &str) -> Outcome<Program> {
        let mut command = Command::new(built("whimbrel-agent")?);
        command.arg("run").arg("--data-dir").arg(self.folder().join(folder)).args(arguments);
        command.env(POINTS, points);
        if let Some(bin) = env::var_os("WHIMBREL_PG_BIN") {
            command.arg("--pg-bin-dir").arg(bin);
        }
        // A source newer than this machine's own pg_dump needs another one.
        command.arg("--pg-bin-dir").arg(Installation::newest_clients()?.bin());
        command.env("SOURCE_PASSWORD", self.source.password());
        command.env("TARGET_PASSWORD", self.target.password());
        Program::start(command, folder, &self.log(folder))
    }

    fn create_target(&self) -> Outcome {
        let port = self.lines.as_ref().map_or(self.target.port(), |lines| lines.target.port());
        let port = port.to_string();
        let mut words = vec!["target", "create", TARGET, "--host", "127.0.0.1", "--port", &port];
        words.extend(["--user", "postgres", "--password", "env:TARGET_PASSWORD"]);
        words.extend(["--agent", AGENT]);
        self.cli.ok(&words).map(drop)
    }

    /// `kill -9` of the controller.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn kill_controller(&mut self) -> Outcome {
        self.controller.take().map_or(Ok(()), |mut program| program.kill())
    }

    /// `kill -9` of the agent.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn kill_agent(&mut self) -> Outcome {
        self.agent.take().map_or(Ok(()), |mut program| program.kill())
    }

    /// `migration create NAME` from the source to the target, with more words behind.
    ///
    /// # Errors
    /// When it is refused.
    pub fn create(&self, name: &str, words: &[&str]) -> Outcome {
        let from = self.from_source();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        self.cli.ok(&[&["migration", "create", name], &from[..], words].concat()).map(drop)
    }

    /// The words that name target and source in `migration create`.
    #[must_use]
    pub fn from_source(&self) -> Vec<String> {
        let port = self.lines.as_ref().map_or(self.source.port(), |lines| lines.source.port());
        let source = format!("127.0.0.1:{port}@postgres");
        ["--target", TARGET, "--source", &source, "--source-password", "env:SOURCE_PASSWORD"]
            .map(str::to_owned)
            .to_vec()
    }

    /// `migration VERB NAME --target box`, with more words behind.
    ///
    /// # Errors
    /// When it does not exit 0.
    pub fn migration(&self, verb: &str, name: &str, words: &[&str]) -> Outcome<String> {
        self.cli.ok(&[&["migration", verb, name, "--target", TARGET], words].concat())
    }

    /// `migration wait NAME --for STATE`.
    ///
    /// # Errors
    /// When the migration ends otherwise, is held, or takes longer than two minutes.
    pub fn wait_for(&self, name: &str, state: &str) -> Outcome {
        self.migration("wait", name, &["--for", state, "--timeout", "2m"])
            .context(|| self.shown(name))
            .map(drop)
    }

    fn shown(&self, name: &str) -> String {
        self.cli.show(name).map_or_else(|error| error.to_string(), |shown| format!("{shown:#}"))
    }

    /// The controller's, each agent's, and what the CLI said: who spoke last comes first, since the end of a long report is
    /// what gets cut.
    fn log_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let spoken = |entry: fs::DirEntry| {
            let name = entry.file_name().to_str()?.strip_suffix(".log")?.to_owned();
            Some((entry.metadata().ok()?.modified().ok()?, name))
        };
        let mut names: Vec<_> = entries.filter_map(spoken).collect();
        names.sort_by(|one, other| other.cmp(one));
        names.into_iter().map(|(_, name)| name).collect()
    }

    fn logs(&self) -> String {
        let mut text = String::from("The ends of the logs:\n");
        for name in self.log_names() {
            let log = fs::read_to_string(self.log(&name)).unwrap_or_default();
            text += &format!("--- {name}\n{}\n", last_lines(&log));
        }
        text += &format!("--- source server\n{}\n", last_lines(&self.source.log()));
        text += &format!("--- target server\n{}\n---", last_lines(&self.target.log()));
        text
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
