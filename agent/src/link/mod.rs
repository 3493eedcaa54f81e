//! The link to the controller: enrolment, then one stream for as long as the process lives.
//!
//! The agent dials; nothing dials in. The link carries commands to [`Tasks`] and reports, progress and answers back, and
//! decides nothing about them. It keeps trying while the controller is away, and the tasks go on meanwhile; only
//! [`Lease`] tells them that the controller was not heard of. What always holds: a report stays until it was
//! acknowledged, a command of a lower term is refused, and no row's value passes here.

mod backoff;
mod data_dir;
mod dial;
mod enrol;
mod error;
mod heard;
mod identity;
mod lease;
mod outlet;
mod progress;
mod renew;
mod reports;
mod run;
mod session;
mod tasks;
mod term;
mod token;
mod told;

pub use data_dir::{DataDir, DataDirError};
pub use enrol::{Enrolment, enrol};
pub use error::LinkError;
pub use identity::Identity;
pub use lease::{Lease, LeaseLost};
pub use outlet::Outlet;
pub use run::Link;
pub use tasks::Tasks;
pub use token::{JoinToken, TokenError};
