//! Values of keys: `"True"` and `true` alike, words in any case, `null` as if the key were not there.
use jiff::Timestamp;
use whimbrel_proto::v1::{MigrationMode, MigrationOption, SslMode};

use super::{Problem, node::Node};
use crate::{args::Size, secret::Password, words};

pub(super) fn refuse(key: &str, expected: &'static str, node: &Node) -> Problem {
    Problem::Value { key: key.to_owned(), expected, found: node.kind() }
}

pub(super) fn text(key: &str, node: &Node) -> Result<Option<String>, Problem> {
    match node {
        Node::Null => Ok(None),
        Node::Text(text) if !text.trim().is_empty() => Ok(Some(text.clone())),
        _ => Err(refuse(key, "a text", node)),
    }
}

/// As it is: a password may begin or end with a space, or consist of them.
pub(super) fn password(key: &str, node: &Node) -> Result<Option<Password>, Problem> {
    match node {
        Node::Null => Ok(None),
        Node::Text(text) if !text.is_empty() => Ok(Some(Password::new(text.clone()))),
        _ => Err(refuse(key, "a text in quotes", node)),
    }
}

pub(super) fn boolean(key: &str, node: &Node) -> Result<Option<bool>, Problem> {
    match node {
        Node::Null => Ok(None),
        Node::Bool(value) => Ok(Some(*value)),
        Node::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Node::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(refuse(key, "true or false", node)),
    }
}

pub(super) fn names(key: &str, node: &Node) -> Result<Option<Vec<String>>, Problem> {
    texts(key, "a list of database names", node)
}

pub(super) fn patterns(key: &str, node: &Node) -> Result<Vec<String>, Problem> {
    texts(key, "a list of patterns", node).map(Option::unwrap_or_default)
}

fn texts(key: &str, expected: &'static str, node: &Node) -> Result<Option<Vec<String>>, Problem> {
    match node {
        Node::Null => Ok(None),
        Node::List(nodes) => {
            let name = |node: &Node| match node {
                Node::Text(text) if !text.is_empty() => Ok(text.clone()),
                _ => Err(refuse(&format!("{key}[]"), "a text", node)),
            };
            nodes.iter().map(name).collect::<Result<_, _>>().map(Some)
        }
        _ => Err(refuse(key, expected, node)),
    }
}

pub(super) fn mode(key: &str, node: &Node) -> Result<Option<MigrationMode>, Problem> {
    word(key, node, "Offline or Online", words::parse_mode)
}

pub(super) fn option(key: &str, node: &Node) -> Result<Option<MigrationOption>, Problem> {
    word(key, node, "Validate, Migrate or ValidateAndMigrate", words::parse_option)
}

pub(super) fn ssl_mode(key: &str, node: &Node) -> Result<Option<SslMode>, Problem> {
    word(key, node, "Prefer, Require, VerifyCA or VerifyFull", words::parse_ssl_mode)
}

/// RFC 3339; without an offset it is UTC, as the key says.
pub(super) fn time(key: &str, node: &Node) -> Result<Option<Timestamp>, Problem> {
    word(key, node, "a time like 2026-01-31T22:00:00Z", words::parse_time)
}

/// An agent's name; the field has a server's resource id here.
pub(super) fn agent(key: &str, node: &Node) -> Result<Option<String>, Problem> {
    let parse = |text: &str| (!text.contains('/')).then(|| text.to_owned());
    word(key, node, "the name of an agent (whimbrel agent list)", parse)
}

/// Nothing is 0.
pub(super) fn count(key: &str, node: &Node) -> Result<u32, Problem> {
    let expected = "a whole number";
    match node {
        Node::Null => Ok(0),
        Node::Number(Some(number)) => {
            u32::try_from(*number).map_err(|_| refuse(key, expected, node))
        }
        _ => word(key, node, expected, |text| text.parse().ok()).map(Option::unwrap_or_default),
    }
}

/// Bytes; nothing is 0.
pub(super) fn size(key: &str, node: &Node) -> Result<u64, Problem> {
    match node {
        Node::Number(Some(number)) => Ok(*number),
        _ => word(key, node, "a number of bytes, like 50MB", |text| text.parse::<Size>().ok())
            .map(|size| size.map_or(0, |Size(bytes)| bytes)),
    }
}

/// "30m".
pub(super) fn duration(key: &str, node: &Node) -> Result<Option<prost_types::Duration>, Problem> {
    let parse = |text: &str| {
        let age: humantime::Duration = text.parse().ok()?;
        let seconds = i64::try_from(age.as_secs()).ok()?;
        Some(prost_types::Duration { seconds, nanos: 0 })
    };
    word(key, node, "a duration, like 30m", parse)
}

fn word<T>(
    key: &str,
    node: &Node,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    match node {
        Node::Null => Ok(None),
        Node::Text(text) => match parse(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let found = if text.is_empty() { "an empty text" } else { "something else" };
                Err(Problem::Value { key: key.to_owned(), expected, found })
            }
        },
        _ => Err(refuse(key, expected, node)),
    }
}
