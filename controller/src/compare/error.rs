//! What can go wrong with a comparison.
use crate::fleet::FleetError;

/// What can go wrong with a comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The agent can't be asked.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The agent could not find it out.
    #[error("on the {side}: {message}")]
    Side {
        /// "source" or "target".
        side: &'static str,
        /// The agent's code.
        code: String,
        /// The agent's words.
        message: String,
        /// The agent's remedy.
        remedy: String,
    },
    /// The agent answers something else.
    #[error(
        "the agent of the {side} does not know the question: bring it to the controller's version"
    )]
    WrongAnswer {
        /// "source" or "target".
        side: &'static str,
    },
    /// On neither side.
    #[error("database {database:?} is neither on the source nor on the target")]
    NoDatabase {
        /// Its name.
        database: String,
    },
    /// The patterns match nothing, on neither side.
    #[error("no table matches {patterns}: nothing was compared")]
    NothingMatches {
        /// As they were given.
        patterns: String,
    },
    /// The change stream stands still.
    #[error(
        "the change stream of database {database:?} has not come to where the source was half a minute ago: rows can't be \
         compared while it stands still or is far behind; see `whimbrel migration show`"
    )]
    Behind {
        /// Its name.
        database: String,
    },
    /// The controller ends.
    #[error("the controller goes away: compare again")]
    Stopped,
    /// Whoever asked has gone.
    #[error("nobody listens any more")]
    Unheard,
}
