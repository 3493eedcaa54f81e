//! A position in PostgreSQL's write-ahead log.
use std::{fmt, str::FromStr};

/// A log sequence number, as PostgreSQL's type `pg_lsn`: a byte position in the WAL, printed as `16/B374D848`
/// (PostgreSQL manual, "pg_lsn Type").
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Lsn(pub u64);

impl Lsn {
    /// No position: PostgreSQL's InvalidXLogRecPtr.
    pub const ZERO: Self = Self(0);

    /// Bytes from `earlier` to here; 0 when `earlier` is ahead.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// The text is not a `pg_lsn`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a WAL position: expected two hexadecimal numbers like 16/B374D848")]
pub struct ParseLsnError(String);

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseLsnError(text.to_owned());
        let (high, low) = text.split_once('/').ok_or_else(refuse)?;
        // u32::from_str_radix takes a sign, pg_lsn does not.
        if [high, low].iter().any(|half| !half.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(refuse());
        }
        let high = u32::from_str_radix(high, 16).map_err(|_| refuse())?;
        let low = u32::from_str_radix(low, 16).map_err(|_| refuse())?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_postgresql_does() {
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
        assert_eq!(Lsn::ZERO.to_string(), "0/0");
    }

    #[test]
    fn refuses_what_pg_lsn_refuses() {
        for text in ["", "0", "/", "1/", "+1/0", "1/123456789", "g/0", "1/2/3"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
        assert_eq!("16/B374D848".parse(), Ok(Lsn(0x16_B374_D848)));
    }
}
