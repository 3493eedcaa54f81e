//! Real PostgreSQL servers: made in a moment, gone with the value.
//!
//! Passwords are asked for over TCP (SCRAM), so that a wrong one is refused; the harness itself comes in by the Unix
//! socket, which trusts it.
mod folder;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use postgres::{Client, NoTls};

use crate::{
    Context, Failure, Outcome,
    certificates::Authority,
    cluster::folder::{guarded_folder, template},
    ensure, fail,
    guardian::Guardian,
    installation::{Installation, output, stdout},
    place::free_port,
    wait,
};

/// The superuser of every cluster.
pub const SUPERUSER: &str = "postgres";

/// A port that was free may be taken before the server has it; so many in a row mean something else.
const START_TRIES: u32 = 5;

/// Settings for a server whose data nobody will miss, with what the migrations need.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = 64MB
max_connections = 100
max_wal_senders = 10
max_replication_slots = 10
max_prepared_transactions = 10
log_min_messages = warning
log_statement = none
";

/// What may differ from one cluster to the other.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// `wal_level`.
    pub wal_level: &'static str,
    /// Does the server offer TLS?
    pub tls: bool,
    /// The superuser's password.
    pub password: String,
    /// More lines of `postgresql.conf`.
    pub settings: String,
    /// The server's major version; `None`: whatever [`Installation::find`] finds.
    pub major: Option<u32>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            wal_level: "logical",
            tls: false,
            password: "a pass'word".to_owned(),
            settings: String::new(),
            major: None,
        }
    }
}

/// A running server. Dropped, it is stopped and its folder removed.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    password: String,
    major: Option<u32>,
    server: &'static Installation,
    // Last: it removes what the others use.
    _guardian: Guardian,
}

impl Cluster {
    /// A server with the usual options.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start; its log is in the text.
    pub fn start() -> Outcome<Self> {
        Self::start_with(&ClusterOptions::default())
    }

