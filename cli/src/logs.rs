//! Log lines, for whoever looks for a fault in this program: on standard error, silent unless RUST_LOG asks.
use std::io;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// Starts writing them.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().init(),
    }
}
