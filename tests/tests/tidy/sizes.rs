//! How long a file and a function may be. Of a program's tests only the files are counted, and inline ones not at all.
use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemMod, TraitItemFn, Visibility,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use crate::source::{Source, is_for_tests, root};

/// The hard ends; the aims are 200 and 25.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Exceptions there are. May only be lowered.
const EXCEPTIONS: usize = 0;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    #[serde(default)]
    file: Vec<Exception>,
    #[serde(default)]
    function: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    path: String,
    name: Option<String>,
    lines: usize,
    reason: String,
}

impl Exception {
    fn key(&self) -> String {
        self.name.as_ref().map_or_else(|| self.path.clone(), |name| key(&self.path, name))
    }
}

fn key(path: &str, function: &str) -> String {
    format!("{path}: fn {function}")
}

/// All sizes against the limits and the exceptions.
pub(crate) fn check_all(sources: &[Source]) -> Vec<String> {
    let text = fs::read_to_string(root().join("tests/tests/tidy_exceptions.toml"))
        .expect("the exceptions can be read");
    let exceptions: Exceptions = toml::from_str(&text).expect("the exceptions are well-formed");
    check(sources, &exceptions)
}

fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let mut sizes = (BTreeMap::new(), BTreeMap::new());
    for source in sources {
        let measured = Measured::of(source);
        sizes.0.insert(source.path.clone(), measured.file_lines);
        for (name, lines) in measured.functions {
            // Two of one name in one file: the longer one speaks.
            let longest = sizes.1.entry(key(&source.path, &name)).or_insert(0);
            *longest = lines.max(*longest);
        }
    }
    let mut wrong = judge(&sizes.0, FILE_LINES_MAX, &exceptions.file);
    wrong.extend(judge(&sizes.1, FUNCTION_LINES_MAX, &exceptions.function));
    wrong
}

fn judge(sizes: &BTreeMap<String, usize>, limit: usize, exceptions: &[Exception]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut allowed = BTreeMap::new();
    for exception in exceptions {
        let what = exception.key();
        match sizes.get(&what) {
            Some(&real) if real <= limit => {
                wrong.push(format!("exception of {what}: not needed, it has {real}"))
            }
            Some(&real) if real < exception.lines => {
                wrong.push(format!("exception of {what}: lower it to {real} lines"));
            }
            Some(_) => {}
            None => wrong.push(format!("exception of {what}: there is no such thing")),
        }
        if exception.reason.trim().is_empty() {
            wrong.push(format!("exception of {what}: no reason"));
        }
        allowed.insert(what, exception.lines);
    }
    for (what, &real) in sizes {
        let most = allowed.get(what).copied().unwrap_or(limit);
        if real > most {
            wrong.push(format!("{what}: {real} lines, and {most} are allowed: split it by verb"));
        }
    }
    wrong
}

#[test]
fn the_list_of_exceptions_only_shrinks() {
    let text = fs::read_to_string(root().join("tests/tests/tidy_exceptions.toml")).unwrap();
    let exceptions: Exceptions = toml::from_str(&text).unwrap();
    let now = exceptions.file.len() + exceptions.function.len();
    assert_eq!(now, EXCEPTIONS, "a new one? split the file instead. One less? lower the number");
}

/// What a file measures.
struct Measured {
    file_lines: usize,
    functions: Vec<(String, usize)>,
}

impl Measured {
    fn of(source: &Source) -> Self {
        let mut measured = Self { file_lines: source.text.lines().count(), functions: Vec::new() };
        measured.visit_file(&source.file);
        if source.is_test && source.krate() != "tests" {
            measured.functions.clear();
        }
        measured
    }

    fn add(&mut self, attributes: &[Attribute], name: &syn::Ident, block: &Block) {
        if is_for_tests(attributes) {
            return;
        }
        let lines = block.span().end().line - name.span().start().line + 1;
        self.functions.push((name.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Measured {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_some() && is_for_tests(&module.attrs) {
            let first = match &module.vis {
                Visibility::Inherited => module.mod_token.span(),
                shown => shown.span(),
            };
            self.file_lines -= module.span().end().line - first.start().line + 1;
            return;
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(&function.attrs, &function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(&function.attrs, &function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.attrs, &function.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    work();\n".repeat(lines - 2))
    }

    fn wrong(text: &str, exceptions: &str) -> Vec<String> {
        check(&[Source::parse("agent/src/a.rs", text)], &toml::from_str(exceptions).unwrap())
    }

    fn exception(kind: &str, name: &str, lines: usize) -> String {
        format!("[[{kind}]]\npath = 'agent/src/a.rs'\n{name}\nlines = {lines}\nreason = 'because'")
    }

    #[test]
    fn a_long_function_is_seen() {
        assert!(wrong(&function("f", 70), "").is_empty());
        assert_eq!(wrong(&function("f", 71), "").len(), 1);
        let method = format!("struct S; impl S {{ {} }}", function("f", 71));
        assert_eq!(wrong(&method, "").len(), 1);
    }

    #[test]
    fn a_long_file_is_seen_and_its_tests_are_not_counted() {
        let many = function("f", 50).repeat(10);
        assert!(wrong(&many, "").is_empty());
        assert_eq!(wrong(&format!("{many}fn g() {{}}"), "").len(), 1);
        let tests = format!("{many}#[cfg(test)]\nmod tests {{\n{}}}\n", function("t", 80));
        // The attribute's own line stays.
        assert!(wrong(&tests.replacen("    work();\n", "", 1), "").is_empty());
    }

    #[test]
    fn an_exception_must_be_exact() {
        let long = function("f", 80);
        assert!(wrong(&long, &exception("function", "name = 'f'", 80)).is_empty());
        assert_eq!(wrong(&long, &exception("function", "name = 'f'", 79)).len(), 1);
        assert_eq!(wrong(&long, &exception("function", "name = 'f'", 81)).len(), 1);
        assert_eq!(wrong(&function("f", 70), &exception("function", "name = 'f'", 71)).len(), 1);
        assert_eq!(wrong("fn g() {}", &exception("function", "name = 'f'", 71)).len(), 1);
        assert_eq!(wrong("fn g() {}", &exception("file", "", 501)).len(), 1);
    }
}