    /// A server with options.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_with(options: &ClusterOptions) -> Outcome<Self> {
        let server = server_of(options.major)?;
        let (folder, guardian) = guarded_folder(server)?;
        let mut cluster = Self {
            folder,
            port: 0,
            password: options.password.clone(),
            major: options.major,
            server,
            _guardian: guardian,
        };
        output(
            Command::new("cp").arg("-a").arg(template(server)?.join("data")).arg(&cluster.folder),
        )?;
        cluster.configure(options)?;
        cluster.start_on_a_free_port()?;
        let password = options.password.replace('\'', "''");
        cluster.psql("postgres", &format!("alter role {SUPERUSER} password '{password}'"))?;
        Ok(cluster)
    }

    fn configure(&self, options: &ClusterOptions) -> Outcome {
        let mut conf = format!("{SETTINGS}wal_level = {}\n", options.wal_level);
        conf += &format!("unix_socket_directories = '{}'\n", self.folder.display());
        if options.tls {
            let server = Authority::new("test servers")?.issue("localhost", None)?;
            self.write_private("server.crt", &server.certificate)?;
            self.write_private("server.key", &server.key)?;
            conf += "ssl = on\n";
        }
        conf += &options.settings;
        self.append_settings(&conf)
    }

    fn write_private(&self, name: &str, content: &str) -> Outcome {
        let path = self.data().join(name);
        fs::write(&path, content)?;
        output(Command::new("chmod").arg("600").arg(&path))?;
        self.server.give_away(&path)
    }

    fn append_settings(&self, conf: &str) -> Outcome {
        let path = self.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(&path)?;
        file.write_all(conf.as_bytes()).context(|| format!("write {}", path.display()))
    }

    fn start_on_a_free_port(&mut self) -> Outcome {
        let mut last = Failure::new("no try");
        for _ in 0..START_TRIES {
            self.port = free_port()?;
            match self.start_again() {
                Ok(()) => return Ok(()),
                Err(failure) => last = failure,
            }
        }
        fail!("start a PostgreSQL server: {last}\n{}", self.log())
    }

    /// Starts a server that was stopped, on its port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&self) -> Outcome {
        let port = format!("-p {}", self.port);
        self.pg_ctl(&["-w", "-l", &self.log_path(), "-o", &port, "start"])
    }

    /// Stops the server: `fast`, `immediate` or `smart`.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self, mode: &str) -> Outcome {
        self.pg_ctl(&["-w", "-m", mode, "stop"])
    }

    /// `kill -9` of the postmaster: its children find out by themselves.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&self) -> Outcome {
        let pid = self.postmaster()?.to_string();
        output(Command::new("kill").args(["-9", &pid])).map(drop)
    }

    /// Starts a server whose postmaster was killed: refused until the last of its children is gone.
    ///
    /// # Errors
    /// When they stay, or it does not start for another reason.
    pub fn start_after_kill(&self) -> Outcome {
        wait::until("the start of a server whose postmaster was killed", || {
            Ok(self.start_again().ok())
        })
    }

    /// The postmaster stands still: connections are taken, and nobody answers them. Open sessions go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn freeze(&self) -> Outcome<Silence> {
        let silence = Silence { postmaster: self.postmaster()?.to_string() };
        silence.signal("-STOP").map(|()| silence)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Outcome {
        // Not `output`: the server would inherit the pipe and never close it.
        let mut command = self.server.server("pg_ctl");
        command.arg("-D").arg(self.data()).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().context(|| "run pg_ctl")?;
        ensure!(status.success(), "pg_ctl {arguments:?}: {status}\n{}", self.log());
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_path(&self) -> String {
        self.folder.join("log").display().to_string()
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The process id of its postmaster.
    ///
    /// # Errors
    /// When it is not running.
    pub fn postmaster(&self) -> Outcome<u32> {
        let path = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
        let first = text.lines().next().unwrap_or_default();
        first.trim().parse().context(|| format!("read the process id in {}", path.display()))
    }

    /// Its TCP port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The folder of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    /// How an application reaches a database, in libpq's words.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.display();
        format!("host={socket} port={} user={SUPERUSER} dbname={database}", self.port)
    }

    /// A connection as superuser.
    ///
    /// # Errors
    /// When the server or the database is not there.
    pub fn connect(&self, database: &str) -> Outcome<Client> {
        Client::connect(&self.url(database), NoTls).context(|| format!("connect to {database}"))
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When it exists.
    pub fn create_database(&self, name: &str) -> Outcome {
        self.psql("postgres", &format!("create database \"{name}\"")).map(drop)
    }

    /// Runs SQL with psql, stopping at the first error; gives what it prints, unaligned, without headers.
    ///
    /// # Errors
    /// The first error, as psql says it.
    pub fn psql(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut command = self.client("psql", database)?;
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        Ok(stdout(&mut command).context(|| format!("in {database}: {sql}"))?.trim_end().to_owned())
    }

    /// Runs a file of SQL with psql.
    ///
    /// # Errors
    /// The first error, as psql says it.
    pub fn psql_file(&self, database: &str, file: &Path) -> Outcome {
        let mut command = self.client("psql", database)?;
        output(command.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file)).map(drop)
    }

    /// A client program with the options that lead it to a database of this server.
    ///
    /// # Errors
    /// When PostgreSQL is not installed.
    pub fn client(&self, program: &str, database: &str) -> Outcome<Command> {
        // The same program for both sides of a move from one version to another.
        let clients = match self.major {
            Some(_) => Installation::newest_clients()?,
            None => Installation::find()?,
        };
        let mut command = clients.client(program);
        command.args(["-h", &self.folder.display().to_string(), "-U", SUPERUSER]);
        command.args(["-p", &self.port.to_string()]);
        // pgbench says --dbname otherwise than the rest.
        if program == "pgbench" {
            command.env("PGDATABASE", database);
        } else {
            command.args(["-d", database]);
        }
        Ok(command)
    }
}

/// A server that answers nobody who comes, for as long as this lives.
#[derive(Debug)]
pub struct Silence {
    postmaster: String,
}

impl Silence {
    fn signal(&self, signal: &str) -> Outcome {
        output(Command::new("kill").args([signal, &self.postmaster])).map(drop)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Gone already, then.
        self.signal("-CONT").ok();
    }
}

fn server_of(major: Option<u32>) -> Outcome<&'static Installation> {
    let Some(major) = major else { return Installation::find() };
    let found = Installation::of(major)?;
    found.ok_or_else(|| {
        Failure::new(format!("no PostgreSQL {major} here: tests/servers fetches it"))
    })
}
