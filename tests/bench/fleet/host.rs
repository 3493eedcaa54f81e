//! A controller process of its own, the way to it, and operators' clients.
use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tempfile::TempDir;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use whimbrel_proto::{
    CONTROLLER_TLS_NAME,
    v1::{
        self, agent_service_client::AgentServiceClient, list_migrations_request::Filter,
        migration_service_client::MigrationServiceClient,
        target_service_client::TargetServiceClient,
    },
};
use whimbrel_tests::{
    Context, Failure, Outcome, ensure,
    place::{free_port, scratch},
    program::{Program, built},
};

/// The target of all migrations; there is another one without any.
pub(super) const TARGET: &str = "target";
const OTHER: &str = "other";

/// Room in the store's cache while it is filled, in kB.
const FILL_CACHE: i32 = -200_000;

/// A controller with a data folder of its own.
pub(super) struct Host {
    folder: TempDir,
    port: u16,
    program: Program,
    line: Line,
}

/// How the controller is reached.
#[derive(Clone)]
pub(super) struct Line {
    address: String,
    ca: String,
    token: MetadataValue<Ascii>,
}

impl Host {
    pub(super) fn start() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("whimbrel-fleet-").tempdir_in(scratch())?;
        let port = free_port()?;
        let program = start(&folder, port)?;
        let line = Line::read(folder.path().join("data/admin.yaml"))?;
        Ok(Self { folder, port, program, line })
    }

    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }

    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// Writes the only migration there is so many times into the store, each a second older; the controller is
    /// started anew around it.
    pub(super) fn multiply(&mut self, times: u32) -> Outcome {
        self.program.terminate()?;
        let store = fs::read_dir(self.folder.path().join("data"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "db"))
            .ok_or_else(|| Failure::new("the controller has no store"))?;
        let doing = || "fill the store".to_owned();
        let connection = Connection::open(store).context(doing)?;
        connection.pragma_update(None, "cache_size", FILL_CACHE).context(doing)?;
        connection.pragma_update(None, "synchronous", "off").context(doing)?;
        let rows = connection.execute(include_str!("past.sql"), [times]).context(doing)?;
        ensure!(rows == times as usize, "{rows} migrations were written, not {times}");
        drop(connection);
        self.program = start(&self.folder, self.port)?;
        Ok(())
    }
}

fn start(folder: &TempDir, port: u16) -> Outcome<Program> {
    let mut command = Command::new(built("whimbrel-controller")?);
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]);
    command.arg(folder.path().join("data"));
    let mut program = Program::start(command, "controller", &folder.path().join("log"))?;
    program.ready()?;
    Ok(program)
}

impl Line {
    fn read(context: PathBuf) -> Outcome<Self> {
        let text = fs::read_to_string(&context)?;
        let context: serde_json::Value =
            serde_yaml_ng::from_str(&text).context(|| "read admin.yaml".to_owned())?;
        let field = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
        let token = format!("Bearer {}", field("token"));
        let token = token.parse().context(|| "read the administrator's token".to_owned())?;
        Ok(Self { address: field("address"), ca: field("ca"), token })
    }

    /// A connection, with an agent's certificate or without.
    pub(super) async fn dial(&self, identity: Option<Identity>) -> Outcome<Channel> {
        /// As agents do.
        const PING_INTERVAL: Duration = Duration::from_secs(20);
        let doing = || format!("dial {}", self.address);
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name(CONTROLLER_TLS_NAME);
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).context(doing)?;
        let endpoint =
            endpoint.http2_keep_alive_interval(PING_INTERVAL).keep_alive_while_idle(true);
        endpoint.tls_config(tls).context(doing)?.connect().await.context(doing)
    }

    /// An operator's clients.
    pub(super) fn clients(&self, channel: Channel) -> Clients {
        let bearer = Bearer(self.token.clone());
        Clients {
            agents: AgentServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            targets: TargetServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            migrations: MigrationServiceClient::with_interceptor(channel, bearer),
        }
    }
}

/// An operator's credential.
#[derive(Clone)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Bearer>;

/// An operator's clients.
pub(super) struct Clients {
    agents: AgentServiceClient<Authorized>,
    targets: TargetServiceClient<Authorized>,
    migrations: MigrationServiceClient<Authorized>,
}

impl Clients {
    /// A join token.
    pub(super) async fn token(&mut self) -> Outcome<String> {
        let request = v1::CreateJoinTokenRequest::default();
        let token = self.agents.create_join_token(request).await;
        Ok(token.context(|| "make a join token".to_owned())?.into_inner().token)
    }

    /// Both targets.
    pub(super) async fn create_targets(&mut self, agent: &str) -> Outcome {
        for id in [TARGET, OTHER] {
            let target = v1::Target {
                endpoint: Some(endpoint()),
                agent: agent.to_owned(),
                ..Default::default()
            };
            let request = v1::CreateTargetRequest {
                target_id: id.to_owned(),
                target: Some(target),
                ..Default::default()
            };
            let made = self.targets.create_target(request).await;
            made.context(|| format!("make target {id}"))?;
        }
        Ok(())
    }

    /// An online migration on an agent; its uid.
    pub(super) async fn create(
        &mut self,
        name: &str,
        agent: &str,
        option: v1::MigrationOption,
    ) -> Outcome<String> {
        let spec = v1::MigrationSpec {
            mode: v1::MigrationMode::Online.into(),
            option: option.into(),
            source: Some(endpoint()),
            databases: vec![name.to_owned()],
            agent: agent.to_owned(),
            ..Default::default()
        };
        let request = v1::CreateMigrationRequest {
            parent: format!("targets/{TARGET}"),
            migration_id: name.to_owned(),
            spec: Some(spec),
            ..Default::default()
        };
        let made = self.migrations.create_migration(request).await;
        Ok(made.context(|| format!("create migration {name}"))?.into_inner().uid)
    }

    pub(super) async fn until_over(&mut self, name: &str, bound: Duration) -> Outcome {
        let name = format!("targets/{TARGET}/migrations/{name}");
        let begun = Instant::now();
        loop {
            let request = v1::GetMigrationRequest { name: name.clone() };
            let shown = self.migrations.get_migration(request).await;
            let shown = shown.context(|| format!("look at {name}"))?.into_inner();
            if shown.end_time.is_some() {
                return Ok(());
            }
            ensure!(begun.elapsed() < bound, "{name} does not end: {shown:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One page; the next one's token.
    pub(super) async fn list(
        &mut self,
        parent: &str,
        filter: Filter,
        page_token: String,
    ) -> Outcome<String> {
        let request = v1::ListMigrationsRequest {
            parent: parent.to_owned(),
            filter: filter.into(),
            page_token,
            ..Default::default()
        };
        let page = self.migrations.list_migrations(request).await;
        Ok(page
            .context(|| format!("list the migrations of {parent}"))?
            .into_inner()
            .next_page_token)
    }
}

/// Nobody ever connects to it.
fn endpoint() -> v1::Endpoint {
    let kind = Some(v1::secret::Kind::Env("PASSWORD".to_owned()));
    v1::Endpoint {
        host: "db".to_owned(),
        user: "u".to_owned(),
        password: Some(v1::Secret { kind }),
        ..Default::default()
    }
}
