//! A throw-away PostgreSQL for these tests: made with initdb, gone with the value.
#![allow(dead_code, reason = "each test program uses a part of it")]
use std::{
    collections::BTreeMap,
    env, fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use tempfile::TempDir;
use whimbrel_agent::postgres::{Endpoint, Password, SslMode};

/// The superuser's password.
pub(crate) const PASSWORD: &str = "s3cret:pa\\ss";

/// A running server: TCP on 127.0.0.1 with scram-sha-256.
pub(crate) struct Cluster {
    folder: TempDir,
    bin: PathBuf,
    pub(crate) port: u16,
    guardian: Child,
}

impl Cluster {
    /// Starts one. `hba` replaces pg_hba.conf; `settings` are added to postgresql.conf.
    pub(crate) fn start(hba: &str, settings: &str) -> Self {
        Self::start_of(bin(), hba, settings)
    }

    /// As [`Cluster::start`], of the server whose programs are in `bin`.
    pub(crate) fn start_of(bin: PathBuf, hba: &str, settings: &str) -> Self {
        // Short: a socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("whp").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give_to_owner(folder.path());
        let port = free_port();
        let guardian = guardian(&bin, folder.path());
        let cluster = Self { folder, bin, port, guardian };
        cluster.init();
        cluster.write("pg_hba.conf", hba);
        let socket_folder = cluster.folder.path().display();
        cluster.write(
            "postgresql.auto.conf",
            &format!(
                "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{socket_folder}'\n\
                 wal_level = logical\nfsync = off\nmax_wal_senders = 10\n{settings}\n"
            ),
        );
        cluster.pg_ctl(&["start", "-w", "-l", &cluster.path("log")]);
        cluster
    }

    /// Where the server's programs are.
    pub(crate) fn programs(&self) -> &Path {
        &self.bin
    }

    /// Files in the data folder belong to the server's user.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_owner(&path);
    }

    /// As [`Cluster::write`], of what is no text.
    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        self.write(name, "");
        fs::write(self.data().join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.data().join(name)).unwrap()
    }

    /// Makes a folder of the server's user, beside its data.
    pub(crate) fn folder_of_server(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).unwrap();
        give_to_owner(&path);
        path.display().to_string()
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.data().join(name)).unwrap();
        self.write(name, &(before + text));
    }

    pub(crate) fn restart(&self) {
        self.pg_ctl(&["restart", "-w", "-m", "fast", "-l", &self.path("log")]);
    }

    pub(crate) fn stop(&self) {
        self.pg_ctl(&["stop", "-w", "-m", "fast"]);
    }

    /// Keeps a copy of all that the server has, as a file system's snapshot does; [`Self::set_back`] gives it back.
    pub(crate) fn keep_state(&self) {
        self.stop();
        self.copy_data("d", "kept");
        self.restart();
    }

    /// What was written since [`Self::keep_state`] has never been.
    pub(crate) fn set_back(&self) {
        self.stop();
        self.copy_data("kept", "d");
        self.restart();
    }

    fn copy_data(&self, from: &str, to: &str) {
        let (from, to) = (self.path(from), self.path(to));
        run(Command::new("rm").args(["-rf", &to]));
        run(Command::new("cp").args(["-a", &from, &to]));
    }

    /// Of a server that is stopped.
    pub(crate) fn reset_wal(&self, arguments: &[&str]) {
        let mut command = as_postgres(&self.bin.join("pg_resetwal"));
        run(command.args(arguments).arg("-D").arg(self.data()));
    }

    /// Of a server that is stopped.
    pub(crate) fn enable_checksums(&self) {
        let mut command = as_postgres(&self.bin.join("pg_checksums"));
        run(command.args(["--enable", "--no-sync", "-D"]).arg(self.data()));
    }

    /// As when the machine stops: what is not written to the disk is gone. It comes back.
    pub(crate) fn crash(&self) {
        self.pg_ctl(&["restart", "-w", "-m", "immediate", "-l", &self.path("log")]);
    }

    pub(crate) fn endpoint(&self, ssl_mode: SslMode) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "postgres".into(),
            password: Some(Password::new(PASSWORD.into())),
            ssl_mode,
        }
    }

    pub(crate) fn socket_endpoint(&self) -> Endpoint {
        let host = self.folder.path().display().to_string();
        Endpoint { host, ..self.endpoint(SslMode::Prefer) }
    }

    /// A copy of the template. Its system identifier is the template's: every cluster of a test program has the same, as
    /// physical copies have.
    fn init(&self) {
        let template = template(&self.bin).join("d");
        run(Command::new("cp").arg("-a").arg(template).arg(self.data()));
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let mut command = as_postgres(&self.bin.join("pg_ctl"));
        command.arg("-D").arg(self.data()).args(arguments);
        // pg_ctl's server would keep a pipe open for ever.
        let status = command.stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}: {status}: {}", self.log());
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = as_postgres(&self.bin.join("pg_ctl"));
        let stopped = command.arg("-D").arg(self.data()).args(["stop", "-m", "immediate"]).output();
        if let Err(error) = stopped {
            eprintln!("stopping a test cluster: {error}");
        }
        drop(self.guardian.stdin.take());
        if let Err(error) = self.guardian.wait() {
            eprintln!("waiting for a test cluster's guardian: {error}");
        }
    }
}

