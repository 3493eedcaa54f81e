//! Where words go: results to standard output, in the form that was asked for; everything else to standard error.
//! A reader that goes away is an error here, never a panic.
use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::{
    args::{Color, Format},
    failure::Failure,
};

/// Blanks between two columns: two, so that a heading of two words is still one heading.
const COLUMN_GAP: u16 = 2;

/// Standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// How results are printed.
    pub(crate) format: Format,
    out_color: bool,
    err_color: bool,
}

/// What a word is painted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Well.
    Good,
    /// Somebody should look.
    Notice,
    /// Badly.
    Bad,
    /// As it is.
    Plain,
}

impl Screen {
    /// Colours as `color` and the terminal allow.
    pub(crate) fn new(format: Format, color: Color) -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !forbidden,
        };
        Self {
            format,
            out_color: wanted(io::stdout().is_terminal()),
            err_color: wanted(io::stderr().is_terminal()),
        }
    }

    /// Prints `value` as JSON or YAML, or what `table` makes for people.
    pub(crate) fn print<T: Serialize>(
        &self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.line(table().trim_end()),
            Format::Json => self.line(&to_json(value, true)?),
            Format::Yaml => self.line(to_yaml(value)?.trim_end()),
        }
    }

    /// As [`Screen::print`], for one of a stream: a line of JSON, a document of YAML.
    pub(crate) fn print_one<T: Serialize>(
        &self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.line(&table()),
            Format::Json => self.line(&to_json(value, false)?),
            Format::Yaml => self.line(&format!("---\n{}", to_yaml(value)?.trim_end())),
        }
    }

    /// One line on standard output.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => writeln!(out, "{}", safe(text))?,
            // Programs get it as it is: JSON and YAML escape what has to be.
            Format::Json | Format::Yaml => writeln!(out, "{text}")?,
        }
        Ok(out.flush()?)
    }

    /// A word to whoever sits there, on standard error. Not for programs: nothing in JSON or YAML.
    pub(crate) fn hint(&self, text: &str) {
        if self.format == Format::Table {
            self.warn(text);
        }
    }

    /// A word on standard error that a script's log should have too.
    pub(crate) fn warn(&self, text: &str) {
        // With standard error gone there is nowhere left to say so.
        drop(writeln!(io::stderr().lock(), "{}", safe(text)));
    }

    /// `error: …` on standard error, or the same as a document for who asked for documents.
    pub(crate) fn error(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        let document = match self.format {
            Format::Table => None,
            Format::Json => to_json(&failure.document(), true).ok(),
            Format::Yaml => to_yaml(&failure.document()).ok(),
        };
        let words =
            || format!("{} {}", paint("error:", Paint::Bad, self.err_color), failure.report());
        self.warn(document.unwrap_or_else(words).trim_end());
    }

    /// A word of the result, painted.
    pub(crate) fn paint(&self, text: &str, paint_as: Paint) -> String {
        paint(text, paint_as, self.out_color)
    }

    /// A table without lines, as wide as it needs to be.
    pub(crate) fn table(&self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.force_no_tty().set_header(header.to_vec());
        for column in table.column_iter_mut() {
            column.set_padding((0, COLUMN_GAP));
        }
        table
    }
}

/// Lines of a table, without the padding at their ends.
pub(crate) fn table_text(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn to_json<T: Serialize>(value: &T, pretty: bool) -> Result<String, Failure> {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map_err(|error| Failure::Output(io::Error::other(error)))
}

fn to_yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_yaml_ng::to_string(value).map_err(|error| Failure::Output(io::Error::other(error)))
}

fn paint(text: &str, paint: Paint, color: bool) -> String {
    let code = match paint {
        Paint::Plain => return text.to_owned(),
        _ if !color => return text.to_owned(),
        Paint::Good => "32",
        Paint::Notice => "33",
        Paint::Bad => "31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Names and messages come from servers, and could steer a terminal. Only line ends and our own colours stay.
pub(crate) fn safe(text: &str) -> String {
    /// As [`paint`] writes them.
    const COLOURS: [&str; 4] = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"];
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let colour = COLOURS.iter().find(|colour| rest.starts_with(**colour));
        let kept = colour.map_or(next.len_utf8(), |colour| colour.len());
        if colour.is_some() || next == '\n' || !next.is_control() {
            clean.push_str(&rest[..kept]);
        } else {
            clean.push(char::REPLACEMENT_CHARACTER);
        }
        rest = &rest[kept..];
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_can_not_steer_the_terminal() {
        let ours = paint("ok\n", Paint::Good, true);
        assert_eq!(safe(&ours), ours);
        assert_eq!(
            safe("a\u{1b}]0;title\u{7}b\rc\td"),
            "a\u{fffd}]0;title\u{fffd}b\u{fffd}c\u{fffd}d"
        );
    }
}
