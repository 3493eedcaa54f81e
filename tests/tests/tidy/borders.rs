//! Which room may use what. A rule speaks of absolute paths: `use super::super::target` is seen as `crate::target`.
use std::collections::BTreeSet;

use syn::{
    ExprMethodCall, ItemMod, ItemUse, Path, UseTree,
    visit::{self, Visit},
};

use crate::source::{Source, is_for_tests};

/// A room, and what it must not use. A name that ends in `*` stands for all that begin so.
struct Rule {
    /// Crate and module path.
    room: &'static str,
    forbidden: &'static [&'static str],
}

/// Clocks, chance and the outer world: a pure room is given what it needs of them.
const IMPURE: &[&str] = &[
    "tokio*",
    "tonic*",
    "rusqlite",
    "refinery",
    "tracing",
    "rand",
    "hyper*",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "*Instant::now",
    "*SystemTime::now",
    "*Timestamp::now",
    "*Zoned::now",
    "*Uuid::new_v4",
    "*Uuid::now_v7",
];

const RULES: &[Rule] = &[
    Rule { room: "controller::migration", forbidden: IMPURE },
    Rule {
        room: "controller::migration",
        forbidden: &["crate::store", "crate::fleet", "crate::driver", "crate::rpc"],
    },
    Rule {
        room: "controller::store",
        forbidden: &["tonic*", "crate::fleet", "crate::driver", "crate::rpc"],
    },
    Rule {
        room: "controller::fleet",
        forbidden: &["rusqlite", "crate::rpc", "crate::migration::step*"],
    },
    Rule { room: "controller::driver", forbidden: &["tonic*", "rusqlite", "crate::rpc"] },
    // It translates: only the driver and the fleet change anything.
    Rule {
        room: "controller::rpc",
        forbidden: &["rusqlite", "crate::migration::step*", ".commit"],
    },
    Rule {
        room: "controller",
        forbidden: &["tokio_postgres", "postgres*", "whimbrel_agent", "whimbrel_cli"],
    },
    Rule { room: "agent::replication::pgoutput", forbidden: IMPURE },
    Rule {
        room: "agent::replication::pgoutput",
        forbidden: &["crate::postgres", "crate::source", "crate::target"],
    },
    Rule {
        room: "agent::replication",
        forbidden: &["crate::source", "crate::target", "crate::link", "crate::task"],
    },
    Rule {
        room: "agent::postgres",
        forbidden: &["crate::source", "crate::target", "crate::link", "crate::task"],
    },
    Rule {
        room: "agent::source",
        forbidden: &["crate::target", "crate::link", "crate::task", "tonic*"],
    },
    Rule {
        room: "agent::target",
        forbidden: &["crate::source", "crate::link", "crate::task", "tonic*"],
    },
    Rule {
        room: "agent::wire",
        forbidden: &[
            "crate::source",
            "crate::target",
            "crate::link",
            "crate::postgres",
            "tokio_postgres",
        ],
    },
    Rule { room: "agent::preflight", forbidden: &["crate::link", "tonic*"] },
    Rule { room: "agent::verify", forbidden: &["crate::link", "tonic*"] },
    // They answer of one side at a time, and write nothing.
    Rule {
        room: "agent::compare",
        forbidden: &["crate::target", "crate::cutover", "crate::link", "tonic*"],
    },
    Rule {
        room: "agent::report",
        forbidden: &["crate::source", "crate::target", "crate::cutover", "crate::link", "tonic*"],
    },
    // It sees no row: sums and documents come from the agents.
    Rule {
        room: "controller::compare",
        forbidden: &["crate::rpc", "crate::migration::step*", ".commit"],
    },
    // From an old form and a new one to statements: nothing is asked.
    Rule {
        room: "agent::target::ddl",
        forbidden: &["tokio*", "tokio_postgres", "crate::postgres::Client"],
    },
    Rule { room: "agent::cutover", forbidden: &["crate::link", "tonic*"] },
    Rule { room: "agent::link", forbidden: &["tokio_postgres", "crate::source", "crate::target"] },
    Rule { room: "agent", forbidden: &["rusqlite", "whimbrel_controller", "whimbrel_cli"] },
    Rule {
        room: "cli",
        forbidden: &["whimbrel_controller", "whimbrel_agent", "tokio_postgres", "rusqlite"],
    },
    Rule { room: "tests", forbidden: &["whimbrel_controller", "whimbrel_agent", "whimbrel_cli"] },
];

