//! `whimbrel`, as a person or a script calls it.
use std::{
    fs::OpenOptions,
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    Context, Outcome, ensure,
    program::{built, run_within},
    wait,
};

/// No verb of a test takes longer: the longest waits of theirs are said with `--timeout`, below this.
const BOUND: Duration = Duration::from_secs(180);

/// What a call of the CLI came to.
#[derive(Debug)]
pub struct Said {
    /// The exit status; -1 when a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The CLI with a context.
#[derive(Clone)]
pub struct Cli {
    context: PathBuf,
    folder: PathBuf,
}

impl Cli {
    /// The CLI with the context file `context`; what it says is kept in `folder`, in `cli.log`.
    #[must_use]
    pub fn new(context: &Path, folder: &Path) -> Self {
        Self { context: context.to_owned(), folder: folder.to_owned() }
    }

    /// The same with another context file.
    #[must_use]
    pub fn with_context(&self, context: &Path) -> Self {
        Self::new(context, &self.folder)
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it can't be run or does not end; not when it says no.
    pub fn run(&self, arguments: &[&str]) -> Outcome<Said> {
        self.run_with_stdin(arguments, "")
    }

    fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> Outcome<Said> {
        // Through a file, so that a program that does not read it can't block us. Gone from the folder at once.
        let mut input = tempfile::tempfile()?;
        input.write_all(stdin.as_bytes())?;
        input.rewind()?;
        let mut command = Command::new(built("whimbrel")?);
        command.args(arguments).stdin(input);
        command.env("WHIMBREL_CONTEXT", &self.context).env("NO_COLOR", "1");
        let (status, stdout, stderr) = run_within(BOUND, command, &self.folder)?;
        let said = Said { status: status.code().unwrap_or(-1), stdout, stderr };
        self.keep(arguments, &said)?;
        Ok(said)
    }

    fn keep(&self, arguments: &[&str], said: &Said) -> Outcome {
        let mut log =
            OpenOptions::new().create(true).append(true).open(self.folder.join("cli.log"))?;
        let Said { status, stdout, stderr } = said;
        writeln!(log, "$ whimbrel {}\n{stdout}{stderr}[{status}]", arguments.join(" "))?;
        Ok(())
    }

    /// Runs it; gives its standard output.
    ///
    /// # Errors
    /// When it does not exit 0.
    pub fn ok(&self, arguments: &[&str]) -> Outcome<String> {
        Self::must_succeed(arguments, self.run(arguments)?)
    }

    /// Runs it with something on its standard input.
    ///
    /// # Errors
    /// When it does not exit 0.
    pub fn ok_with_stdin(&self, arguments: &[&str], stdin: &str) -> Outcome<String> {
        Self::must_succeed(arguments, self.run_with_stdin(arguments, stdin)?)
    }

    fn must_succeed(arguments: &[&str], said: Said) -> Outcome<String> {
        ensure!(said.status == 0, "whimbrel {}: {}", arguments.join(" "), said.describe());
        Ok(said.stdout)
    }

    /// Runs it with `-o json`.
    ///
    /// # Errors
    /// When it does not exit 0 or does not print one JSON document.
    pub fn json(&self, arguments: &[&str]) -> Outcome<Value> {
        let text = self.ok(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).context(|| format!("read what {arguments:?} printed: {text}"))
    }

    /// Runs it; it must exit with `status`, and say each of `words` in some case.
    ///
    /// # Errors
    /// When it does not.
    pub fn refused(&self, arguments: &[&str], status: i32, words: &[&str]) -> Outcome<Said> {
        let said = self.run(arguments)?;
        said.is_refusal(status, words).context(|| format!("whimbrel {}", arguments.join(" ")))?;
        Ok(said)
    }

    /// Waits until `migration show -o json` satisfies `like`, and gives it.
    ///
    /// # Errors
    /// When it does not within [`wait::PATIENCE`].
    pub fn shown_until(
        &self,
        name: &str,
        what: &str,
        like: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let mut last = Value::Null;
        let found = wait::until(what, || {
            last = self.show(name)?;
            Ok(like(&last).then(|| last.clone()))
        });
        found.context(|| format!("the last that {name} showed was {last:#}"))
    }

    /// `migration show NAME --target box -o json`.
    ///
    /// # Errors
    /// As [`Cli::json`].
    pub fn show(&self, name: &str) -> Outcome<Value> {
        self.json(&["migration", "show", name, "--target", crate::stage::TARGET])
    }
}

impl Said {
    /// All of it, for a failure's text.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("exit status {}\n{}{}", self.status, self.stdout, self.stderr)
    }

    /// Did it exit with `status` and say each of `words`, in any case?
    ///
    /// # Errors
    /// When not.
    pub fn is_refusal(&self, status: i32, words: &[&str]) -> Outcome {
        ensure!(self.status == status, "expected exit status {status}: {}", self.describe());
        let text = self.describe().to_lowercase();
        for word in words {
            ensure!(text.contains(&word.to_lowercase()), "nothing of {word:?} in: {text}");
        }
        Ok(())
    }
}

/// `state` of what `migration show` gave.
#[must_use]
pub fn state(shown: &Value) -> &str {
    shown["properties"]["currentStatus"]["state"].as_str().unwrap_or("")
}

/// `currentSubState` of what `migration show` gave.
#[must_use]
pub fn substate(shown: &Value) -> &str {
    let status = &shown["properties"]["currentStatus"];
    status["currentSubStateDetails"]["currentSubState"].as_str().unwrap_or("")
}

/// One database's block in what `migration show` gave.
#[must_use]
pub fn database<'a>(shown: &'a Value, name: &str) -> &'a Value {
    &shown["properties"]["currentStatus"]["currentSubStateDetails"]["dbDetails"][name]
}

/// `error` of what `migration show` gave.
#[must_use]
pub fn error(shown: &Value) -> &str {
    shown["properties"]["currentStatus"]["error"].as_str().unwrap_or("")
}
