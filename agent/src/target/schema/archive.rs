//! Takes a pg_dump archive apart into its entries: the SQL of each, with what it makes.
//!
//! `pg_restore --verbose` writes each entry behind a comment that numbers it (pg_backup_archiver.c, `_printTocEntry`);
//! `pg_restore --list` says which numbers there are. A text that looks like such a comment inside a function's body is
//! not taken for one, unless it has the number, the class and the OID of an entry that has not come yet.
use std::collections::{HashMap, HashSet};

use super::marks::without_marks;

/// One thing that the archive makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The archive's number for it.
    pub dump_id: i32,
    /// OID of the catalog that the object is in: 1259 pg_class, 2606 pg_constraint.
    pub class: u32,
    /// The object's OID on the source.
    pub oid: u32,
    /// "TABLE", "FK CONSTRAINT".
    pub kind: String,
    /// What pg_dump calls it: "orders orders_pkey", "TRIGGER t ON orders".
    pub tag: String,
    /// The settings that it needs, and its statements.
    pub sql: String,
}

impl Entry {
    /// For an error: "creating table orders".
    pub(crate) fn creating(&self) -> String {
        format!("creating {} {}", self.kind.to_lowercase(), self.tag)
    }
}

/// The output does not have the form that the module's head describes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArchiveError {
    /// An entry of the list did not come.
    #[error("pg_restore listed entry {0}, and wrote no SQL for it")]
    Missing(i32),
    /// No number at the start of a line of the list.
    #[error("pg_restore's list has a line that can't be read")]
    List,
}

/// The entries of a script, in its order. `list` is `pg_restore --list` of the same sections. Left out are those that make an
/// object of `not_made` (class and OID), and what is said about one: its comment.
pub fn entries(
    list: &str,
    script: &str,
    not_made: &HashSet<(u32, u32)>,
) -> Result<Vec<Entry>, ArchiveError> {
    let mut expected = parse_list(list)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut dropped = HashSet::new();
    let mut settings = Settings::default();
    let lines: Vec<&str> = script.split('\n').collect();
    let mut body_from = None;
    let mut at = 0;
    while at < lines.len() {
        if let Some((header, depends, length)) = header(&lines[at..])
            && expected.remove(&(header.dump_id, header.class, header.oid)).is_some()
        {
            close(&mut entries, &mut settings, &lines, body_from, at);
            let about_dropped = header.oid == 0 && depends.iter().any(|id| dropped.contains(id));
            if about_dropped || not_made.contains(&(header.class, header.oid)) {
                dropped.insert(header.dump_id);
            }
            entries.push(header);
            at += length;
            body_from = Some(at);
            continue;
        }
        at += 1;
    }
    let end = lines.iter().rposition(|line| is_trailer(line)).unwrap_or(lines.len());
    close(&mut entries, &mut settings, &lines, body_from, end);
    match expected.into_iter().find(|(_, kind)| !is_silent(kind)) {
        Some(((dump_id, _, _), _)) => Err(ArchiveError::Missing(dump_id)),
        None => {
            entries.retain(|entry| !dropped.contains(&entry.dump_id));
            Ok(entries)
        }
    }
}

/// Session settings that the archiver writes between entries, in front of the one that needs them.
#[derive(Debug, Default)]
struct Settings {
    tablespace: Option<String>,
    access_method: Option<String>,
}

impl Settings {
    fn take(&mut self, line: &str) -> bool {
        if line.starts_with("SET default_tablespace = ") {
            self.tablespace = Some(line.to_owned());
        } else if line.starts_with("SET default_table_access_method = ") {
            self.access_method = Some(line.to_owned());
        } else {
            return line.is_empty();
        }
        true
    }

    fn text(&self) -> String {
        [&self.tablespace, &self.access_method].into_iter().flatten().fold(
            String::new(),
            |mut text, line| {
                text.push_str(line);
                text.push('\n');
                text
            },
        )
    }
}

