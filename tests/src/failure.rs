//! Why a test can't go on: a text, with what was being done in front.
use std::fmt;

/// What every step of the harness returns.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A reason, for a person. Deliberately no `Error`: that lets `?` take any error in.
pub struct Failure(String);

impl Failure {
    /// A failure in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// The test runner prints a returned error with {:?}.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Puts what was being done in front of a failure.
pub trait Context<T> {
    /// `doing` is only called on failure.
    ///
    /// # Errors
    /// The failure that was there, with the words in front.
    fn context<S: fmt::Display>(self, doing: impl FnOnce() -> S) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context<S: fmt::Display>(self, doing: impl FnOnce() -> S) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{}: {}", doing(), error.into())))
    }
}

/// Returns a [`Failure`] with a formatted text.
#[macro_export]
macro_rules! fail {
    ($($text:tt)*) => { return Err($crate::Failure::new(format!($($text)*))) };
}

/// Returns a [`Failure`] with a formatted text unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => { if !$condition { $crate::fail!($($text)*) } };
}
