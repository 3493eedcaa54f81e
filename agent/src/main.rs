//! `whimbrel-agent`: options, log, signals, exit status. Everything else is in the library.
use std::{io::Write as _, process::ExitCode, sync::Arc};

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use whimbrel_agent::{
    config::{Arguments, Config, Verb},
    link::{DataDir, Enrolment, Identity, JoinToken, Link, LinkError, Outlet, enrol},
    observe,
    postgres::Programs,
    secret::Secrets,
    task::Supervisor,
};

/// Exit status of wrong usage, as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Verb::Run(arguments) = Arguments::parse().verb;
    let config = match Config::settle(arguments) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("whimbrel-agent: {error}");
            return ExitCode::from(USAGE);
        }
    };
    observe::start(config.log_format);
    // Ours name their provider; this is for whatever in the tree does not. It fails only when there is one already.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "starting the runtime");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "stopping");
            ExitCode::from(error.exit_status())
        }
    }
}

async fn run(config: &Config) -> Result<(), LinkError> {
    let stop = stop_on_signals()?;
    let dir = DataDir::open(&config.data_dir)?;
    let programs = Arc::new(Programs::discover(&config.pg_bin_dirs).await);
    let identity = tokio::select! {
        identity = identify(&dir, config) => identity?,
        () = stop.cancelled() => return Ok(()),
    };
    let outlet = Outlet::new();
    let secrets = Secrets::new(identity.name(), identity.sealing_key());
    let link = Link::new(dir, identity, outlet.clone(), programs.describe())?;
    let name = link.name().to_owned();
    tracing::info!(agent = name, programs = ?programs.describe(), "starting");
    let tasks = Supervisor::new(outlet, secrets, programs);
    link.run(tasks, stop, move || ready(&name)).await
}

/// The identity in the folder; else, or if its certificate has expired, one for the join token.
async fn identify(dir: &DataDir, config: &Config) -> Result<Identity, LinkError> {
    let Some(identity) = Identity::load(dir)? else {
        let token = config.join_token()?.ok_or(LinkError::NotEnrolled)?;
        return join(dir, config, &token, &config.name).await;
    };
    if !identity.is_expired() {
        return Ok(identity);
    }
    match config.join_token()? {
        // The link says what to do.
        None => Ok(identity),
        Some(token) => {
            tracing::warn!(agent = identity.name(), "the certificate has expired: joining again");
            join(dir, config, &token, identity.name()).await
        }
    }
}

async fn join(
    dir: &DataDir,
    config: &Config,
    token: &JoinToken,
    name: &str,
) -> Result<Identity, LinkError> {
    let wish = Enrolment { name: name.to_owned(), labels: config.labels.clone() };
    let identity = enrol(dir, token, &wish).await?;
    tracing::info!(agent = identity.name(), folder = %dir.path().display(), "enrolled");
    Ok(identity)
}

/// The one line on standard output. Nobody need listen: a closed pipe is no reason to stop.
fn ready(name: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "ready {name}").and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads standard output");
    }
}

/// Cancelled by SIGTERM or SIGINT.
fn stop_on_signals() -> Result<CancellationToken, LinkError> {
    let fail = |error: std::io::Error| LinkError::Signals { cause: error };
    let mut term = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    // Lives as long as the process.
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        told.cancel();
    });
    Ok(stop)
}
