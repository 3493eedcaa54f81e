//! The border is read by people who never see our code: what is in it says what it is.
use std::fs;

use walkdir::WalkDir;

use crate::source::root;

/// Every .proto file.
pub(crate) fn check_all() -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in WalkDir::new(root().join("proto/whimbrel")).sort_by_file_name() {
        let path = entry.expect("proto/ can be walked").into_path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            let text = fs::read_to_string(&path).expect("a .proto file can be read");
            let shown = path.strip_prefix(root()).expect("inside the house").display().to_string();
            wrong.extend(check(&shown, &text));
        }
    }
    wrong
}

/// Every file and service says what it is for; in the operators' package the messages and enums at the top, and the
/// calls, do too. Requests and responses are explained by their call, and a call whose name says all (Get, List, Create,
/// …) needs nothing more.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("// ") {
        wrong.push(format!("{path}: begins without saying what it is for"));
    }
    let public = path.contains("whimbrel/v1/");
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        if needs_comment(line, public) && !before.trim_start().starts_with("//") {
            wrong.push(format!("{path}:{}: no comment in front of: {}", number + 1, line.trim()));
        }
        before = line;
    }
    wrong
}

fn needs_comment(line: &str, public: bool) -> bool {
    let mut words = line.split([' ', '(']).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some("service"), Some(_)) => true,
        _ if !public => false,
        (Some("message" | "enum"), Some(name)) => {
            let explained = name.ends_with("Request") || name.ends_with("Response");
            !line.starts_with(' ') && !explained
        }
        (Some("rpc"), Some(name)) => !["Get", "List", "Create", "Update", "Pause", "Resume"]
            .iter()
            .any(|verb| name.starts_with(verb)),
        _ => false,
    }
}

#[test]
fn a_missing_comment_is_seen() {
    let text = "syntax = \"proto3\";\nservice S {\n  rpc Drain(DrainRequest) returns (A);\n}\nmessage A {\n}\n";
    assert_eq!(check("proto/whimbrel/v1/a.proto", text).len(), 4);
    let text = "// A.\nsyntax = \"proto3\";\n// S.\nservice S {\n  // D.\n  rpc Drain(DrainRequest) returns (A);\n}\n
message DrainRequest {}\n// A.\nmessage A {\n  enum State {}\n}\n";
    assert_eq!(check("proto/whimbrel/v1/a.proto", text), Vec::<String>::new());
}
