//! Logs: to standard error, never with a secret or a row's value in them.
use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// Without RUST_LOG: ours; of refinery only what is wrong, it logs each schema migration otherwise.
const FILTER_DEFAULT: &str = "info,refinery_core=warn";

/// The logs could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("setting up the log: {0}")]
pub struct LogError(String);

/// Sets the process's log up, once.
///
/// # Errors
/// [`LogError`], when RUST_LOG is not a filter, or it was done before.
pub fn start(format: LogFormat) -> Result<(), LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(&filter)
            .map_err(|e| LogError(format!("RUST_LOG {filter:?}: {e}")))?,
        _ => EnvFilter::new(FILTER_DEFAULT),
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // A line that can't be written (a full disk) is lost; telling so, to standard error too, would be a panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    }
    .map_err(|e| LogError(e.to_string()))
}
