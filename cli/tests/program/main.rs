//! The program as scripts see it: exit statuses, what is on standard output, what is on standard error. Against a
//! scripted controller behind real TLS.
#[allow(clippy::unwrap_used, missing_docs)]
mod fake;
#[allow(clippy::unwrap_used, missing_docs)]
mod scripts;