/// The one thing of the link that rooms below it are given: may we still destroy?
const LEASE: [&str; 2] = ["crate::link::Lease", "crate::link::LeaseLost"];

/// Where a file uses what its room must not.
pub(crate) fn check(source: &Source) -> Vec<String> {
    // A test of a room may start what it likes.
    if source.is_test && source.krate() != "tests" {
        return Vec::new();
    }
    let module = source.module();
    let room = [&[source.krate().to_owned()], &module[..]].concat().join("::");
    let mut seen = Seen { module, paths: BTreeSet::new() };
    seen.visit_file(&source.file);
    let mut wrong = Vec::new();
    for rule in RULES.iter().filter(|rule| within(&room, rule.room)) {
        for path in seen.paths.iter().filter(|path| !LEASE.contains(&path.as_str())) {
            if rule.forbidden.iter().any(|pattern| matches(path, pattern)) {
                wrong.push(format!("{}: {} may not use {path}", source.path, rule.room));
            }
        }
    }
    wrong
}

/// Is `path` the room, or in it?
fn within(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn matches(path: &str, pattern: &str) -> bool {
    if let Some(end) = pattern.strip_prefix('*') {
        return path == end || path.ends_with(&format!("::{end}"));
    }
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => within(path, pattern),
    }
}

/// Every path that a file names, made absolute where it begins with `self`, `super` or `crate`.
struct Seen {
    module: Vec<String>,
    paths: BTreeSet<String>,
}

impl Seen {
    fn see(&mut self, parts: &[String]) {
        let mut base = self.module.clone();
        let mut relative = false;
        let mut rest = parts;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => base.clear(),
                "self" => {}
                "super" => drop(base.pop()),
                _ => break,
            }
            relative = true;
            rest = others;
        }
        let whole = if relative {
            [&["crate".to_owned()], &base[..], rest].concat()
        } else {
            rest.to_vec()
        };
        self.paths.insert(whole.join("::"));
    }

    fn see_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.see_tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) if name.ident == "self" => self.see(before),
            UseTree::Name(name) => self.see(&with(name.ident.to_string())),
            UseTree::Rename(rename) => self.see(&with(rename.ident.to_string())),
            UseTree::Glob(_) => self.see(before),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.see_tree(before, tree))
            }
        }
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if is_for_tests(&module.attrs) || module.content.is_none() {
            return;
        }
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.see_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let parts: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.see(&parts);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.paths.insert(format!(".{}", call.method));
        visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn a_crossed_border_is_seen() {
    let crossed = [
        ("controller/src/migration/step.rs", "use tokio::time::sleep;"),
        ("controller/src/migration/step.rs", "fn now() { let _ = std::time::Instant::now(); }"),
        (
            "controller/src/migration/step.rs",
            "use std::time::Instant; fn now() { Instant::now(); }",
        ),
        (
            "controller/src/migration/step.rs",
            "fn now() -> jiff::Timestamp { jiff::Timestamp::now() }",
        ),
        ("controller/src/migration/step.rs", "use super::super::store::Store;"),
        ("controller/src/migration/mod.rs", "mod inner { use crate::{rpc, driver as d}; }"),
        ("controller/src/rpc/migration.rs", "fn act(s: S) { s.store.commit(change); }"),
        ("controller/src/driver/dispatch.rs", "fn act() -> Result<(), rusqlite::Error> { Ok(()) }"),
        ("controller/src/lib.rs", "use tokio_postgres::Client;"),
        ("agent/src/source/copy.rs", "use super::super::target::ledger;"),
        ("agent/src/target/apply.rs", "fn f() { crate::source::start(); }"),
        ("agent/src/replication/pgoutput/decode.rs", "use tokio::io::AsyncRead;"),
        ("cli/src/main.rs", "use whimbrel_controller::store;"),
    ];
    for (path, text) in crossed {
        assert!(!check(&Source::parse(path, text)).is_empty(), "{path}: {text}");
    }
    let kept = [
        ("controller/src/migration/step.rs", "use super::phase::Phase; use jiff::Timestamp;"),
        ("controller/src/migration/step.rs", "#[cfg(test)] mod tests { use std::time::Instant; }"),
        ("controller/src/storekeeper.rs", "use crate::rpc;"),
        ("agent/src/source/copy.rs", "use crate::{wire::Frame, postgres::Client};"),
        ("agent/src/source/copy.rs", "fn f(target: u32) { let target = target; }"),
    ];
    for (path, text) in kept {
        assert_eq!(check(&Source::parse(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}
