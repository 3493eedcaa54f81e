//! `ERRORS.md` lists every stable code that a program can show, and none that no program shows any more.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use syn::{
    Attribute, Expr, ExprCall, ExprLit, ExprMethodCall, ExprTuple, FieldValue, ImplItemFn, ItemFn,
    ItemMod, Lit, LitStr, Local, Macro, Member, Pat, Token,
    parse::Parser as _,
    punctuated::Punctuated,
    visit::{self, Visit},
};

use crate::source::{Source, is_for_tests, root};

/// The programs. What a test or the harness says is no code of ours.
const PROGRAMS: [&str; 3] = ["agent", "controller", "cli"];

/// Functions and closures that are given a code: faults, findings, refusals, gRPC errors.
const FUNCTIONS: [&str; 11] = [
    "new",
    "hold",
    "retry",
    "away",
    "resync",
    "failed",
    "warning",
    "note",
    "refuse",
    "with_metadata",
    "taken",
];

/// Methods that are given one.
const METHODS: [&str; 1] = ["refuse"];

/// Names that only ever hold a code.
const HOLD_A_CODE: [&str; 2] = ["code", "reason"];

/// What is wrong between the sources and the table.
pub(crate) fn check_all(sources: &[Source]) -> Vec<String> {
    let table = fs::read_to_string(root().join("ERRORS.md")).expect("ERRORS.md can be read");
    let programs: Vec<&Source> = sources
        .iter()
        .filter(|source| !source.is_test && PROGRAMS.contains(&source.krate()))
        .collect();
    compare(&shown(&programs), &table)
}

/// Each code, and one place that shows it.
fn shown(sources: &[&Source]) -> BTreeMap<String, String> {
    let mut codes = BTreeMap::new();
    for source in sources {
        let mut found = Found { source, codes: BTreeMap::new() };
        found.visit_file(&source.file);
        codes.extend(found.codes);
    }
    codes
}

fn compare(shown: &BTreeMap<String, String>, table: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut listed = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let code = cells[0].trim_matches('`');
        if cells.len() != 3 || cells.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("ERRORS.md: {code}: not three cells: code, meaning, what to do"));
        }
        if !listed.insert(code) {
            wrong.push(format!("ERRORS.md: {code} is there twice"));
        }
        if !shown.contains_key(code) {
            wrong.push(format!("ERRORS.md: {code}: no program shows it any more"));
        }
    }
    for (code, place) in shown.iter().filter(|(code, _)| !listed.contains(code.as_str())) {
        wrong.push(format!("{place}: {code} is not in ERRORS.md"));
    }
    wrong
}

/// `PascalCase`: one word or more, nothing else.
fn is_code(text: &str) -> bool {
    text.len() > 3
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.contains(|c: char| c.is_ascii_lowercase())
}

struct Found<'a> {
    source: &'a Source,
    codes: BTreeMap<String, String>,
}

impl Found<'_> {
    fn add(&mut self, text: &LitStr) {
        if is_code(&text.value()) {
            let place = format!("{}:{}", self.source.path, text.span().start().line);
            self.codes.insert(text.value(), place);
        }
    }

    fn add_arguments<'e>(&mut self, arguments: impl IntoIterator<Item = &'e Expr>) {
        arguments.into_iter().filter_map(text).for_each(|text| self.add(text));
    }

    /// `fn code` gives nothing else.
    fn add_all_of(&mut self, name: &str, block: &syn::Block) {
        if name == "code" || name.ends_with("_code") {
            let mut all = Texts(Vec::new());
            all.visit_block(block);
            all.0.iter().for_each(|text| self.add(text));
        }
    }

    /// `"…: JoinTokenWrongController: …"`: an error whose text has its code in it.
    fn add_from_message(&mut self, attribute: &Attribute) {
        let Ok(list) = attribute.meta.require_list() else { return };
        let Ok(message) = list.parse_args::<LitStr>() else { return };
        if attribute.path().is_ident("error") {
            for word in message.value().split(' ').filter_map(|word| word.strip_suffix(':')) {
                let humps = word.chars().filter(char::is_ascii_uppercase).count();
                if humps > 1 && is_code(word) {
                    self.add(&LitStr::new(word, message.span()));
                }
            }
        }
    }
}