/// Gives the last entry its body: `lines[from..to]`, less the settings at its end, which are the next entry's.
fn close(
    entries: &mut [Entry],
    settings: &mut Settings,
    lines: &[&str],
    from: Option<usize>,
    to: usize,
) {
    let from = from.unwrap_or(0);
    let own = settings.text();
    let mut end = to;
    let mut trailing = Vec::new();
    while end > from {
        let line = lines[end - 1];
        let is_setting = line.is_empty() || line.starts_with("SET default_table");
        if !is_setting {
            break;
        }
        trailing.push(line);
        end -= 1;
    }
    for line in trailing.into_iter().rev() {
        settings.take(line);
    }
    if let Some(last) = entries.last_mut() {
        let sql = format!("{own}{}\n", lines[from..end].join("\n"));
        // Of what has columns. A function's body is its own.
        last.sql = if last.kind.ends_with("TABLE") || last.kind.ends_with("VIEW") {
            without_marks(sql)
        } else if last.kind == "ACL" {
            by_role(&sql)
        } else {
            sql
        };
    }
}

/// A right that was granted on is granted by who did that. Only a superuser may set a session's authorization; a role is set by any
/// member of it, and the grantor is the same.
fn by_role(sql: &str) -> String {
    let line = |line: &str| match line.strip_prefix("SET SESSION AUTHORIZATION ") {
        Some(role) => format!("SET LOCAL ROLE {role}\n"),
        None if line == "RESET SESSION AUTHORIZATION;" => "RESET ROLE;\n".to_owned(),
        None => format!("{line}\n"),
    };
    sql.lines().map(line).collect()
}

/// Reads the comment at the start of `lines`; with the entries that it depends on, and how many lines it has.
fn header(lines: &[&str]) -> Option<(Entry, Vec<i32>, usize)> {
    let mut rest = lines.iter();
    (*rest.next()? == "--").then_some(())?;
    let numbers = rest.next()?.strip_prefix("-- TOC entry ")?.strip_suffix(')')?;
    let (dump_id, numbers) = numbers.split_once(" (class ")?;
    let (class, oid) = numbers.split_once(" OID ")?;
    let mut length = 2;
    let mut named = None;
    let mut depends = Vec::new();
    for line in rest {
        length += 1;
        if *line == "--" {
            break;
        }
        let text = line.strip_prefix("-- ")?;
        if let Some(name) = text.strip_prefix("Name: ") {
            named = Some(name);
        } else if let Some(ids) = text.strip_prefix("Dependencies: ") {
            depends = ids.split(' ').filter_map(|id| id.parse().ok()).collect();
        }
    }
    let (tag, named) = named?.rsplit_once("; Type: ")?;
    let (kind, _) = named.split_once("; Schema: ")?;
    let entry = Entry {
        dump_id: dump_id.parse().ok()?,
        class: class.parse().ok()?,
        oid: oid.parse().ok()?,
        kind: kind.to_owned(),
        tag: tag.to_owned(),
        sql: String::new(),
    };
    Some((entry, depends, length))
}

type Key = (i32, u32, u32);

/// Lines like `3213; 2606 16406 CONSTRAINT public orders_pkey owner`.
fn parse_list(list: &str) -> Result<HashMap<Key, String>, ArchiveError> {
    let mut found = HashMap::new();
    for line in list.lines().filter(|line| !line.starts_with(';') && !line.is_empty()) {
        // A name with a newline goes on in the next line, which then has no number.
        let Some((dump_id, rest)) = line.split_once("; ") else { continue };
        let Ok(dump_id) = dump_id.parse::<i32>() else { continue };
        let mut words = rest.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
        let (Some(class), Some(oid)) = (number(), number()) else {
            return Err(ArchiveError::List);
        };
        found.insert((dump_id, class, oid), words.next().unwrap_or_default().to_owned());
    }
    Ok(found)
}

/// Entries that only set something up for pg_restore itself.
fn is_silent(kind: &str) -> bool {
    ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE"].iter().any(|word| kind.starts_with(word))
}

