//! Values of options that need more than a word: secrets, a source server, `K=V`.
use std::{convert::Infallible, fmt, str::FromStr};

use crate::words;

/// A SECRET as it was typed. It may be a password typed by mistake, so it is neither shown by `{:?}` nor refused by
/// the argument parser, whose message would repeat it: it is read later, by `secret`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretArg(String);

impl SecretArg {
    /// The text; not for messages.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretArg(…)")
    }
}

impl FromStr for SecretArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// One end of a window: a time, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Option<jiff::Timestamp>);

/// Neither.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a time like 2026-01-31T22:00:00Z, or none")]
pub(crate) struct MomentError;

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self(None));
        }
        words::parse_time(text).map(|time| Self(Some(time))).ok_or(MomentError)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a number of bytes, like 50MB, with PostgreSQL's units: B, kB, MB, GB, TB")]
pub(crate) struct SizeError;

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let power = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "kb" => 1,
            "mb" => 2,
            "gb" => 3,
            "tb" => 4,
            _ => return Err(SizeError),
        };
        let number: u64 = number.parse().map_err(|_| SizeError)?;
        number.checked_mul(1024_u64.pow(power)).map(Self).ok_or(SizeError)
    }
}

/// `HOST:PORT@USER`, as the field writes a source server. Port and user may be missing: `0` and `None` then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceArg {
    /// A name or an address, brackets of IPv6 taken off.
    pub(crate) host: String,
    /// 0: not given.
    pub(crate) port: u32,
    /// The role to log in as.
    pub(crate) user: Option<String>,
}

/// The text is not `HOST:PORT@USER`. It is not repeated: a URL may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SourceError {
    /// `postgres://…`.
    #[error(
        "a URL is not taken: write HOST:PORT@USER, and name the password with --source-password"
    )]
    Url,
    /// `/subscriptions/…`.
    #[error("a cloud resource id is not taken: write the server as HOST:PORT@USER")]
    ResourceId,
    /// No host, or no user after the `@`.
    #[error("expected HOST:PORT@USER, like db.example.com:5432@admin")]
    Form,
    /// Not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535, as in db.example.com:5432@admin")]
    Port,
}

impl FromStr for SourceArg {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        if text.contains("://") {
            return Err(SourceError::Url);
        }
        if text.starts_with('/') {
            return Err(SourceError::ResourceId);
        }
        // The first @: a host has none, a user may (user@server).
        let (server, user) = match text.split_once('@') {
            Some((_, "")) => return Err(SourceError::Form),
            Some((server, user)) => (server, Some(user.to_owned())),
            None => (text, None),
        };
        let (host, port) = split_port(server)?;
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(SourceError::Form);
        }
        Ok(Self { host: host.to_owned(), port, user })
    }
}

fn split_port(server: &str) -> Result<(&str, u32), SourceError> {
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(SourceError::Form)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if rest.is_empty() => Ok((host, 0)),
            None => Err(SourceError::Form),
        };
    }
    match server.split_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => Ok((server, 0)),
        Some((host, port)) => Ok((host, parse_port(port)?)),
        None => Ok((server, 0)),
    }
}

fn parse_port(text: &str) -> Result<u32, SourceError> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(u32::from(port)),
        _ => Err(SourceError::Port),
    }
}

/// `K=V`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(host: &str, port: u32, user: Option<&str>) -> Result<SourceArg, SourceError> {
        Ok(SourceArg { host: host.into(), port, user: user.map(Into::into) })
    }

    #[test]
    fn a_source_is_read_as_the_field_writes_it() {
        assert_eq!("db:5433@me".parse(), source("db", 5433, Some("me")));
        assert_eq!("10.0.0.1:5432@me@srv".parse(), source("10.0.0.1", 5432, Some("me@srv")));
        assert_eq!("db@me".parse(), source("db", 0, Some("me")));
        assert_eq!("db:5432".parse(), source("db", 5432, None));
        assert_eq!("[::1]:5432@me".parse(), source("::1", 5432, Some("me")));
        assert_eq!("fe80::1@me".parse(), source("fe80::1", 0, Some("me")));
    }

    #[test]
    fn what_is_no_source_is_refused() {
        let refused = |text: &str| text.parse::<SourceArg>().unwrap_err();
        assert_eq!(refused("postgres://me:pw@db/x"), SourceError::Url);
        assert_eq!(refused("/subscriptions/1/x"), SourceError::ResourceId);
        for text in ["", ":5432@me", "db:5432@", "[::1:5432@me", "[::1]x@me", "a b@me"] {
            assert_eq!(refused(text), SourceError::Form, "{text}");
        }
        for text in ["db:0@me", "db:65536@me", "db:x@me", "db:@me"] {
            assert_eq!(refused(text), SourceError::Port, "{text}");
        }
    }

    #[test]
    fn sizes_have_the_units_of_postgresql() {
        for (text, bytes) in [("0", 0), ("7", 7), ("50MB", 50 << 20), ("2 gb", 2 << 30)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "MB", "-1", "1.5GB", "5 apples", "99999999999TB"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError), "{text}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let arg: SecretArg = "hunter2".parse().unwrap();
        assert!(!format!("{arg:?}").contains("hunter2"));
    }
}