/// A text, also one that is turned into another type.
fn text(expression: &Expr) -> Option<&LitStr> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        Expr::MethodCall(call) if call.args.is_empty() => text(&call.receiver),
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Found<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_for_tests(&function.attrs) {
            self.add_all_of(&function.sig.ident.to_string(), &function.block);
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add_all_of(&function.sig.ident.to_string(), &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = call.func.as_ref()
            && let Some(name) = path.path.segments.last()
            && FUNCTIONS.iter().any(|function| name.ident == function)
        {
            self.add_arguments(&call.args);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if METHODS.iter().any(|method| call.method == method) {
            self.add_arguments(&call.args);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_field_value(&mut self, field: &'ast FieldValue) {
        if let Member::Named(name) = &field.member
            && HOLD_A_CODE.iter().any(|holder| name == holder)
            && let Some(text) = text(&field.expr)
        {
            self.add(text);
        }
        visit::visit_field_value(self, field);
    }

    /// `let (status, code) = match … { … => (NotFound, "NoSuchThing") }`.
    fn visit_local(&mut self, local: &'ast Local) {
        if let (Pat::Tuple(pattern), Some(init)) = (&local.pat, &local.init) {
            for (at, element) in pattern.elems.iter().enumerate() {
                let Pat::Ident(name) = element else { continue };
                if HOLD_A_CODE.iter().any(|holder| name.ident == holder) {
                    let mut tuples = Tuples { at, width: pattern.elems.len(), found: Vec::new() };
                    tuples.visit_expr(&init.expr);
                    tuples.found.iter().for_each(|text| self.add(text));
                }
            }
        }
        visit::visit_local(self, local);
    }

    /// `vec![Found::failed("…")]`: what is in it is tokens to the parser.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated;
        for expression in list.parse2(call.tokens.clone()).into_iter().flatten() {
            let mut inside = Found { source: self.source, codes: BTreeMap::new() };
            inside.visit_expr(&expression);
            self.codes.append(&mut inside.codes);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.add_from_message(attribute);
    }
}

/// Every text.
struct Texts(Vec<LitStr>);

impl<'ast> Visit<'ast> for Texts {
    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.0.push(text.clone());
    }
}

/// The texts at one place of every tuple of one width.
struct Tuples {
    at: usize,
    width: usize,
    found: Vec<LitStr>,
}

impl<'ast> Visit<'ast> for Tuples {
    fn visit_expr_tuple(&mut self, tuple: &'ast ExprTuple) {
        if tuple.elems.len() == self.width
            && let Some(text) = text(&tuple.elems[self.at])
        {
            self.found.push(text.clone());
        }
        visit::visit_expr_tuple(self, tuple);
    }
}

#[test]
fn every_way_to_show_a_code_is_seen() {
    let ways = [
        "fn f() { Fault::hold(\"ItBroke\", format!(\"x\")) }",
        "fn f() { Fault::new(Policy::Fail, \"ItBroke\", \"No message\") }",
        "fn f() { g(Self::retry(\"ItBroke\", x).remedy(\"Do it\")) }",
        "fn f() { Some((Found::warning(\"ItBroke\", m), name)) }",
        "fn f() { Ok(vec![Found::failed(\"ItBroke\", m).object(o), other]) }",
        "fn f() { Err(self.refuse(\"ItBroke\", m)) }",
        "fn f() { let no = |m: &str| refuse(Code::NotFound, \"ItBroke\", m); }",
        "fn f() { Failure { code: \"ItBroke\".to_owned(), message: \"Longer\" } }",
        "fn f() { let (status, reason) = match e { A => (Code::X, \"ItBroke\"), B => return g() }; }",
        "impl E { const fn code(&self) -> &'static str { match self { Self::A => \"ItBroke\" } } }",
        "fn sqlstate_code(s: &S) -> &'static str { if a { \"ItBroke\" } else { b } }",
        "#[derive(Debug)] enum E { #[error(\"doing it at {place}: ItBroke: a cause\")] A { place: String } }",
    ];
    for way in ways {
        let source = Source::parse("agent/src/a.rs", way);
        let found: Vec<String> = shown(&[&source]).into_keys().filter(|c| c == "ItBroke").collect();
        assert_eq!(found, ["ItBroke"], "{way}");
    }
    let tests = "#[cfg(test)] mod tests { fn f() { Fault::hold(\"ItBroke\", m) } }";
    assert!(shown(&[&Source::parse("agent/src/a.rs", tests)]).is_empty());
}

#[test]
fn a_code_too_few_too_many_or_without_a_remedy_is_seen() {
    let shown = BTreeMap::from([("ItBroke".to_owned(), "agent/src/a.rs:1".to_owned())]);
    let row = "| `ItBroke` | it is broken | mend it |\n";
    assert_eq!(compare(&shown, row), Vec::<String>::new());
    assert_eq!(compare(&shown, "").len(), 1, "missing");
    assert_eq!(compare(&shown, &format!("{row}| `Gone` | it was | nothing |")).len(), 1, "gone");
    assert_eq!(compare(&shown, &format!("{row}{row}")).len(), 1, "twice");
    assert_eq!(compare(&shown, "| `ItBroke` | it is broken | |").len(), 1, "no remedy");
}
