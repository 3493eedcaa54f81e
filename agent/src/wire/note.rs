//! What the event trigger on the source puts into the change stream.
use serde::Deserialize;

use super::{Publish, Structure};

/// Prefix of the messages that the event trigger on the source emits.
pub const DDL_PREFIX: &str = "whimbrel_ddl";

/// What one command did, as the event trigger tells it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Note {
    /// Names the migration: another one of the same database has a trigger of its own.
    pub slot: String,
    /// "ALTER TABLE".
    pub tag: String,
    /// SQLSTATE of what kept the trigger from telling.
    pub failed: Option<String>,
    /// SQLSTATE of what kept it from publishing a table.
    pub unpublished: Option<String>,
    /// Tables that were in none of our publications until now: new ones, and such that somebody had taken out.
    #[serde(default)]
    pub published: Vec<u32>,
    /// Those of them that had rows before.
    #[serde(default)]
    pub filled: Vec<u32>,
    /// Tables that are in none from now on.
    #[serde(default)]
    pub taken_out: Vec<u32>,
    /// What the touched objects are now, and their partitions or heirs.
    #[serde(default)]
    pub objects: Vec<Structure>,
    /// The snapshot that they were read by (`txid_current_snapshot`); none from a trigger of an older agent.
    pub snapshot: Option<String>,
    /// Every touched object by name, whatever its kind.
    #[serde(default)]
    pub others: Vec<Touched>,
    /// What is gone.
    #[serde(default)]
    pub dropped: Vec<Dropped>,
    /// The table that is about to be rewritten.
    pub rewritten: Option<u32>,
    /// Why: bits as `pg_event_trigger_table_rewrite_reason`.
    #[serde(default)]
    pub reason: u32,
}

/// A touched object.
#[derive(Debug, Clone, Deserialize)]
pub struct Touched {
    /// "table", "operator class".
    #[serde(rename = "type")]
    pub kind: String,
    /// Quoted; none of a GRANT.
    pub identity: Option<String>,
    /// Its catalog; none of a GRANT.
    pub class: Option<u32>,
    /// On the source; none of a GRANT.
    pub oid: Option<u32>,
}

/// A dropped object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dropped {
    /// Its catalog.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// A column's number.
    pub part: i32,
    /// "table", "table constraint", "default value".
    #[serde(rename = "type")]
    pub kind: String,
    /// Quoted.
    pub identity: String,
    /// Parts of its name, not quoted.
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// Named in the command, or gone by CASCADE; otherwise it goes with what it is a part of.
    pub told: bool,
}

impl Note {
    /// Reads a message's content; `None` when it is of another migration.
    ///
    /// # Errors
    /// It is ours, and can't be read.
    pub fn parse(slot: &str, content: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head {
            slot: String,
        }
        let head: Head = serde_json::from_slice(content)?;
        if head.slot != slot {
            return Ok(None);
        }
        serde_json::from_slice(content).map(Some)
    }

    /// Whether changes of a table may be missing from the stream from this command on: it has no key now, what it has,
    /// or where it is published, could not be told, or it was published nowhere.
    pub fn may_hide_changes(&self, table: u32) -> bool {
        let of_table = |object: &Structure| match object {
            Structure::Relation(form) if form.oid == table => {
                self.unpublished.is_some() || form.publish() != Publish::All
            }
            _ => false,
        };
        self.failed.is_some()
            || self.published.contains(&table)
            || self.taken_out.contains(&table)
            || self.objects.iter().any(of_table)
    }
}
