//! An act that can't be done now.
use super::phase::IllegalEdge;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The state does not allow it.
    State,
    /// An argument is wrong, whatever the state.
    Argument,
    /// Ours: an edge that is not in the table.
    Bug,
}

/// Why not, in which state, and what could be done instead. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose fault.
    pub kind: RefusalKind,
    /// Stable.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The state that refuses it.
    pub state: String,
    /// Acts that would be taken now.
    pub allowed: Vec<&'static str>,
}

impl From<IllegalEdge> for Refusal {
    fn from(edge: IllegalEdge) -> Self {
        Self {
            kind: RefusalKind::Bug,
            code: "IllegalTransition",
            message: edge.to_string(),
            state: edge.from.to_owned(),
            allowed: Vec::new(),
        }
    }
}
