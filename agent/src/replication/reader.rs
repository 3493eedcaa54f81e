//! A cursor over received bytes: every length is checked before anything is taken or allocated.
use bytes::{Buf, Bytes};
use whimbrel_proto::Lsn;

/// Fewer bytes than the format needs, or bytes that the format does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The message ends in the middle of a field.
    #[error("the message ends in {field}: {wanted} bytes wanted, {left} left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Bytes that it needs.
        wanted: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// A text that is not terminated.
    #[error("{field} has no terminating zero byte")]
    Unterminated {
        /// The field.
        field: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("{field} is not UTF-8: the server's client_encoding is not UTF8")]
    NotUtf8 {
        /// The field.
        field: &'static str,
    },
    /// A length or a count below zero, or more than the message can hold.
    #[error("{field} says {value}, which the message can't hold")]
    BadCount {
        /// The field.
        field: &'static str,
        /// What it says.
        value: i64,
    },
}

/// Takes fields off the front of `bytes`. Slices share the buffer; nothing is copied but names.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    bytes: Bytes,
}

impl Reader {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    fn need(&self, field: &'static str, wanted: usize) -> Result<(), ReadError> {
        let left = self.bytes.len();
        if left < wanted {
            return Err(ReadError::Truncated { field, wanted, left });
        }
        Ok(())
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, ReadError> {
        self.need(field, 1)?;
        Ok(self.bytes.get_u8())
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, ReadError> {
        self.need(field, 2)?;
        Ok(self.bytes.get_u16())
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, ReadError> {
        self.need(field, 4)?;
        Ok(self.bytes.get_u32())
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, ReadError> {
        self.need(field, 4)?;
        Ok(self.bytes.get_i32())
    }

    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64, ReadError> {
        self.need(field, 8)?;
        Ok(self.bytes.get_i64())
    }

    pub(crate) fn lsn(&mut self, field: &'static str) -> Result<Lsn, ReadError> {
        self.need(field, 8)?;
        Ok(Lsn(self.bytes.get_u64()))
    }

    pub(crate) fn take(&mut self, field: &'static str, count: usize) -> Result<Bytes, ReadError> {
        self.need(field, count)?;
        Ok(self.bytes.split_to(count))
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        self.bytes.split_off(0)
    }

    /// A length of 32 bits, then so many bytes.
    pub(crate) fn sized(&mut self, field: &'static str) -> Result<Bytes, ReadError> {
        let length = self.i32(field)?;
        let count = usize::try_from(length)
            .map_err(|_| ReadError::BadCount { field, value: i64::from(length) })?;
        self.take(field, count)
    }

    /// The bytes before the next zero byte, which is taken too.
    pub(crate) fn cstr(&mut self, field: &'static str) -> Result<Bytes, ReadError> {
        let end =
            self.bytes.iter().position(|b| *b == 0).ok_or(ReadError::Unterminated { field })?;
        let text = self.bytes.split_to(end);
        self.bytes.advance(1);
        Ok(text)
    }

    pub(crate) fn name(&mut self, field: &'static str) -> Result<String, ReadError> {
        let bytes = self.cstr(field)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| ReadError::NotUtf8 { field })
    }

    /// A count of things that take at least `each` bytes: refused before anything is allocated for them.
    pub(crate) fn check_count(
        &self,
        field: &'static str,
        count: usize,
        each: usize,
    ) -> Result<(), ReadError> {
        if count.saturating_mul(each) > self.left() {
            let value = i64::try_from(count).unwrap_or(i64::MAX);
            return Err(ReadError::BadCount { field, value });
        }
        Ok(())
    }
}
