//! The program as others meet it: a real process, TLS, operators' calls, and an agent that does what it is told without
//! any database.
mod agent;
mod calls;
mod drive;
mod host;
