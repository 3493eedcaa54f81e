//! One file a verb, or a few that differ in a word: translate the options into one call, print its answer, say what to
//! do next.
mod agent;
mod compare;
mod completions;
mod endpoint;
mod migration;
mod password;
mod source;
mod target;

use crate::{
    args::Command, client::Client, context::Context, failure::Failure, screen::Screen,
    settings::Settings,
};

/// What every verb works with.
pub(crate) struct Session {
    /// The controller.
    pub(crate) client: Client,
    /// Where words go.
    pub(crate) screen: Screen,
}

/// Does what the command line says.
pub(crate) async fn run(
    settings: &Settings,
    screen: Screen,
    command: Command,
) -> Result<(), Failure> {
    if let Command::Completions { shell } = command {
        return completions::run(shell);
    }
    let context = Context::load(settings.context.as_deref())?;
    let client = Client::new(&context)?;
    let session = Session { client, screen };
    let done = match command {
        Command::Agent(command) => Box::pin(agent::run(&session, command)).await,
        Command::Target(command) => Box::pin(target::run(&session, command)).await,
        Command::Source(command) => Box::pin(source::run(&session, command)).await,
        Command::Migration(command) => Box::pin(migration::run(&session, *command)).await,
        Command::Completions { .. } => Ok(()),
    };
    done.map_err(|failure| failure.at(&context.address))
}

/// A time of the command line for the wire.
///
/// # Errors
/// One that is too long for it.
pub(crate) fn duration(
    option: &str,
    value: humantime::Duration,
) -> Result<prost_types::Duration, Failure> {
    prost_types::Duration::try_from(*value)
        .map_err(|_| Failure::Usage(format!("{option}: {value} is too long")))
}

/// The resource's name for an agent that was typed as `A` or as `agents/A`.
pub(crate) fn agent_name(typed: &str) -> String {
    if typed.starts_with("agents/") { typed.to_owned() } else { whimbrel_proto::name::agent(typed) }
}

/// Says that something is gone.
pub(crate) fn print_deleted(session: &Session, what: &str, name: &str) -> Result<(), Failure> {
    let answer = serde_json::json!({ "name": name, "deleted": true });
    session.screen.print(&answer, || format!("{what} {name} deleted"))
}
