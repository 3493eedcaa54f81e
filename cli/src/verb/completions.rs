//! `completions SHELL`.
use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::{args::Cli, failure::Failure};

pub(super) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "whimbrel", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
