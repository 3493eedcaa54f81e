//! Calls and names that the house does without.
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    ExprMethodCall, ImplItemFn, ItemFn, ItemMod, ItemUse, Macro, Path, UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use crate::source::{Source, is_for_tests};

/// Macros that are left-overs wherever they are.
const MACROS: [(&str, &str); 3] = [
    ("todo", "write it, or refuse with a code"),
    ("unimplemented", "write it, or refuse with a code"),
    ("dbg", "take it out"),
];

/// (end of a path, what to do instead)
const PATHS: [(&str, &str); 3] = [
    ("unbounded_channel", "every queue has a bound"),
    ("env::set_var", "pass the value on: a race with every reader of the environment"),
    ("env::remove_var", "pass the value on: a race with every reader of the environment"),
];

/// Rooms that everything falls into.
const MODULES: [&str; 8] =
    ["utils", "util", "common", "manager", "helpers", "helper", "types", "misc"];

/// What a file has that it should not. What is only compiled for tests may unwrap.
pub(crate) fn check(source: &Source) -> Vec<String> {
    let mut found = Found { source, wrong: Vec::new(), may_print: may_print(source) };
    for part in source.module().iter().filter(|part| MODULES.contains(&part.as_str())) {
        found
            .wrong
            .push(format!("{}: a module named {part} says nothing of what is in it", source.path));
    }
    // The harness is no test by itself, but nothing that an operator runs.
    if !source.is_test || source.path.starts_with("tests/src/") {
        found.visit_file(&source.file);
    }
    found.wrong
}

/// The CLI's trade is printing; a daemon's `main` prints its one line; a build script talks to cargo.
fn may_print(source: &Source) -> bool {
    ["cli", "tests"].contains(&source.krate())
        || source.path.ends_with("/main.rs")
        || source.path.ends_with("build.rs")
}

struct Found<'a> {
    source: &'a Source,
    wrong: Vec<String>,
    may_print: bool,
}

impl Found<'_> {
    fn add(&mut self, line: usize, what: &str, instead: &str) {
        self.wrong.push(format!("{}:{line}: {what}: {instead}", self.source.path));
    }

    fn check_macro_name(&mut self, line: usize, name: &str) {
        if let Some((name, instead)) = MACROS.iter().find(|(banned, _)| *banned == name) {
            self.add(line, &format!("{name}!"), instead);
        }
        if ["println", "print"].contains(&name) && !self.may_print {
            self.add(line, &format!("{name}!"), "a library is silent; log with tracing");
        }
    }

    /// A macro's arguments are tokens to the parser; calls in them count too.
    fn check_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.check_tokens(group.stream()),
                TokenTree::Ident(name) if is_punct(tokens.get(at + 1), '!') => {
                    self.check_macro_name(name.span().start().line, &name.to_string());
                }
                TokenTree::Ident(name)
                    if name == "unwrap" && at > 0 && is_punct(tokens.get(at - 1), '.') =>
                {
                    self.add(name.span().start().line, "unwrap()", UNWRAP);
                }
                TokenTree::Ident(name) if name == "unbounded_channel" => {
                    self.add(name.span().start().line, "unbounded_channel", PATHS[0].1);
                }
                _ => {}
            }
        }
    }

    fn check_path(&mut self, line: usize, path: &str) {
        for (end, instead) in PATHS {
            if path == end || path.ends_with(&format!("::{end}")) {
                self.add(line, end, instead);
            }
        }
    }

    fn check_use(&mut self, before: &str, tree: &UseTree) {
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(path) => self.check_use(&format!("{before}::{}", path.ident), &path.tree),
            UseTree::Name(name) => self.check_path(line, &format!("{before}::{}", name.ident)),
            UseTree::Rename(name) => self.check_path(line, &format!("{before}::{}", name.ident)),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.check_use(before, tree))
            }
            UseTree::Glob(_) => {}
        }
    }
}

const UNWRAP: &str = "handle it, or expect(\"the invariant that holds\")";

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

impl<'ast> Visit<'ast> for Found<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "unwrap" && call.args.is_empty() {
            self.add(call.method.span().start().line, "unwrap()", UNWRAP);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(name) = call.path.segments.last() {
            self.check_macro_name(name.ident.span().start().line, &name.ident.to_string());
        }
        self.check_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.check_use("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let whole: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.check_path(path.span().start().line, &whole.join("::"));
        visit::visit_path(self, path);
    }
}

#[test]
fn what_is_banned_is_seen() {
    let banned = [
        "fn f() { x.unwrap(); }",
        "fn f() { tokio::select! { _ = a => b.unwrap(), } }",
        "fn f() { if a { todo!() } }",
        "fn f() { unimplemented!(\"later\") }",
        "fn f() { g(dbg!(x)); }",
        "fn f() { format!(\"{}\", todo!()); }",
        "fn f() { println!(\"x\"); }",
        "fn f() { std::env::set_var(\"a\", \"b\"); }",
        "use std::{env::set_var, fs};",
        "use tokio::sync::mpsc::unbounded_channel;",
        "fn f() { let (a, b) = mpsc::unbounded_channel(); }",
    ];
    for text in banned {
        assert_eq!(check(&Source::parse("agent/src/a.rs", text)).len(), 1, "{text}");
    }
    assert_eq!(check(&Source::parse("agent/src/link/utils.rs", "")).len(), 1);
    assert_eq!(check(&Source::parse("agent/src/types/mod.rs", "")).len(), 1);
}

#[test]
fn what_is_allowed_is_let_through() {
    let allowed = [
        ("agent/src/a.rs", "#[cfg(test)] mod tests { fn f() { x.unwrap(); } }"),
        ("agent/src/a.rs", "#[test] fn f() { x.unwrap(); }"),
        ("agent/src/a.rs", "fn f() { x.unwrap_or_default(); unwrap(x); }"),
        ("agent/src/main.rs", "fn main() { println!(\"ready\"); }"),
        ("cli/src/render.rs", "fn f() { println!(\"ready\"); }"),
        ("agent/tests/a.rs", "fn f() { x.unwrap(); }"),
    ];
    for (path, text) in allowed {
        assert_eq!(check(&Source::parse(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}
