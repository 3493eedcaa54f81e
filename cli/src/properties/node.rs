//! JSON or YAML as a tree that keeps the order and the repetition of keys, which both languages' own maps hide.
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Problem;

/// A value of the file.
pub(super) enum Node {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; `None`: not a whole one, or one below zero.
    Number(Option<u64>),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, as written.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number (quote it, if it is meant as text)",
            Self::Text(text) if text.is_empty() => "an empty text",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// Reads JSON, or YAML if the text does not begin as a JSON object. (YAML would take most JSON too, but not tabs.)
pub(super) fn parse(text: &str) -> Result<Node, (Problem, Option<usize>)> {
    if text.trim_start().starts_with('{') {
        return match serde_json::from_str(text) {
            Ok(node) => Ok(node),
            // A YAML flow mapping begins with a brace as well.
            Err(error) => serde_yaml_ng::from_str(text)
                .map_err(|_| (Problem::Syntax { language: "JSON" }, Some(error.line()))),
        };
    }
    serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|at| at.line()).or_else(|| second_document(text));
        (Problem::Syntax { language: "YAML" }, line)
    })
}

/// The line, from 1, on which a second document begins; the parser does not tell.
fn second_document(text: &str) -> Option<usize> {
    text.lines().enumerate().skip(1).find(|(_, line)| line.starts_with("---")).map(|(i, _)| i + 1)
}

/// The line, from 1, on which the key stands (`last`: the last such line).
pub(super) fn line_of(text: &str, key: &str, last: bool) -> Option<usize> {
    let is_key = |line: &str| {
        let line = line.to_lowercase();
        let key = key.to_lowercase();
        line.match_indices(&key).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
            after.starts_with(':') && before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
    };
    let mut found = text.lines().enumerate().filter(|(_, line)| is_key(line));
    let line = if last { found.last() } else { found.next() };
    line.map(|(index, _)| index + 1)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(u64::try_from(number).ok()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(Some(number)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}
