//! Facts for comparing the two sides: each side asks its own server, and nothing but facts crosses between.
mod checksum;
mod sequences;
mod shape;

pub use checksum::table_checksum;
pub use sequences::{sequence_difference, sequence_values};
pub use shape::{schema_changed, shape_difference, shape_of};
