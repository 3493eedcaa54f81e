//! Whether the source still has what follows the ledger's position. Asked before a stream is opened: PostgreSQL itself skips
//! silently to a slot that is ahead (measured), and waits silently for a position that its WAL has not reached.
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{sender::Sender, snapshot::system_number};
use crate::{
    fault::{Doing, Fault, Policy, RESYNC},
    replication::{ReplicationConnection, ReplicationError, SystemIdentity},
    wire::Known,
};

/// Where the ledger stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// End of the last applied commit.
    pub(super) from: Lsn,
    /// The newest that is on the target.
    pub(super) known: Known,
}

impl Sender {
    /// A connection to stream on, when everything after the position can be had on it; the timeline that it is on, to which the
    /// position belongs as well; and where the slot is.
    pub(super) async fn check_position(
        &self,
        at: Position,
    ) -> Result<(ReplicationConnection, u32, Lsn), Fault> {
        let slot = self.check_slot(at.from).await?;
        let (endpoint, database) = (&self.spec.endpoint, &self.spec.database);
        let mut connection =
            ReplicationConnection::connect(endpoint, database, &self.purpose("stream")).await?;
        let server = connection.identify_system().await?;
        let system = system_number(&server.system_id)?;
        if system != at.known.system {
            return Err(resync(
                "SourceIsAnother",
                format!(
                    "the source is server {system}, the ledger's positions are of server {}",
                    at.known.system
                ),
            ));
        }
        check_past(&mut connection, &server, at.known).await?;
        Ok((connection, server.timeline, slot))
    }

    /// The slot is there, and has what follows: where it is.
    pub(super) async fn check_slot(&self, from: Lsn) -> Result<Lsn, Fault> {
        let slot = &self.spec.objects.slot;
        let client = self.control().await?;
        let row = client
            .query_opt(
                "select confirmed_flush_lsn, to_jsonb(s) ->> 'wal_status' from pg_replication_slots s \
                 where slot_name = $1 and database = current_database()",
                &[slot],
            )
            .await
            .doing(format!("looking at replication slot {slot}"))?;
        let Some(row) = row else {
            return Err(resync(
                "SlotMissing",
                format!("replication slot {slot} is not on the source"),
            ));
        };
        if row.get::<_, Option<&str>>(1) == Some("lost") {
            return Err(resync(
                "SlotLost",
                format!(
                    "the source has removed WAL that replication slot {slot} needs (wal_status lost)"
                ),
            ));
        }
        match row.get::<_, Option<PgLsn>>(0).map(|lsn| Lsn(lsn.into())) {
            Some(confirmed) if confirmed > from => Err(resync(
                "SlotAheadOfLedger",
                format!(
                    "replication slot {slot} is at {confirmed}, ahead of the ledger's {from}: what lies between is lost to it"
                ),
            )),
            confirmed => Ok(confirmed.unwrap_or(from)),
        }
    }
}

/// The server has been where the target is: it was not set back, nor has it left that way before.
pub(super) async fn check_past(
    connection: &mut ReplicationConnection,
    server: &SystemIdentity,
    known: Known,
) -> Result<(), Fault> {
    if let Some(timeline) = known.timeline.filter(|timeline| *timeline != server.timeline) {
        check_timeline(connection, timeline, server, known.seen).await?;
    }
    if server.wal_position < known.seen {
        return Err(resync(
            "SourceWentBack",
            format!(
                "the source's WAL ends at {}, before the {} that the target has: it was set back to an earlier state",
                server.wal_position, known.seen
            ),
        ));
    }
    Ok(())
}

/// After a failover the server goes on on another timeline. It has the same WAL as before up to where that one began.
async fn check_timeline(
    connection: &mut ReplicationConnection,
    ours: u32,
    server: &SystemIdentity,
    seen: Lsn,
) -> Result<(), Fault> {
    let history = connection.timeline_history(server.timeline).await?;
    match end_of(&history, ours) {
        Some(end) if seen <= end => Ok(()),
        end => Err(resync(
            "SourceTimelineForked",
            format!(
                "the source is on timeline {}, which left the ledger's timeline {ours} {}, before the {seen} that the target has",
                server.timeline,
                end.map_or_else(|| "long ago".to_owned(), |end| format!("at {end}"))
            ),
        )),
    }
}

/// Where a timeline ended, by a history file (PostgreSQL manual, "Timelines"): "parent TAB switchpoint TAB reason".
fn end_of(history: &str, timeline: u32) -> Option<Lsn> {
    history.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let parent: u32 = words.next()?.parse().ok()?;
        (parent == timeline).then(|| words.next()?.parse().ok())?
    })
}

/// An error of a change stream. What is not there then (undefined_object) is a publication, by the words of whatever language the
/// server speaks: pgoutput looks for them as they were at each change's place, so making them again does not help.
pub(super) fn of_stream(error: ReplicationError) -> Fault {
    if error.sqlstate() == Some("42704") {
        return resync("PublicationAltered", error.to_string());
    }
    error.into()
}

pub(super) fn resync(code: &'static str, message: String) -> Fault {
    Fault::new(Policy::Resync, code, message).remedy(RESYNC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_says_where_a_timeline_ended() {
        let history = "1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tx\n";
        assert_eq!(end_of(history, 1), Some(Lsn(0x300_0148)));
        assert_eq!(end_of(history, 2), Some(Lsn(0x500_0000)));
        assert_eq!(end_of(history, 3), None);
        assert_eq!(end_of("", 1), None);
    }
}
