//! Values as statement parameters: a value's bytes as the source gave them, in text form, or an array of many.
use std::error::Error;

use bytes::{Bytes, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

/// A value, or null. PostgreSQL reads it with the input (or receive) function of the parameter's type.
#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) bytes: Option<Bytes>,
    pub(super) format: Format,
}

impl Parameter {
    /// A value's text.
    pub(super) fn text(bytes: Option<Bytes>) -> Self {
        Self { bytes, format: Format::Text }
    }
}

/// A row's values must not reach a log.
impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.bytes.is_some() { "value" } else { "null" })
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.bytes {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        self.format
    }
}
