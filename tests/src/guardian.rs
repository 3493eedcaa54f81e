//! A shell that outlives us by a moment: what it was told to do, it does when our end of its pipe closes, be it by
//! `drop`, by an interrupt or by `kill -9`. So a test that dies leaves no server and no folder behind.
use std::process::{Child, Command, Stdio};

use crate::{Context, Outcome};

/// The child of [`Guardian::new`].
pub(crate) struct Guardian(Child);

impl Guardian {
    /// Runs `script` (its arguments are `$1`, `$2`, …) when this value, or our process, is gone.
    pub(crate) fn new(script: &str, arguments: &[&str]) -> Outcome<Self> {
        // The terminal's interrupt reaches our whole process group; the guardian must live through it.
        let script = format!("trap '' INT TERM HUP; read -r _; {script}");
        let child = Command::new("sh")
            .args(["-c", &script, "guardian"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "start the shell that tidies up")?;
        Ok(Self(child))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nothing can be done about a shell that can't be waited for; it does its work without us.
        self.0.wait().ok();
    }
}