/// Stops the server and removes its folder when the test's process is gone, however it went; and stops it after a while that
/// no test takes, so that one that waits for ever fails instead.
fn guardian(bin: &Path, folder: &Path) -> Child {
    const SCRIPT: &str = r#"
        folder=$1; shift
        read -r -t 900 _; over=$?
        [ "$over" -le 128 ] || echo "a test took more than 900 s: its server in $folder is stopped" >&2
        stop() { "$@" -D "$folder/d" stop -m immediate >/dev/null 2>&1; }
        stop "$@"
        [ "$over" -gt 128 ] && read -r _
        # It may only have been starting.
        for _ in 1 2 3 4 5; do
            rm -rf "$folder" 2>/dev/null && break
            sleep 1; stop "$@"
        done"#;
    let pg_ctl = as_postgres(&bin.join("pg_ctl"));
    Command::new("bash")
        .args(["-c", SCRIPT, "guardian"])
        .arg(folder)
        .arg(pg_ctl.get_program())
        .args(pg_ctl.get_args())
        .env("LC_ALL", "C")
        // A terminal's interrupt is for the tests.
        .process_group(0)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What initdb makes, made once for each test program and version.
fn template(bin: &Path) -> PathBuf {
    static TEMPLATES: Mutex<BTreeMap<PathBuf, Template>> = Mutex::new(BTreeMap::new());
    let mut templates = TEMPLATES.lock().unwrap();
    templates.entry(bin.to_owned()).or_insert_with(|| Template::make(bin)).folder.clone()
}

/// The programs of a major version: what `tests/servers` fetched, or what is installed. None: this machine has none.
pub(crate) fn programs_of(major: u32) -> Option<PathBuf> {
    let root = output_of("id", &["-u"]) == "0";
    let fetched = match (env::var_os("WHIMBREL_TEST_SERVERS"), env::var_os("XDG_CACHE_HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        _ if root => PathBuf::from("/var/cache/whimbrel/postgresql"),
        (_, Some(cache)) => PathBuf::from(cache).join("whimbrel/postgresql"),
        _ => PathBuf::from(env::var_os("HOME")?).join(".cache/whimbrel/postgresql"),
    };
    [fetched, PathBuf::from("/usr/lib/postgresql")]
        .map(|folder| folder.join(major.to_string()).join("bin"))
        .into_iter()
        .find(|bin| bin.join("initdb").exists())
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A folder that goes with the process: a static is never dropped, but its pipe closes, however the process ends.
struct Template {
    folder: PathBuf,
    _remover: Child,
}

impl Template {
    fn make(bin: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("whp").tempdir_in("/tmp").unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let remover = Command::new("sh")
            .args(["-c", "cat >/dev/null; rm -rf \"$0\""])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        give_to_owner(&folder);
        let password = folder.join("pw");
        fs::write(&password, PASSWORD).unwrap();
        let mut command = as_postgres(&bin.join("initdb"));
        command.arg("-D").arg(folder.join("d")).args(["-U", "postgres", "-E", "UTF8"]);
        command.args(["--locale=C", "-N", "-A", "scram-sha-256"]).arg("--pwfile").arg(&password);
        run(&mut command);
        Self { folder, _remover: remover }
    }
}

/// The newest server on this machine, or the folder in `WHIMBREL_TEST_PG_BIN`.
pub(crate) fn bin() -> PathBuf {
    if let Some(folder) = env::var_os("WHIMBREL_TEST_PG_BIN") {
        return PathBuf::from(folder);
    }
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("no PostgreSQL server: set WHIMBREL_TEST_PG_BIN")
        .map(|entry| entry.unwrap().path().join("bin"))
        .collect();
    found.sort();
    found.pop().expect("no PostgreSQL server in /usr/lib/postgresql")
}

/// PostgreSQL refuses to run as root: it is `postgres` then. Who isn't root may not change groups either, and runs it
/// by itself.
fn owner() -> Option<(u32, u32)> {
    let id = |flag: &str, user: &[&str]| -> u32 {
        let output = Command::new("id").arg(flag).args(user).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    let root = id("-u", &[]) == 0;
    root.then(|| (id("-u", &["postgres"]), id("-g", &["postgres"])))
}

/// To whom the server runs as, if that is another.
fn give_to_owner(path: &Path) {
    if let Some((uid, gid)) = owner() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn as_postgres(program: &Path) -> Command {
    let mut command = match owner() {
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            let ids = [format!("--reuid={uid}"), format!("--regid={gid}")];
            command.args(ids).arg("--clear-groups").arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/").env("LC_ALL", "C");
    command
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Below the range that outgoing connections are given, so that none takes it meanwhile; a range of its own for each
/// test program, and no port twice in one.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + (std::process::id() % 500) as u16 * 20;
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
