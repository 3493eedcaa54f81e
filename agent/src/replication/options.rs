//! The options of `START_REPLICATION` for pgoutput.
use whimbrel_proto::Lsn;

use crate::postgres::{identifier, literal};

/// Whether transactions that are still running are streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    /// Only after their commit.
    Off,
    /// When they exceed `logical_decoding_work_mem` (14 and later, protocol 2).
    On,
    /// As `On`, with more told of an abort (16 and later, protocol 4).
    Parallel,
}

/// What is asked of pgoutput.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// 1 to 4.
    pub protocol: u32,
    /// Publications; at least one.
    pub publications: Vec<String>,
    /// Values in their binary form where the type has one (14 and later).
    pub binary: bool,
    /// `pg_logical_emit_message`'s messages too (14 and later).
    pub messages: bool,
    /// See [`Streaming`].
    pub streaming: Streaming,
    /// Prepared transactions at their PREPARE (15 and later, protocol 3); the slot must have been made for it.
    pub two_phase: bool,
    /// Only changes that did not come to the publisher by replication (16 and later).
    pub local_only: bool,
}

impl StreamOptions {
    /// The plain ones: text values, whole transactions at their commit, messages where the server has them.
    #[must_use]
    pub fn for_server(server_version_num: u32, publications: Vec<String>) -> Self {
        Self {
            protocol: 1,
            publications,
            binary: false,
            messages: server_version_num >= 140_000,
            streaming: Streaming::Off,
            two_phase: false,
            local_only: false,
        }
    }

    pub(super) fn start_sql(&self, slot: &str, from: Lsn) -> String {
        let publications: Vec<String> =
            self.publications.iter().map(|name| identifier(name)).collect();
        let mut options = vec![
            format!("proto_version {}", literal(&self.protocol.to_string())),
            // A list of names inside a text: quoted twice.
            format!("publication_names {}", literal(&publications.join(","))),
        ];
        let mut say = |name: &str, value: &str| options.push(format!("{name} {}", literal(value)));
        if self.binary {
            say("binary", "true");
        }
        if self.messages {
            say("messages", "true");
        }
        match self.streaming {
            Streaming::Off => {}
            Streaming::On => say("streaming", "on"),
            Streaming::Parallel => say("streaming", "parallel"),
        }
        if self.two_phase {
            say("two_phase", "on");
        }
        if self.local_only {
            say("origin", "none");
        }
        let slot = identifier(slot);
        format!("START_REPLICATION SLOT {slot} LOGICAL {from} ({})", options.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_twice() {
        let options = StreamOptions::for_server(150_018, vec!["p'1".into(), "q\"".into()]);
        assert_eq!(
            options.start_sql("s", Lsn(0x1_0000_0010)),
            "START_REPLICATION SLOT \"s\" LOGICAL 1/10 (proto_version '1', \
             publication_names '\"p''1\",\"q\"\"\"', messages 'true')"
        );
    }
}
