//! `whimbrel`: words on a screen for what `whimbrel.v1` offers. Every call goes to the controller; no rule and no default
//! that matters lives here. Results go to standard output, the rest to standard error, and the exit status says how
//! it went (see `failure`).
mod args;
mod client;
mod context;
mod failure;
mod follow;
mod logs;
mod properties;
mod render;
mod screen;
mod secret;
mod settings;
mod verb;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Color};
use failure::{EXIT_DONE, Failure};
use screen::Screen;
use settings::Settings;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (screen, result) = match Settings::load(&cli.global) {
        Ok(settings) => {
            let screen = Screen::new(settings.output, settings.color);
            logs::start(settings.log_format);
            (screen, run(&settings, &screen, cli.command))
        }
        Err(failure) => {
            let format = cli.global.output.unwrap_or_default();
            (Screen::new(format, Color::Auto), Err(failure))
        }
    };
    match result {
        Ok(()) => ExitCode::from(EXIT_DONE),
        Err(failure) => {
            screen.error(&failure);
            ExitCode::from(failure.exit())
        }
    }
}

/// One thread: a verb is one call, or one stream.
fn run(settings: &Settings, screen: &Screen, command: args::Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(verb::run(settings, *screen, command))
}
