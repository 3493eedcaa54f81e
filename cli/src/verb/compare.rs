//! What both comparisons do with the answer: gather it, print it, and say by the exit status whether it is equal.
use std::time::Duration;

use tonic::Streaming;
use whimbrel_proto::v1::CompareResponse;

use super::Session;
use crate::{failure::Failure, render::compare::Comparison};

/// A comparison of terabytes takes hours, and ends with the reader: this bounds only a controller that has hung.
pub(crate) const COMPARE_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Prints the whole when it is there. Exit status 1 when something differs, or could not be decided.
pub(crate) async fn print(
    session: &Session,
    mut messages: Streaming<CompareResponse>,
    all: bool,
) -> Result<(), Failure> {
    let mut comparison = Comparison::default();
    while let Some(message) = messages.message().await? {
        comparison.take(message, all);
    }
    comparison.close();
    session.screen.print(&comparison, || comparison.page(&session.screen))?;
    if comparison.equal {
        return Ok(());
    }
    Err(Failure::BadEnd {
        message: comparison.summary(),
        code: "ComparisonDiffers".to_owned(),
        remedy: String::new(),
    })
}
