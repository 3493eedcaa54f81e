//! The programs under test as real processes, started as an operator starts them.
use std::{
    env,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{Context, Failure, Outcome, ensure, wait};

/// Standard output of a daemon is one line; more than this unread is refused, not collected.
const LINES_MAX: usize = 64;

/// A daemon that is asked to stop must be gone by then.
const STOP_BOUND: Duration = Duration::from_secs(60);

/// Where a program of the workspace is: `WHIMBREL_BIN_DIR`, or the folder that this test was built into.
///
/// # Errors
/// When it was not built.
pub fn built(name: &str) -> Outcome<PathBuf> {
    let folder = match env::var_os("WHIMBREL_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => target_folder()?,
    };
    let path = folder.join(name);
    ensure!(path.exists(), "{} is not built: cargo build --workspace --locked", path.display());
    Ok(path)
}

fn target_folder() -> Outcome<PathBuf> {
    let test = env::current_exe()?;
    // target/debug/deps/scenarios-0123 or target/debug/demo-app.
    let folder = test.parent().ok_or_else(|| Failure::new("a test without a folder"))?;
    let inner = folder.file_name().is_some_and(|name| name == "deps");
    Ok(if inner { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// A running daemon. Dropped, it is killed.
pub struct Program {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    /// Starts a daemon; its log (standard error) goes to the end of `log`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(mut command: Command, name: &str, log: &Path) -> Outcome<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context(|| format!("start {name}"))?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("no standard output"))?;
        Ok(Self { name: name.to_owned(), child, lines: read_lines(stdout) })
    }

    /// The rest of the line `ready …` that the daemon prints once it serves.
    ///
    /// # Errors
    /// When it ends before, prints something else, or takes longer than [`wait::PATIENCE`].
    pub fn ready(&mut self) -> Outcome<String> {
        match self.lines.recv_timeout(wait::PATIENCE) {
            Ok(line) => {
                line.strip_prefix("ready").map(|rest| rest.trim().to_owned()).ok_or_else(|| {
                    Failure::new(format!("{} printed {line:?}, not `ready …`", self.name))
                })
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Failure::new(format!("{} is not ready after a minute", self.name)))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                Err(Failure::new(format!("{} ended before it was ready: {status}", self.name)))
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `KILL`, `TERM`, `STOP`, `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, name: &str) -> Outcome {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        ensure!(status.success(), "kill -s {name} {}: {status}", self.name);
        Ok(())
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn kill(&mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the exit status.
    ///
    /// # Errors
    /// When it is still there after 20 s.
    pub fn terminate(&mut self) -> Outcome<ExitStatus> {
        self.signal("TERM")?;
        self.ended()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn has_ended(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the daemon's own end.
    ///
    /// # Errors
    /// When it is still there after 20 s.
    pub fn ended(&mut self) -> Outcome<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until_within(STOP_BOUND, &what, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be gone already, by a test's own hand.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The thread ends with the daemon's standard output.
fn read_lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(LINES_MAX);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.try_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Runs a command to its end, within `bound`; its output goes through files, so no pipe can fill up.
pub(crate) fn run_within(
    bound: Duration,
    mut command: Command,
    folder: &Path,
) -> Outcome<(ExitStatus, String, String)> {
    let written = |name: &str| -> Outcome<(File, PathBuf)> {
        let file = tempfile::Builder::new().prefix(name).tempfile_in(folder)?;
        let (file, path) = file.keep()?;
        Ok((file, path))
    };
    let (stdout, stdout_path) = written("stdout-")?;
    let (stderr, stderr_path) = written("stderr-")?;
    command.stdout(stdout).stderr(stderr);
    let mut child = command.spawn().context(|| format!("run {:?}", command.get_program()))?;
    let waited = wait::until_within(bound, "a command's end", || Ok(child.try_wait()?));
    if waited.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let text = |path: &Path| -> Outcome<String> {
        let bytes = std::fs::read(path)?;
        std::fs::remove_file(path)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (stdout, stderr) = (text(&stdout_path)?, text(&stderr_path)?);
    let status = waited.context(|| format!("{command:?}\n{stdout}{stderr}"))?;
    Ok((status, stdout, stderr))
}
