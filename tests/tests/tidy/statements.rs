//! SQL files are of ASCII alone: a database of another encoding than ours refuses a statement with a character that it has not, be
//! it in a comment.
use std::{fs, path::Path};

use walkdir::WalkDir;

use crate::source::{CRATES, root};

/// Lines of SQL with other characters.
pub(crate) fn check_all() -> Vec<String> {
    let mut wrong = Vec::new();
    // What tests send is theirs.
    for name in CRATES.iter().filter(|name| **name != "tests") {
        for entry in WalkDir::new(root().join(name).join("src")).sort_by_file_name() {
            let path = entry.expect("the house can be walked").into_path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&path).expect("a file of SQL can be read");
                wrong.extend(check(&path, &text));
            }
        }
    }
    wrong
}

fn check(path: &Path, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_ascii());
    lines.map(|(at, _)| format!("{}:{}: not ASCII", path.display(), at + 1)).collect()
}

#[test]
fn another_character_is_seen() {
    assert_eq!(check(Path::new("a.sql"), "select 1;\n-- a…z\n"), ["a.sql:2: not ASCII"]);
    assert_eq!(check(Path::new("a.sql"), "select 1; -- a...z\n"), [""; 0]);
}
