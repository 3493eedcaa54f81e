//! What a check is, and what it is given.
use futures_util::future::BoxFuture;

use super::{
    SourceInput, TargetInput,
    facts::{DatabaseFacts, SourceFacts},
    finding::Found,
    gather::OwnSettings,
    session::Role,
    target::Existing,
};
use crate::{fault::Fault, postgres::Client};

/// One check.
pub(super) struct Check {
    /// Stable; a check with a server's and a database's half has one name for both.
    pub(super) type_name: &'static str,
    pub(super) level: Level,
    pub(super) at: At,
    /// It guards what only the change stream needs.
    pub(super) online_only: bool,
    pub(super) run: Run,
}

/// What a check is about, and over which session it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The server.
    Server,
    /// One database, seen from outside it: over the server's session.
    Database,
    /// One database, over a session in it. The source only.
    InDatabase,
}

/// When a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Before every migration. What can't be checked then fails.
    Prerequisites,
    /// In the preflight.
    Preflight,
}

/// What a check found; a fault is a check that could not be made.
pub(super) type Looking<'a> = BoxFuture<'a, Result<Vec<Found>, Fault>>;

/// The side that a check is about, and the check itself.
pub(super) enum Run {
    Source(for<'a> fn(&'a Source<'a>) -> Looking<'a>),
    Target(for<'a> fn(&'a Target<'a>) -> Looking<'a>),
}

/// What a check of the source is given.
pub(super) struct Source<'a> {
    pub(super) input: &'a SourceInput<'a>,
    pub(super) client: &'a Client,
    pub(super) role: &'a Role,
    /// Empty for a check of the server.
    pub(super) database: &'a str,
}

impl Source<'_> {
    /// A query of what is chosen.
    pub(super) fn chosen(&self, sql: &str) -> String {
        self.input.selected.sql(sql)
    }
}

/// What a check of the target is given.
pub(super) struct Target<'a> {
    pub(super) input: &'a TargetInput<'a>,
    pub(super) client: &'a Client,
    pub(super) role: &'a Role,
    /// Empty for a check of the server.
    pub(super) database: &'a str,
    /// What the source's agent told of it.
    pub(super) facts: &'a Result<SourceFacts, Fault>,
    /// Those of the wanted databases that are there.
    pub(super) existing: &'a Result<Vec<Existing>, Fault>,
    /// What is set on the target's server itself.
    pub(super) own: &'a Result<OwnSettings, Fault>,
}

impl<'a> Target<'a> {
    /// The source, as its agent saw it.
    pub(super) fn source(&self) -> Result<&'a SourceFacts, Fault> {
        self.facts.as_ref().map_err(Clone::clone)
    }

    /// The source, whose settings are known.
    pub(super) fn source_with_settings(&self) -> Result<&'a SourceFacts, Fault> {
        let facts = self.source()?;
        match &facts.settings_unknown {
            None => Ok(facts),
            Some(why) => {
                let message = format!("the source's settings could not be read: {why}");
                Err(Fault::hold("SourceFactsMissing", message)
                    .remedy("-- compare the servers' parameters yourself: select name, setting from pg_settings"))
            }
        }
    }

    /// What is set on the target's server itself.
    pub(super) fn own(&self) -> Result<&'a OwnSettings, Fault> {
        self.own.as_ref().map_err(Clone::clone)
    }

    /// The source, or this database of it, was not looked at: why is among the source's findings, and is not told again.
    pub(super) fn is_alone(&self) -> bool {
        let is_known =
            |facts: &SourceFacts| facts.databases.iter().any(|f| f.name == self.database);
        self.input.source_facts.is_empty()
            || !self.database.is_empty() && self.facts.as_ref().is_ok_and(|facts| !is_known(facts))
    }

    /// This database, as the source's agent saw it.
    pub(super) fn source_database(&self) -> Result<&'a DatabaseFacts, Fault> {
        let facts = self.source()?;
        facts.databases.iter().find(|facts| facts.name == self.database).ok_or_else(|| {
            let message =
                format!("the source's agent told nothing about database {}", self.database);
            Fault::hold("SourceFactsMissing", message).remedy("look at the source's findings first")
        })
    }
}

impl Check {
    pub(super) fn is_made(&self, level: Level, preflight: bool, online: bool) -> bool {
        self.level == level
            && (preflight || self.at == At::Prerequisites)
            && (online || !self.online_only)
    }
}
