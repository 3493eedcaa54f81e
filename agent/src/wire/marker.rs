//! What we say in the source's WAL, and read again in the change stream: heartbeats, the cutover's markers, probes.
//!
//! They are logical messages (`pg_logical_emit_message`), transactional, so that a commit carries each: it is flushed at
//! once, and stands in the stream behind everything that was committed before it.

/// The messages' prefix. Others' messages are nothing to us.
pub const MARKER_PREFIX: &str = "whimbrel";

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// Nothing but that the source is alive: an idle database's position moves on, and the lag is measured.
    Heartbeat,
    /// Cutover attempt n begins: marker 1.
    Begin(u32),
    /// Cutover attempt n: the stream's last position, marker 2.
    End(u32),
    /// Comes back to who asked for it.
    Probe(String),
}

impl Marker {
    /// The message's content, for the migration that owns `slot`: another migration of the same database has its own.
    pub fn content(&self, slot: &str) -> String {
        match self {
            Self::Heartbeat => format!("{slot}/heartbeat"),
            Self::Begin(attempt) => format!("{slot}/begin/{attempt}"),
            Self::End(attempt) => format!("{slot}/end/{attempt}"),
            Self::Probe(id) => format!("{slot}/probe/{id}"),
        }
    }

    /// Reads a message's content; `None` when it is not of this migration.
    pub fn parse(slot: &str, content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let text = text.strip_prefix(slot)?.strip_prefix('/')?;
        match text.split_once('/') {
            None if text == "heartbeat" => Some(Self::Heartbeat),
            Some(("begin", attempt)) => attempt.parse().ok().map(Self::Begin),
            Some(("end", attempt)) => attempt.parse().ok().map(Self::End),
            Some(("probe", id)) => Some(Self::Probe(id.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_round_trip_and_others_are_not_ours() {
        for marker in
            [Marker::Heartbeat, Marker::Begin(3), Marker::End(1), Marker::Probe("x/y".into())]
        {
            assert_eq!(Marker::parse("slot", marker.content("slot").as_bytes()), Some(marker));
        }
        for other in ["slot2/end/1", "slot/end/x", "slot", "end/1", "slot/other"] {
            assert_eq!(Marker::parse("slot", other.as_bytes()), None, "{other}");
        }
        assert_eq!(Marker::parse("slot", &[0xFF]), None);
    }
}
