//! What a transaction has seen of others: a snapshot, as `txid_current_snapshot` tells it ("Functions and Operators", System
//! Information: xmin:xmax:xip_list).
use crate::{fault::Fault, wire::Note};

/// A snapshot, and whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first that had not begun to write.
    xmax: i64,
    /// Those before it that were not committed yet.
    open: Vec<i64>,
    /// The transaction that has it.
    own: i64,
}

impl Seen {
    /// What the note's author saw, who is known to the stream by the low 32 bits of the transaction's number.
    ///
    /// # Errors
    /// `StreamUnreadable`.
    pub(super) fn by(note: &Note, own: u32) -> Result<Option<Self>, Fault> {
        let Some(text) = &note.snapshot else { return Ok(None) };
        let seen = Self::parse(text, own).ok_or_else(|| {
            Fault::hold(
                "StreamUnreadable",
                format!(
                    "reading a change of the schema ({}): its snapshot {text:?} is none",
                    note.tag
                ),
            )
        })?;
        Ok(Some(seen))
    }

    fn parse(text: &str, own: u32) -> Option<Self> {
        let mut parts = text.split(':').skip(1);
        let xmax: i64 = parts.next()?.parse().ok()?;
        let open = parts.next()?.split(',').filter(|xid| !xid.is_empty());
        let open = open.map(|xid| xid.parse().ok()).collect::<Option<Vec<i64>>>()?;
        Some(Self { xmax, open, own: with_epoch(own, xmax) })
    }

    /// The transaction that has the snapshot, with its epoch.
    pub(super) const fn xid(&self) -> i64 {
        self.own
    }

    /// That one was committed already.
    pub(super) fn has_seen(&self, xid: i64) -> bool {
        xid < self.xmax && !self.open.contains(&xid)
    }
}

/// The number that ends like this, and is nearest: no two that live at once are further apart than half of all.
fn with_epoch(xid: u32, near: i64) -> i64 {
    let away = xid.wrapping_sub(near as u32).cast_signed();
    near + i64::from(away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_before_a_snapshot_is_seen() {
        let seen = Seen::parse("10:14:11,12", 12).unwrap();
        assert_eq!(seen.xid(), 12);
        let all: Vec<i64> = (9..16).filter(|xid| seen.has_seen(*xid)).collect();
        assert_eq!(all, [9, 10, 13]);
        assert_eq!(Seen::parse("10:10:", 12).map(|seen| seen.open), Some(Vec::new()));
        assert_eq!(Seen::parse("10", 12), None);
    }

    #[test]
    fn a_number_has_the_epoch_that_is_nearest() {
        let near = (3 << 32) + 5;
        assert_eq!(with_epoch(7, near), (3 << 32) + 7);
        assert_eq!(with_epoch(u32::MAX, near), (3 << 32) - 1);
    }
}
