//! A controller process of its own, and operators' clients.
use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use whimbrel_proto::{
    CONTROLLER_TLS_NAME,
    v1::{
        self, agent_service_client::AgentServiceClient,
        migration_service_client::MigrationServiceClient,
        target_service_client::TargetServiceClient,
    },
};

pub(crate) struct Host {
    _dir: tempfile::TempDir,
    data: PathBuf,
    child: Option<Child>,
    pub(crate) address: String,
    pub(crate) ca: String,
    token: String,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_whimbrel-controller");

fn start(data: &Path, listen: &str) -> (Child, String) {
    start_as(Command::new(PROGRAM), data, listen)
}

fn start_as(mut program: Command, data: &Path, listen: &str) -> (Child, String) {
    let mut child = program
        .args(["serve", "--listen", listen, "--data-dir"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("ready ").expect("the ready line").to_owned();
    (child, address)
}

impl Host {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let (child, address) = start(&data, "127.0.0.1:0");
        let yaml = std::fs::read_to_string(data.join("admin.yaml")).unwrap();
        let context: serde_json::Value = serde_yaml_ng::from_str(&yaml).unwrap();
        let text = |key: &str| context[key].as_str().unwrap().to_owned();
        assert_eq!(text("address"), address);
        let (ca, token) = (text("ca"), text("token"));
        Self { _dir: dir, data, child: Some(child), address, ca, token }
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// As [`Self::restart`], under a soft limit of open files; what `/proc` says of it then, soft and hard.
    pub(crate) fn restart_with_few_files(&mut self, soft: u32) -> (String, String) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -Sn {soft}; exec \"$0\" \"$@\""), PROGRAM]);
        let (child, _) = start_as(shell, &self.data, &self.address);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        self.child = Some(child);
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    }

    /// On the same port and the same data.
    pub(crate) fn restart(&mut self) {
        let (child, address) = start(&self.data, &self.address);
        assert_eq!(address, self.address);
        self.child = Some(child);
    }

    /// As [`Self::restart`], so that [`Self::disk_is_full`] does not end it.
    pub(crate) fn restart_on_a_disk_that_fills(&mut self) {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
        self.child = Some(start_as(shell, &self.data, &self.address).0);
    }

    /// No file of the process can be written to, or all can again.
    pub(crate) fn disk_is_full(&self, full: bool) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let limit = if full { "--fsize=0:" } else { "--fsize=unlimited:" };
        let status = Command::new("prlimit").args(["--pid", &pid, limit]).status();
        assert!(status.unwrap().success());
    }

    /// As [`Self::restart`], to die at a point.
    pub(crate) fn restart_to_die(&mut self, points: &str) {
        let mut program = Command::new(PROGRAM);
        program.env("WHIMBREL_POINTS", points);
        self.child = Some(start_as(program, &self.data, &self.address).0);
    }

    /// Waits for its end, which comes by itself.
    pub(crate) fn has_died(&mut self) {
        assert!(!self.child.take().unwrap().wait().unwrap().success());
    }

    /// Another one on the same data directory.
    pub(crate) fn second(&self) -> std::process::Output {
        Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&self.data)
            .output()
            .unwrap()
    }

    /// SIGTERM; gives the exit status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        child.wait().unwrap().code()
    }

    pub(crate) async fn channel(&self, identity: Option<Identity>) -> Channel {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name(CONTROLLER_TLS_NAME);
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn clients(&self) -> Clients {
        let channel = self.channel(None).await;
        let bearer = Bearer(format!("Bearer {}", self.token));
        Clients {
            agents: AgentServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            targets: TargetServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            migrations: MigrationServiceClient::with_interceptor(channel, bearer),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = MetadataValue::try_from(&self.0).unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Bearer>;

pub(crate) struct Clients {
    pub(crate) agents: AgentServiceClient<Authorized>,
    pub(crate) targets: TargetServiceClient<Authorized>,
    pub(crate) migrations: MigrationServiceClient<Authorized>,
}

pub(crate) const MIGRATION: &str = "targets/t/migrations/m";

pub(crate) fn endpoint() -> v1::Endpoint {
    let kind = Some(v1::secret::Kind::Env("PASSWORD".to_owned()));
    v1::Endpoint {
        host: "db".to_owned(),
        user: "u".to_owned(),
        password: Some(v1::Secret { kind }),
        ..Default::default()
    }
}

pub(crate) fn order(name: &str) -> v1::CreateMigrationRequest {
    let spec = v1::MigrationSpec {
        mode: v1::MigrationMode::Online.into(),
        source: Some(endpoint()),
        databases: vec!["sales".to_owned()],
        ..Default::default()
    };
    v1::CreateMigrationRequest {
        parent: "targets/t".to_owned(),
        migration_id: name.to_owned(),
        spec: Some(spec),
        ..Default::default()
    }
}

impl Clients {
    pub(crate) async fn token(&mut self) -> String {
        let answer = self.agents.create_join_token(v1::CreateJoinTokenRequest::default()).await;
        answer.unwrap().into_inner().token
    }

    pub(crate) async fn target(&mut self) {
        let target = v1::Target {
            endpoint: Some(endpoint()),
            agent: "agents/worker".to_owned(),
            ..Default::default()
        };
        let request = v1::CreateTargetRequest {
            target_id: "t".to_owned(),
            target: Some(target),
            ..Default::default()
        };
        self.targets.create_target(request).await.unwrap();
    }

    pub(crate) async fn get(&mut self) -> v1::Migration {
        let request = v1::GetMigrationRequest { name: MIGRATION.to_owned() };
        self.migrations.get_migration(request).await.unwrap().into_inner()
    }

    /// Whether the target has this host, and its migrations m and n were told of a change.
    pub(crate) async fn changed(&mut self, host: &str) -> [bool; 3] {
        let name = "targets/t".to_owned();
        let target = self.targets.get_target(v1::GetTargetRequest { name }).await.unwrap();
        let mut changed = [target.into_inner().endpoint.unwrap().host == host, false, false];
        for (at, name) in ["m", "n"].into_iter().enumerate() {
            let parent = format!("targets/t/migrations/{name}");
            let request = v1::ListMigrationEventsRequest { parent, ..Default::default() };
            let page = self.migrations.list_migration_events(request).await.unwrap().into_inner();
            changed[at + 1] = page.events.iter().any(|event| event.r#type == "TargetChanged");
        }
        changed
    }

    pub(crate) async fn events(&mut self) -> Vec<v1::MigrationEvent> {
        let mut events = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListMigrationEventsRequest {
                parent: MIGRATION.to_owned(),
                page_size: 3,
                page_token,
            };
            let page = self.migrations.list_migration_events(request).await.unwrap().into_inner();
            events.extend(page.events);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return events;
            }
        }
    }

    /// Watches until the substate is there; gives the events that came meanwhile.
    pub(crate) async fn watch_until(
        &mut self,
        wanted: v1::migration_status::SubState,
        resume_token: String,
    ) -> (Vec<v1::MigrationEvent>, String) {
        let mut events = Vec::new();
        let token =
            self.watch(wanted, resume_token, |message| events.append(&mut message.events)).await;
        (events, token)
    }

    /// Watches until the substate is there, and shows each message; gives the token of the last.
    pub(crate) async fn watch(
        &mut self,
        wanted: v1::migration_status::SubState,
        resume_token: String,
        mut see: impl FnMut(&mut v1::WatchMigrationResponse),
    ) -> String {
        let request =
            v1::WatchMigrationRequest { name: MIGRATION.to_owned(), resume_token, tables: true };
        let watch = async {
            let mut messages = self.migrations.watch_migration(request).await.unwrap().into_inner();
            while let Some(mut message) = messages.message().await.unwrap() {
                see(&mut message);
                let status = message.migration.unwrap().status.unwrap();
                if status.sub_state() == wanted {
                    return message.resume_token;
                }
            }
            panic!("the watch ended before {wanted:?}")
        };
        // Generous: a slow machine is not a defect.
        tokio::time::timeout(std::time::Duration::from_secs(60), watch).await.expect("in time")
    }
}
