//! More agents than one.
use std::{fs, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::Stage;
use crate::{
    Failure, Outcome, ensure, fail,
    installation::output,
    program::Program,
    proxy::{Proxy, Weather},
    wait,
};

/// Another agent, on a line of its own to the controller; it reaches both servers directly.
pub struct Hand {
    /// Its name, and its data folder's.
    pub name: String,
    /// Its process.
    pub program: Program,
    /// Its line to the controller.
    pub line: Proxy,
}

impl Stage {
    /// Enrols another agent with an empty disk, and starts it with these points.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn hire(&self, name: &str, points: &str) -> Outcome<Hand> {
        let line = Proxy::start(self.port)?;
        let token = self.cli.ok(&["agent", "token", "create"])?;
        let file = self.folder().join(format!("join-token-{name}"));
        fs::write(&file, led_through(token.trim(), &line)?)?;
        let words = ["--join-file", &file.display().to_string(), "--name", name];
        let mut program = self.launch_agent_as(name, &words, points)?;
        program.ready()?;
        Ok(Hand { name: name.to_owned(), program, line })
    }

    /// Starts an agent on a data folder that is there.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn launch_again(&self, folder: &str, points: &str) -> Outcome<Program> {
        self.launch_agent_as(folder, &[], points)
    }

    /// As [`Stage::launch_again`], with more words.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn launch_again_with(&self, folder: &str, words: &[&str]) -> Outcome<Program> {
        self.launch_agent_as(folder, words, "")
    }

    /// What an agent has logged.
    #[must_use]
    pub fn log_of(&self, folder: &str) -> String {
        fs::read_to_string(self.log(folder)).unwrap_or_default()
    }

    /// Waits until an agent has logged `words`.
    ///
    /// # Errors
    /// When it does not.
    pub fn logged(&self, folder: &str, words: &str) -> Outcome {
        wait::until(&format!("{words:?} in the log of {folder}"), || {
            Ok(self.log_of(folder).contains(words).then_some(()))
        })
    }
}

impl Stage {
    /// No file of the controller's takes a byte more, or all take them again: its disk is full, and then it is not. This
    /// needs no rights.
    ///
    /// # Errors
    /// When it does not run, or `prlimit` is not there.
    pub fn fill_controllers_disk(&self, full: bool) -> Outcome {
        let Some(controller) = &self.controller else { fail!("the controller does not run") };
        // The soft limit alone: an ordinary user may not raise the other one again.
        let limit = if full { "--fsize=0:" } else { "--fsize=unlimited:" };
        output(Command::new("prlimit").args(["--pid", &controller.id().to_string(), limit]))
            .map(drop)
    }
}

impl Hand {
    /// Waits until it has frozen itself at its point.
    ///
    /// # Errors
    /// When it does not come there, or ends.
    pub fn frozen(&mut self) -> Outcome {
        let what = format!("{} to freeze", self.name);
        wait::until(&what, || {
            if let Some(status) = self.program.has_ended()? {
                fail!("{} ended: {status}", self.name);
            }
            Ok(is_frozen(self.program.id())?.then_some(()))
        })
    }

    /// From here on the controller and it don't hear each other, though nothing breaks.
    pub fn part(&self) {
        self.line.set(Weather::Hole);
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it is gone.
    pub fn wake(&self) -> Outcome {
        self.program.signal("CONT")
    }
}

/// The same token, with another address in it.
fn led_through(token: &str, line: &Proxy) -> Outcome<String> {
    let body = token.strip_prefix("whj1.").ok_or_else(|| Failure::new("no join token"))?;
    let mut body: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body)?)?;
    body["addresses"] = serde_json::json!([format!("127.0.0.1:{}", line.port())]);
    Ok(format!("whj1.{}", URL_SAFE_NO_PAD.encode(body.to_string())))
}

/// By the state in `/proc`: the third word, after a name in parentheses.
fn is_frozen(pid: u32) -> Outcome<bool> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    ensure!(state.is_some(), "no state in {stat}");
    Ok(state == Some('T'))
}
