//! A controller that says what a test wants it to say, behind real TLS and gRPC.
use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::runtime::Runtime;
use tokio_stream::{Stream, wrappers::TcpListenerStream};
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};
use whimbrel_proto::{
    CONTROLLER_TLS_NAME,
    v1::{
        agent_service_server::{AgentService, AgentServiceServer},
        migration_service_server::{MigrationService, MigrationServiceServer},
        *,
    },
};

/// What it says, and what it was told.
#[derive(Default)]
pub(crate) struct Script {
    /// One entry a watch: what it sends before it breaks off, or ends if there is no next one.
    pub(crate) watches: VecDeque<Vec<WatchMigrationResponse>>,
    /// The answer to show, create, cutover and the other acts.
    pub(crate) answer: Option<Result<Migration, Status>>,
    /// Events to list.
    pub(crate) events: Vec<MigrationEvent>,
    /// An agent to show.
    pub(crate) agent: Agent,
    /// `authorization` of each call.
    pub(crate) authorizations: Vec<String>,
    /// Resume tokens of the watches.
    pub(crate) resume_tokens: Vec<String>,
    /// The last creation that was asked for.
    pub(crate) created: Option<CreateMigrationRequest>,
}

/// The controller, and a context file for it.
pub(crate) struct Fake {
    pub(crate) script: Arc<Mutex<Script>>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Fake {
    /// Serves on a free port until it is dropped.
    pub(crate) fn start(script: Script) -> Self {
        let runtime = Runtime::new().unwrap();
        let script = Arc::new(Mutex::new(script));
        let (ca, identity) = certificates();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let service = Service(Arc::clone(&script));
        let server = runtime
            .block_on(async {
                Server::builder().tls_config(ServerTlsConfig::new().identity(identity))
            })
            .unwrap()
            .add_service(AgentServiceServer::new(service.clone()))
            .add_service(MigrationServiceServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        runtime.spawn(server);
        let folder = tempfile::tempdir().unwrap();
        write_context(&folder.path().join("context.yaml"), address, &ca);
        Self { script, folder, _runtime: runtime }
    }

    /// Where its context file is.
    pub(crate) fn context(&self) -> PathBuf {
        self.folder.path().join("context.yaml")
    }

    /// `whimbrel LINE`, with something on its standard input.
    pub(crate) fn run(&self, line: &str, stdin: &str) -> Output {
        let input = self.folder.path().join("stdin");
        std::fs::write(&input, stdin).unwrap();
        Command::new(env!("CARGO_BIN_EXE_whimbrel"))
            .args(line.split_whitespace())
            .env("WHIMBREL_CONTEXT", self.context())
            .stdin(Stdio::from(std::fs::File::open(input).unwrap()))
            .output()
            .unwrap()
    }
}

fn certificates() -> (String, Identity) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![CONTROLLER_TLS_NAME.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    (ca.pem(), Identity::from_pem(certificate.pem(), key.serialize_pem()))
}

fn write_context(path: &Path, address: SocketAddr, ca: &str) {
    let ca = ca.lines().map(|line| format!("  {line}\n")).collect::<String>();
    std::fs::write(path, format!("address: {address}\nca: |\n{ca}token: let-me-in\n")).unwrap();
}

#[derive(Clone)]
struct Service(Arc<Mutex<Script>>);

impl Service {
    fn heard<T>(&self, request: Request<T>) -> T {
        let said = request.metadata().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        self.0.lock().unwrap().authorizations.extend(said);
        request.into_inner()
    }

    fn answer(&self) -> Result<Response<Migration>, Status> {
        let script = self.0.lock().unwrap();
        script.answer.clone().unwrap_or_else(|| Ok(Migration::default())).map(Response::new)
    }

    fn watch(&self, request: WatchMigrationRequest) -> Vec<Result<WatchMigrationResponse, Status>> {
        let mut script = self.0.lock().unwrap();
        script.resume_tokens.push(request.resume_token);
        let now = script.watches.pop_front().unwrap_or_default();
        let mut sent: Vec<_> = now.into_iter().map(Ok).collect();
        if !script.watches.is_empty() {
            sent.push(Err(Status::unavailable("restarting")));
        }
        sent
    }
}

/// Both services whole; the calls that no test makes refuse.
macro_rules! refuse {
    ($($name:ident($request:ty) -> $answer:ty,)*) => {
        #[tonic::async_trait]
        impl MigrationService for Service {
            type WatchMigrationStream =
                std::pin::Pin<Box<dyn Stream<Item = Result<WatchMigrationResponse, Status>> + Send>>;

            async fn watch_migration(
                &self,
                request: Request<WatchMigrationRequest>,
            ) -> Result<Response<Self::WatchMigrationStream>, Status> {
                let sent = self.watch(self.heard(request));
                Ok(Response::new(Box::pin(tokio_stream::iter(sent))))
            }

            async fn create_migration(
                &self,
                request: Request<CreateMigrationRequest>,
            ) -> Result<Response<Migration>, Status> {
                let request = self.heard(request);
                self.0.lock().unwrap().created = Some(request);
                self.answer()
            }

            async fn get_migration(
                &self,
                request: Request<GetMigrationRequest>,
            ) -> Result<Response<Migration>, Status> {
                self.heard(request);
                self.answer()
            }

            async fn cutover_migration(
                &self,
                request: Request<CutoverMigrationRequest>,
            ) -> Result<Response<Migration>, Status> {
                self.heard(request);
                self.answer()
            }

            async fn check_migration_name(
                &self,
                request: Request<CheckMigrationNameRequest>,
            ) -> Result<Response<CheckMigrationNameResponse>, Status> {
                let reason = self.heard(request).migration_id;
                let (available, message) = (reason == "free", "no".to_owned());
                Ok(Response::new(CheckMigrationNameResponse { available, reason, message }))
            }

            async fn list_migration_events(
                &self,
                request: Request<ListMigrationEventsRequest>,
            ) -> Result<Response<ListMigrationEventsResponse>, Status> {
                self.heard(request);
                let events = self.0.lock().unwrap().events.clone();
                Ok(Response::new(ListMigrationEventsResponse { events, ..<_>::default() }))
            }

            $(async fn $name(&self, _: Request<$request>) -> Result<Response<$answer>, Status> {
                Err(Status::unimplemented("no test needs it"))
            })*
        }
    };
}

refuse! {
    list_migrations(ListMigrationsRequest) -> ListMigrationsResponse,
    update_migration(UpdateMigrationRequest) -> Migration,
    delete_migration(DeleteMigrationRequest) -> DeleteMigrationResponse,
    confirm_overwrite(ConfirmOverwriteRequest) -> Migration,
    cancel_migration(CancelMigrationRequest) -> Migration,
    leave_source(LeaveSourceRequest) -> Migration,
    pause_migration(PauseMigrationRequest) -> Migration,
    resume_migration(ResumeMigrationRequest) -> Migration,
    retry_migration(RetryMigrationRequest) -> Migration,
    list_migration_tables(ListMigrationTablesRequest) -> ListMigrationTablesResponse,
}

#[tonic::async_trait]
impl AgentService for Service {
    async fn create_join_token(
        &self,
        request: Request<CreateJoinTokenRequest>,
    ) -> Result<Response<JoinToken>, Status> {
        self.heard(request);
        Ok(Response::new(JoinToken { token: "whj1.abc".into(), expire_time: None }))
    }

    async fn get_agent(
        &self,
        request: Request<GetAgentRequest>,
    ) -> Result<Response<Agent>, Status> {
        self.heard(request);
        Ok(Response::new(self.0.lock().unwrap().agent.clone()))
    }

    async fn list_agents(
        &self,
        _: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        let agents = vec![self.0.lock().unwrap().agent.clone(); 5000];
        Ok(Response::new(ListAgentsResponse { agents, ..<_>::default() }))
    }

    async fn drain_agent(&self, _: Request<DrainAgentRequest>) -> Result<Response<Agent>, Status> {
        Err(Status::unimplemented("no test needs it"))
    }

    async fn revoke_agent(
        &self,
        _: Request<RevokeAgentRequest>,
    ) -> Result<Response<Agent>, Status> {
        Err(Status::unimplemented("no test needs it"))
    }
}
