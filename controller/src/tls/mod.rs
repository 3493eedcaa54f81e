//! Who is who on the wire: the built-in certificate authority, the server's certificate, the accept loop.
//!
//! No decision about migrations is made here. A private key is never logged, and never leaves the data directory.
mod accept;
mod authority;
mod doors;
mod server;

pub use accept::{Handshaken, accept};
pub use authority::{Authority, SignedAgent, TlsError, agent_identity};
pub use server::{ServerIdentity, server_config};
