//! The log, on standard error. No row's value and no secret is ever given to it.
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// What is logged unless RUST_LOG says otherwise. tokio-postgres logs server notices, which can quote rows: never below
/// warnings, whatever RUST_LOG says.
const FILTER_DEFAULT: &str = "info";
const FILTER_ALWAYS: [&str; 1] = ["tokio_postgres=warn"];

/// Starts the log. Call it once.
pub fn start(format: LogFormat) {
    let mut filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT));
    for directive in FILTER_ALWAYS {
        // A constant that does not parse would show in every test of the program.
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let registry = tracing_subscriber::registry().with(filter);
    // A line that can't be written (a full disk) is lost; telling so, to standard error too, would be a panic.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    match format {
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(lines.with_ansi(ansi)).init();
        }
        LogFormat::Json => registry.with(lines.json()).init(),
    }
}
