//! What the crates may depend on.
use std::fs;

use crate::source::{CRATES, root};

/// (crate, what it must not depend on)
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "proto",
        &["whimbrel-controller", "whimbrel-agent", "whimbrel-cli", "tokio-postgres", "rusqlite"],
    ),
    // It never opens a connection to a database that is being migrated.
    (
        "controller",
        &["whimbrel-agent", "whimbrel-cli", "tokio-postgres", "postgres", "postgres-protocol"],
    ),
    ("agent", &["whimbrel-controller", "whimbrel-cli", "rusqlite", "refinery"]),
    (
        "cli",
        &[
            "whimbrel-controller",
            "whimbrel-agent",
            "tokio-postgres",
            "postgres-protocol",
            "rusqlite",
            "refinery",
        ],
    ),
];

/// Crates that must not be in the tree: a second rustls provider makes a process panic at run time; openssl would be a
/// second TLS.
const NOT_IN_THE_TREE: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];

/// Every crate's Cargo.toml, and Cargo.lock.
pub(crate) fn check_all() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a manifest can be read");
    let mut wrong: Vec<String> = CRATES
        .iter()
        .chain(&["tests/points"])
        .flat_map(|krate| check_manifest(krate, &read(&format!("{krate}/Cargo.toml"))))
        .collect();
    wrong.extend(check_lock(&read("Cargo.lock")));
    wrong
}

fn check_manifest(krate: &str, text: &str) -> Vec<String> {
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let mut wrong = Vec::new();
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
    if inherits != Some(true) {
        wrong.push(format!("{krate}/Cargo.toml does not take the workspace's lints"));
    }
    let forbidden =
        FORBIDDEN.iter().find(|(name, _)| *name == krate).map_or(&[][..], |(_, list)| list);
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(kind).and_then(toml::Value::as_table) else {
            continue;
        };
        for (name, given) in dependencies {
            if forbidden.contains(&name.as_str()) {
                wrong.push(format!("{krate}/Cargo.toml: {krate} may not depend on {name}"));
            }
            if given.get("workspace").is_none() {
                wrong.push(format!(
                    "{krate}/Cargo.toml: {name} has a version of its own, not the workspace's"
                ));
            }
        }
    }
    wrong
}

fn check_lock(text: &str) -> Vec<String> {
    NOT_IN_THE_TREE
        .iter()
        .filter(|name| text.contains(&format!("name = \"{name}\"")))
        .map(|name| format!("Cargo.lock has {name}: find who brings it with cargo tree -i {name}"))
        .collect()
}

#[test]
fn a_wrong_dependency_is_seen() {
    let good = "[dependencies]\nwhimbrel-proto.workspace = true\n[lints]\nworkspace = true";
    assert_eq!(check_manifest("cli", good), Vec::<String>::new());
    let border = "[dev-dependencies]\nwhimbrel-agent.workspace = true\n[lints]\nworkspace = true";
    assert_eq!(check_manifest("cli", border).len(), 1);
    assert_eq!(check_manifest("cli", "[dependencies]\nserde = \"1\"").len(), 2);
    assert_eq!(check_lock("[[package]]\nname = \"aws-lc-rs\"\n").len(), 1);
}
