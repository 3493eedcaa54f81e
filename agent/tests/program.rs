//! The program itself: what it prints, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod controller;

use std::{path::Path, process::Stdio, time::Duration};

use controller::{Controller, Peer, token};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use whimbrel_proto::agent::v1::{
    Superseded, Welcome, agent_message::Kind as Sent, controller_message::Kind as Told,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn program(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel-agent"));
    command.arg("run").arg("--data-dir").arg(folder).args(options);
    command.env_remove("WHIMBREL_JOIN_TOKEN").env_remove("RUST_LOG").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.expect("nothing printed").unwrap()
    }

    async fn exit(mut self) -> (i32, String) {
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        timeout(PATIENCE, stderr.read_to_string(&mut log)).await.expect("no end").unwrap();
        let status = timeout(PATIENCE, self.child.wait()).await.expect("no end").unwrap();
        (status.code().expect("killed"), log)
    }

    fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    }
}

async fn welcomed(controller: &mut Controller) -> Peer {
    let mut peer = timeout(PATIENCE, controller.peers.recv()).await.expect("no session").unwrap();
    assert!(matches!(peer.next().await, Sent::Hello(_)));
    let seconds = |seconds| Some(Duration::from_secs(seconds).try_into().unwrap());
    let welcome =
        Welcome { protocol: 1, term: 1, heartbeat_interval: seconds(5), lease_ttl: seconds(15) };
    peer.send(Told::Welcome(welcome)).await;
    peer
}

#[tokio::test]
async fn it_joins_once_says_ready_and_ends_on_sigterm() {
    let mut controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let token = controller.token();
    let mut command = program(folder.path(), &["--name", "a", "--label", "k=v"]);
    command.env("WHIMBREL_JOIN_TOKEN", &token);
    let mut agent = Running::start(command);
    let _peer = welcomed(&mut controller).await;
    assert_eq!(agent.line().await.as_deref(), Some("ready a"));

    let second = Running::start(program(folder.path(), &[]));
    let (status, log) = second.exit().await;
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("another agent process"), "{log}");

    agent.terminate();
    assert_eq!(agent.line().await, None, "one line only");
    let (status, log) = agent.exit().await;
    assert_eq!(status, 0, "{log}");
    assert!(!log.contains(&token), "{log}");

    // The token is spent, and not looked at any more.
    let mut again = Running::start(program(folder.path(), &["--join", "nonsense"]));
    let peer = welcomed(&mut controller).await;
    assert_eq!(again.line().await.as_deref(), Some("ready a"));
    peer.send(Told::Superseded(Superseded { reason: "revoked".into() })).await;
    let (status, log) = again.exit().await;
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("revoked"), "{log}");
}

#[tokio::test]
async fn what_keeps_it_from_joining_is_told() {
    let controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let run = async |options: &[&str]| Running::start(program(folder.path(), options)).exit().await;

    let (status, log) = run(&[]).await;
    assert_eq!(status, 2, "{log}");
    assert!(log.contains("agent token create"), "{log}");
    let (status, log) = run(&["--join", "whj1.hush"]).await;
    assert_eq!(status, 2, "{log}");
    assert!(!log.contains("hush"), "{log}");
    let wrong = token(&controller.address.to_string(), &[7; 32]);
    let (status, log) = run(&["--join", &wrong]).await;
    assert_eq!(status, 5, "{log}");
    let (status, _) = run(&["--no-such-option"]).await;
    assert_eq!(status, 2);
}
