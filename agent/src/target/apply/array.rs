//! The values of one column as one parameter: an array, in the form that costs the server least to read.
//!
//! Numbers that are sent as bytes need no parsing; texts that are sent as bytes need no quoting; of PostgreSQL's other
//! common types the array's own input function reads each value, instead of a cast from a text for each row. What is not
//! in the table below (types of extensions, enums, domains, arrays) goes as texts that the statement casts: the same input
//! functions read them there, unless the database has a cast of its own ([`crate::target::own_casts`]). Forms: PostgreSQL's
//! `array_recv` (src/backend/utils/adt/arrayfuncs.c).
use bytes::{BufMut as _, Bytes, BytesMut};
use postgres_types::Format;

use super::value::Parameter;
use crate::replication::pgoutput::Value;

/// How a column's values are put into an array. Types are known by their OIDs, which built-in types never change
/// (src/include/catalog/pg_type.dat).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) enum Elements {
    /// Texts, to be cast.
    Text,
    /// The same, of the other string types.
    Varchar,
    Bpchar,
    /// Integers of 2, 4 and 8 bytes.
    Int2,
    Int4,
    Int8,
    /// Of the type itself, in its text form, in which no quote and no backslash occurs.
    Plain(&'static str),
}

const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;

/// Room for a short value, to begin with.
const ELEMENT_BYTES: usize = 16;

/// Dimensions, flags (nulls), the elements' type, then of the one dimension its length and lower bound.
const HEADER_BYTES: usize = 20;

impl Elements {
    /// Those of a column of type `oid`.
    pub(in crate::target) fn of(oid: u32) -> Self {
        match oid {
            INT2 => Self::Int2,
            INT4 => Self::Int4,
            INT8 => Self::Int8,
            16 => Self::Plain("boolean"),
            700 => Self::Plain("real"),
            701 => Self::Plain("double precision"),
            1082 => Self::Plain("date"),
            1083 => Self::Plain("time"),
            1114 => Self::Plain("timestamp"),
            1184 => Self::Plain("timestamp with time zone"),
            1186 => Self::Plain("interval"),
            1266 => Self::Plain("time with time zone"),
            1700 => Self::Plain("numeric"),
            2950 => Self::Plain("uuid"),
            _ => Self::Text,
        }
    }

    /// Of a string type that is not text, by its name: `varchar`, or `bpchar`, which without a length keeps its blanks.
    pub(in crate::target) fn through(string: &str) -> Self {
        if string == "varchar" { Self::Varchar } else { Self::Bpchar }
    }

    /// The parameter's type, without the brackets.
    pub(in crate::target) fn type_name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Varchar => "varchar",
            Self::Bpchar => "bpchar",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Plain(name) => name,
        }
    }

    /// The values, in their order; `None` when one is not what its type says.
    pub(super) fn array<'a>(
        self,
        values: impl ExactSizeIterator<Item = &'a Value>,
    ) -> Option<Parameter> {
        match self {
            Self::Plain(_) => Some(plain(values)),
            Self::Text => binary(TEXT, values, put_text),
            Self::Varchar => binary(VARCHAR, values, put_text),
            Self::Bpchar => binary(BPCHAR, values, put_text),
            Self::Int2 => binary(INT2, values, |text, out| {
                out.put_i32(2);
                out.put_i16(number(text)?);
                Some(())
            }),
            Self::Int4 => binary(INT4, values, |text, out| {
                out.put_i32(4);
                out.put_i32(number(text)?);
                Some(())
            }),
            Self::Int8 => binary(INT8, values, |text, out| {
                out.put_i32(8);
                out.put_i64(number(text)?);
                Some(())
            }),
        }
    }
}

fn put_text(text: &[u8], out: &mut BytesMut) -> Option<()> {
    out.put_i32(i32::try_from(text.len()).ok()?);
    out.put_slice(text);
    Some(())
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The text of a value; `None`: null.
fn text_of(value: &Value) -> Option<&Bytes> {
    match value {
        Value::Text(bytes) | Value::Binary(bytes) => Some(bytes),
        Value::Null | Value::UnchangedToast => None,
    }
}

fn binary<'a>(
    oid: u32,
    values: impl ExactSizeIterator<Item = &'a Value>,
    put: impl Fn(&[u8], &mut BytesMut) -> Option<()>,
) -> Option<Parameter> {
    let count = values.len();
    let mut out = BytesMut::with_capacity(HEADER_BYTES + count * ELEMENT_BYTES);
    out.put_i32(i32::from(count > 0));
    // Nulls may come. The server looks for itself.
    out.put_i32(1);
    out.put_u32(oid);
    if count > 0 {
        out.put_i32(i32::try_from(count).ok()?);
        out.put_i32(1);
    }
    for value in values {
        match text_of(value) {
            Some(text) => put(text, &mut out)?,
            None => out.put_i32(-1),
        }
    }
    Some(Parameter { bytes: Some(out.freeze()), format: Format::Binary })
}

/// PostgreSQL manual, "Array Input and Output Syntax".
fn plain<'a>(values: impl ExactSizeIterator<Item = &'a Value>) -> Parameter {
    let mut out = BytesMut::with_capacity(2 + values.len() * ELEMENT_BYTES);
    out.put_u8(b'{');
    for (number, value) in values.enumerate() {
        if number > 0 {
            out.put_u8(b',');
        }
        match text_of(value) {
            Some(text) => {
                out.put_u8(b'"');
                out.put_slice(text);
                out.put_u8(b'"');
            }
            None => out.put_slice(b"NULL"),
        }
    }
    out.put_u8(b'}');
    Parameter { bytes: Some(out.freeze()), format: Format::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Value {
        Value::Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn numbers_are_bytes_and_nulls_are_minus_one() {
        let values = [text("-2"), Value::Null, text("32767")];
        let array = Elements::of(21).array(values.iter()).unwrap();
        let expected = [
            &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 21, 0, 0, 0, 3, 0, 0, 0, 1][..],
            &[0, 0, 0, 2, 0xff, 0xfe],
            &[0xff; 4],
            &[0, 0, 0, 2, 0x7f, 0xff],
        ];
        assert_eq!(array.bytes.unwrap(), expected.concat());
        assert!(matches!(array.format, Format::Binary));
        assert!(Elements::of(21).array([text("32768")].iter()).is_none());
        assert!(Elements::of(23).array([text("x")].iter()).is_none());
    }

    #[test]
    fn texts_need_no_quotes_and_plain_ones_have_them() {
        let array = Elements::of(25).array([text("a\"\\")].iter()).unwrap();
        assert!(array.bytes.unwrap().ends_with(&[0, 0, 0, 3, b'a', b'"', b'\\']));
        let array = Elements::of(1114).array([text("0044-03-15 00:00:00 BC"), Value::Null].iter());
        assert_eq!(array.unwrap().bytes.unwrap(), "{\"0044-03-15 00:00:00 BC\",NULL}");
        assert_eq!(Elements::of(16_384), Elements::Text);
        let array = Elements::through("bpchar").array([text("a ")].iter()).unwrap();
        assert!(array.bytes.unwrap().ends_with(&[0, 0, 0, 2, b'a', b' ']));
    }
}
