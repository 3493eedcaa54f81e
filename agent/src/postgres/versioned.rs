//! SQL for servers of several versions, in one text.
//!
//! What only some versions have stands on a line of its own that ends with a mark: `-- since 12`, `-- before 12`, or both,
//! `-- since 12 before 15`. A server gets the lines without a mark, and those whose mark holds for its major version (9 for
//! 9.6). So every difference is told where it is:
//!
//! ```sql
//! select a.attname,
//!        a.attgenerated  -- since 12
//!        ''              -- before 12
//! from pg_attribute a
//! ```
//!
//! [`super::Client::sql`] chooses for the server at the other end; a check's `ask` has done it already. Sent without it, a text
//! like that is a syntax error on every server. Where only a column is newer, `to_jsonb(row) ->> 'column'` does too.
use std::borrow::Cow;

/// What `sql` is for a server of this `server_version_num`.
#[must_use]
pub fn for_version(sql: &str, server_version_num: u32) -> Cow<'_, str> {
    let major = server_version_num / 10_000;
    if sql.lines().all(|line| mark(line).is_none()) {
        return Cow::Borrowed(sql);
    }
    let mut chosen = String::with_capacity(sql.len());
    for line in sql.lines() {
        match mark(line) {
            None => chosen.push_str(line),
            Some((text, since, before)) if (since..before).contains(&major) => {
                chosen.push_str(text)
            }
            Some(_) => continue,
        }
        chosen.push('\n');
    }
    Cow::Owned(chosen)
}

/// The text before a line's mark, and the majors from and below which it holds.
fn mark(line: &str) -> Option<(&str, u32, u32)> {
    let (text, mark) = line.rsplit_once("--")?;
    let words: Vec<&str> = mark.split_whitespace().collect();
    match words.as_slice() {
        ["since", since] => Some((text, since.parse().ok()?, u32::MAX)),
        ["before", before] => Some((text, 0, before.parse().ok()?)),
        ["since", since, "before", before] => {
            Some((text, since.parse().ok()?, before.parse().ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_its_lines() {
        let sql = "-- Old and new.\nselect a, -- why\n  b -- since 12\n  '' -- before 12\nfrom c -- since 10 before 14\n";
        let words = |version| {
            let chosen = for_version(sql, version);
            chosen.split_whitespace().skip(8).map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(90_624), "''");
        assert_eq!(words(110_022), "'' from c");
        assert_eq!(words(120_000), "b from c");
        assert_eq!(words(180_004), "b");
        assert!(for_version(sql, 180_004).starts_with("-- Old and new.\nselect a, -- why\n"));
    }

    #[test]
    fn a_text_without_marks_is_left_alone() {
        let sql = "-- Since 15.\nselect 1 -- before we go";
        assert!(matches!(for_version(sql, 150_000), Cow::Borrowed(text) if text == sql));
    }
}
