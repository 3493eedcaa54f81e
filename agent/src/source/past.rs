//! Whether the source's past is the one that the target has, beyond its positions: a server that was set back to an earlier
//! state (a snapshot of its disk) and has been written to since has the same system identifier, timeline and slot, and its WAL ends
//! behind the ledger's position. But its slot is where it was then.
//!
//! So whenever the slot is behind the ledger the stream is opened at the slot, and what comes up to the ledger's position must end
//! with the very commit that the ledger ends with: at that place, at that time (to the microsecond). It goes no further.
use std::collections::HashMap;

use bytes::Bytes;
use whimbrel_proto::Lsn;

use super::position::resync;
use crate::{fault::Fault, wire::LastCommit};

/// Reads the part of the stream that the target has already, and lets nothing of it through.
pub(super) struct Past {
    /// Where the ledger stands.
    from: Lsn,
    /// Where the slot stands.
    slot: Lsn,
    /// What the ledger ends with.
    expected: LastCommit,
    /// What the stream has ended with so far.
    seen: Option<LastCommit>,
    /// What a table is, the server says once in a session, before its first row, and again once that is another.
    told: HashMap<u32, Bytes>,
    is_over: bool,
}

impl Past {
    pub(super) fn new(from: Lsn, slot: Lsn, expected: LastCommit) -> Self {
        Self { from, slot, expected, seen: None, told: HashMap::new(), is_over: false }
    }

    /// Where the slot is to stay until then.
    pub(super) fn slot(&self) -> Lsn {
        self.slot
    }

    /// It is proven: the slot may be told where the ledger is.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What of a message is sent on.
    ///
    /// # Errors
    /// `SourceWentBack`; `StreamUnreadable`.
    pub(super) fn pass(&mut self, message: Bytes) -> Result<Vec<Bytes>, Fault> {
        let kind = message.first().copied().unwrap_or_default();
        if !self.is_over {
            match kind {
                b'B' if lsn(&message, 1)? >= self.from => self.end()?,
                b'M' if message.get(1) == Some(&0) && lsn(&message, 2)? >= self.from => {
                    self.end()?
                }
                b'C' => {
                    let time = lsn(&message, 18)?.0.cast_signed();
                    self.seen = Some(LastCommit { end: lsn(&message, 10)?, time });
                    return Ok(Vec::new());
                }
                b'R' => {
                    self.told.insert(number(&message, 1)?, message);
                    return Ok(Vec::new());
                }
                _ => return Ok(Vec::new()),
            }
        }
        let mut passed = Vec::new();
        match kind {
            b'R' => drop(self.told.remove(&number(&message, 1)?)),
            b'I' | b'U' | b'D' => passed.extend(self.told.remove(&number(&message, 1)?)),
            b'T' => {
                for at in 0..number(&message, 1)? as usize {
                    passed.extend(self.told.remove(&number(&message, 6 + 4 * at)?));
                }
            }
            _ => {}
        }
        passed.push(message);
        Ok(passed)
    }

    /// The server has sent all that it has up to `position`: whether the receiver may be told so.
    ///
    /// # Errors
    /// `SourceWentBack`.
    pub(super) fn has_come(&mut self, position: Lsn) -> Result<bool, Fault> {
        if !self.is_over && position >= self.from {
            self.end()?;
        }
        Ok(self.is_over)
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.is_over = true;
        let is_the_same = match self.seen {
            Some(seen) => seen == self.expected,
            None => self.expected.end <= self.slot,
        };
        if is_the_same {
            return Ok(());
        }
        Err(resync(
            "SourceWentBack",
            format!(
                "what the source has committed between {} and {} is not what the target has: it was set back to an earlier state, and \
                 written to since",
                self.slot, self.from
            ),
        ))
    }
}

fn lsn(message: &Bytes, at: usize) -> Result<Lsn, Fault> {
    let bytes = message.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map(|bytes| Lsn(u64::from_be_bytes(bytes))).ok_or_else(unreadable)
}

fn number(message: &Bytes, at: usize) -> Result<u32, Fault> {
    let bytes = message.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_be_bytes).ok_or_else(unreadable)
}

fn unreadable() -> Fault {
    Fault::hold("StreamUnreadable", "reading the change stream: a message is too short")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: LastCommit = LastCommit { end: Lsn(200), time: 77 };

    fn message(kind: u8, numbers: &[&[u8]]) -> Bytes {
        let mut bytes = vec![kind];
        numbers.iter().for_each(|number| bytes.extend_from_slice(number));
        bytes.into()
    }

    fn begin(lsn: u64) -> Bytes {
        message(b'B', &[&lsn.to_be_bytes(), &[0; 12]])
    }

    fn commit(end: u64, time: i64) -> Bytes {
        message(b'C', &[&[0], &(end - 8).to_be_bytes(), &end.to_be_bytes(), &time.to_be_bytes()])
    }

    fn of_table(kind: u8, oid: u32, rest: &[u8]) -> Bytes {
        message(kind, &[&oid.to_be_bytes(), rest])
    }

    fn past() -> Past {
        let mut past = Past::new(Lsn(200), Lsn(100), AT);
        let rows = [7, 8, 9].map(|oid| [of_table(b'R', oid, b"old"), of_table(b'I', oid, b"")]);
        for message in [begin(150)].into_iter().chain(rows.into_iter().flatten()) {
            assert_eq!(past.pass(message).unwrap(), Vec::<Bytes>::new());
        }
        past
    }

    #[test]
    fn what_is_known_is_left_out_and_a_table_is_told_before_its_next_row() {
        let mut past = past();
        assert!(past.pass(commit(200, 77)).unwrap().is_empty());
        assert!(!past.has_come(Lsn(199)).unwrap());
        assert_eq!(past.pass(begin(200)).unwrap(), [begin(200)]);
        assert!(past.is_over());
        let mut passes =
            |sent: &Bytes, as_what: &[Bytes]| assert_eq!(past.pass(sent.clone()).unwrap(), as_what);
        let (told, insert) = (|oid| of_table(b'R', oid, b"old"), |oid| of_table(b'I', oid, b""));
        passes(&insert(7), &[told(7), insert(7)]);
        passes(&insert(7), &[insert(7)]);
        // It is another by now, and told so.
        passes(&of_table(b'R', 8, b"new"), &[of_table(b'R', 8, b"new")]);
        passes(&insert(8), &[insert(8)]);
        let emptied = message(
            b'T',
            &[&2_u32.to_be_bytes(), &[0], &7_u32.to_be_bytes(), &9_u32.to_be_bytes()],
        );
        passes(&emptied, &[told(9), emptied.clone()]);
    }

    #[test]
    fn another_past_is_told() {
        for end in [commit(192, 77), commit(200, 78)] {
            let mut past = past();
            past.pass(end).unwrap();
            assert_eq!(past.pass(begin(208)).unwrap_err().code, "SourceWentBack");
        }
        // Nothing was committed since the slot's place; and nothing comes.
        let none = LastCommit { end: Lsn(90), time: 1 };
        assert!(Past::new(Lsn(200), Lsn(100), none).has_come(Lsn(200)).unwrap());
        assert!(Past::new(Lsn(200), Lsn(100), AT).has_come(Lsn(200)).is_err());
        let mut one = Past::new(Lsn(200), Lsn(100), none);
        one.pass(commit(150, 5)).unwrap();
        assert!(one.has_come(Lsn(300)).is_err());
    }
}
