//! The border: what crosses the wire, and the strict types that both sides share. No rule lives here.
//!
//! [`v1`] is for operators, [`agent`] for agents; both are generated. Ids, positions and the like are made strict here
//! ([`Lsn`], [`name`]), so that a wrong value is refused where it arrives, with the field's name.

mod lsn;
pub mod name;
pub mod pattern;
mod redact;

pub use lsn::{Lsn, ParseLsnError};

/// `whimbrel.v1`: the operators' API.
#[allow(missing_docs, clippy::all, clippy::clone_on_ref_ptr, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("whimbrel.v1");
}

/// The agents' side of the house.
pub mod agent {
    /// `whimbrel.agent.v1`: enrolment and the link.
    #[allow(missing_docs, clippy::all, clippy::clone_on_ref_ptr, unreachable_pub)]
    pub mod v1 {
        tonic::include_proto!("whimbrel.agent.v1");
    }
}

/// The descriptors of both packages, for the reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/whimbrel.fds.bin"));

/// The `domain` of every `google.rpc.ErrorInfo` that we send.
pub const ERROR_DOMAIN: &str = "whimbrel";

/// A name that the controller's certificate always has, so that agents and clients can check it whatever address they
/// dialled: only our own CA can have signed it.
pub const CONTROLLER_TLS_NAME: &str = "controller.whimbrel.internal";

/// Largest message of any of our calls, in bytes: the findings about some ten thousand tables, one by one, are a few
/// megabytes, and gRPC's own 4 MB would cut them off.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
