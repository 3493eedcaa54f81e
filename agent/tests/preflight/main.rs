//! The checks before a migration, against servers with defects and without. Every remedy that is SQL is pasted, and must
//! mend what it speaks of.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#[path = "../cluster/mod.rs"]
mod cluster;

mod bench;
mod beyond;
mod migrated_roles;
mod not_carried;
mod reached;
mod selection;
mod sound;
mod source_damage;
mod source_database;
mod source_rights;
mod source_server;
mod source_traps;
mod speed;
mod target_breaks;
mod target_database;
mod target_objects;
mod target_overwrite;
mod target_server;
mod versions;
