//! `whimbrel-controller`: options, logs, signals; the rest is the library's.
use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use whimbrel_controller::{
    config::Options,
    observe, open_files,
    serve::{Controller, ServeError},
};

/// Exit status for options that can't be used, as the CLI's.
const EXIT_USAGE: u8 = 2;

/// Moves live PostgreSQL databases: the controller decides what happens, and remembers.
#[derive(Parser)]
#[command(name = "whimbrel-controller", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve operators and agents until SIGTERM.
    ///
    /// The first start makes a certificate authority, a server certificate, the store and DIR/admin.yaml, the context
    /// file of the `whimbrel` command. Once it serves, one line `ready HOST:PORT` is printed.
    Serve {
        #[command(flatten)]
        options: Options,
        /// A TOML file with the same names as the options; an option wins over it.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Verb::Serve { options, config } = Arguments::parse().verb;
    let options = match config {
        Some(path) => options.with_file(&path),
        None => Ok(options),
    };
    let (options, settings) = match options.and_then(|options| Ok((options.settings()?, options))) {
        Ok((settings, options)) => (options, settings),
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    if let Err(error) = observe::start(options.log_format.unwrap_or_default()) {
        return fail(EXIT_USAGE, &error);
    }
    open_files::raise();
    // Every TLS setting of ours names its provider; this is for a library that does not.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    match runtime.block_on(run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

async fn run(settings: &whimbrel_controller::config::Settings) -> Result<(), ServeError> {
    let stop = CancellationToken::new();
    let signalled = until_signalled(stop.clone());
    let controller = Controller::open(settings).await?;
    tokio::select! {
        served = Box::pin(controller.serve(say_ready, stop)) => served,
        () = signalled => Ok(()),
    }
}

/// The one line on standard output: scripts wait for it.
fn say_ready(address: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "ready {address}").and_then(|()| out.flush()) {
        tracing::warn!(%error, "`ready` could not be printed");
    }
}

/// Cancels `stop` at the first SIGTERM or SIGINT; ends at the second.
async fn until_signalled(stop: CancellationToken) {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        tracing::error!("signals can't be handled here: stop the controller with SIGKILL");
        return std::future::pending().await;
    };
    for _ in 0..2 {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }
}

fn fail(status: u8, error: &dyn std::error::Error) -> ExitCode {
    // Nowhere else to say it when standard error is gone.
    drop(writeln!(std::io::stderr(), "whimbrel-controller: {error}"));
    ExitCode::from(status)
}