/// Where the script's own end begins.
fn is_trailer(line: &str) -> bool {
    line.starts_with("-- Completed on ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = ";\n; Archive created\n;\n1; 1255 10 FUNCTION public f() me\n2; 2606 11 CONSTRAINT public t t_pkey me\n3; 0 0 ENCODING - ENCODING \n";

    fn script(fake: &str) -> String {
        format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET row_security = off;\n\n\
             --\n-- TOC entry 1 (class 1255 OID 10)\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: me\n-- Data Pos: 0\n--\n\n\
             CREATE FUNCTION f() AS $$\n{fake}$$;\n\n\nSET default_tablespace = fast;\n\n\
             --\n-- TOC entry 2 (class 2606 OID 11)\n-- Dependencies: 1\n-- Name: t; Type: x t_pkey; Type: CONSTRAINT; Schema: public; Owner: me\n--\n\n\
             ALTER TABLE t;\n\n\n-- Completed on 2026\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
        )
    }

    #[test]
    fn takes_entries_apart_and_carries_settings_forward() {
        let entries = entries(LIST, &script(""), &HashSet::new()).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].kind, "FUNCTION");
        assert_eq!(entries[0].sql.trim(), "CREATE FUNCTION f() AS $$\n$$;");
        assert_eq!(
            (entries[1].kind.as_str(), entries[1].tag.as_str()),
            ("CONSTRAINT", "t; Type: x t_pkey")
        );
        assert_eq!(entries[1].sql.trim(), "SET default_tablespace = fast;\n\nALTER TABLE t;");
    }

    #[test]
    fn a_comment_in_a_body_is_no_entry() {
        for fake in [
            "--\n-- TOC entry 1 (class 1255 OID 10)\n-- Name: f(); Type: FUNCTION; Schema: s; Owner: o\n--\n",
            "--\n-- TOC entry 9 (class 1 OID 1)\n-- Name: f(); Type: FUNCTION; Schema: s; Owner: o\n--\n",
            "--\n-- TOC entry 2 (class 2606 OID 11)\nreturn;\n",
        ] {
            let entries = entries(LIST, &script(fake), &HashSet::new()).unwrap();
            assert_eq!(entries.len(), 2);
            assert!(entries[0].sql.contains(fake), "{fake}");
        }
    }

    #[test]
    fn a_right_is_granted_on_by_its_grantors_role() {
        let sql = "SET SESSION AUTHORIZATION \"a b\";\nGRANT SELECT ON TABLE t TO x;\nRESET SESSION AUTHORIZATION;\n";
        let by = "SET LOCAL ROLE \"a b\";\nGRANT SELECT ON TABLE t TO x;\nRESET ROLE;\n";
        assert_eq!(by_role(sql), by);
    }

    #[test]
    fn an_entry_that_does_not_come_is_an_error() {
        let list = format!("{LIST}7; 1259 12 INDEX public i me\n");
        let read = entries(&list, &script(""), &HashSet::new());
        assert_eq!(read, Err(ArchiveError::Missing(7)));
    }

    #[test]
    fn what_is_not_made_goes_with_its_comment() {
        let comment = "--\n-- TOC entry 7 (class 0 OID 0)\n-- Dependencies: 2\n-- Name: CONSTRAINT x ON t; Type: COMMENT; Schema: s; Owner: o\n--\n\nCOMMENT;\n\n-- Completed on";
        let list = format!("{LIST}7; 0 0 COMMENT public x me\n");
        let script = script("").replace("-- Completed on", comment);
        let kinds = |not_made| -> Vec<String> {
            let entries = entries(&list, &script, &not_made).unwrap();
            entries.into_iter().map(|entry| entry.kind).collect()
        };
        assert_eq!(kinds(HashSet::new()), ["FUNCTION", "CONSTRAINT", "COMMENT"]);
        assert_eq!(kinds(HashSet::from([(2606, 11)])), ["FUNCTION"]);
    }
}
