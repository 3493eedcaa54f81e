//! The house's own source files, parsed.
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item};
use walkdir::WalkDir;

/// The crates of the house; `tests` has one more inside.
pub(crate) const CRATES: [&str; 5] = ["proto", "controller", "agent", "cli", "tests"];

/// One file.
pub(crate) struct Source {
    /// From the workspace's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) file: syn::File,
    /// Only compiled for tests.
    pub(crate) is_test: bool,
}

impl Source {
    /// Every file of every crate.
    pub(crate) fn all() -> Vec<Self> {
        let mut sources = Vec::new();
        for name in CRATES {
            for entry in WalkDir::new(root().join(name)).sort_by_file_name() {
                let path = entry.expect("the house can be walked").into_path();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    sources.push(Self::read(&path));
                }
            }
        }
        let only_for_tests: BTreeSet<String> =
            sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            source.is_test |= only_for_tests.iter().any(|module| {
                source.path == format!("{module}.rs")
                    || source.path.starts_with(&format!("{module}/"))
            });
        }
        sources
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source file can be read");
        let relative = path.strip_prefix(root()).expect("inside the house");
        Self::parse(&relative.to_string_lossy(), &text)
    }

    /// A file that may exist only in a test of the rules.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).map_err(|error| format!("{path}: {error}"));
        let file = parsed.expect("a source file is Rust");
        let is_test = path.starts_with("tests/") || path.split('/').any(|part| part == "tests");
        Self { path: path.to_owned(), text: text.to_owned(), file, is_test }
    }

    /// The crate's folder.
    pub(crate) fn krate(&self) -> &str {
        self.path.split('/').next().unwrap_or("")
    }

    /// The module's path inside the crate: `store`, `sqlite` for `controller/src/store/sqlite.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside);
        let mut parts: Vec<String> =
            inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            parts.pop();
        }
        parts
    }

    /// `#[cfg(test)] mod name;`: where the file of such a module is, without its ending.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let base = if ["mod", "lib", "main"].contains(&name) { folder } else { stem };
        let modules = self.file.items.iter().filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() && is_for_tests(&module.attrs) => {
                Some(format!("{base}/{}", module.ident))
            }
            _ => None,
        });
        modules.collect()
    }
}

/// Is there a `#[cfg(test)]`, or one with `test` in an `any`/`all`; or a `#[test]`?
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        let Ok(list) = attribute.meta.require_list() else { return false };
        let words = list.tokens.to_string();
        list.path.is_ident("cfg")
            && !words.contains("not")
            && words.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
    })
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the house").to_owned()
}

#[test]
fn a_module_knows_its_place_and_its_tests() {
    let source =
        Source::parse("controller/src/store/mod.rs", "#[cfg(test)] mod conformance; mod sqlite;");
    assert_eq!(source.module(), ["store"]);
    assert_eq!(source.test_modules(), ["controller/src/store/conformance"]);
    let source = Source::parse("agent/src/link.rs", "#[cfg(any(test, feature = \"x\"))] mod fake;");
    assert_eq!(source.test_modules(), ["agent/src/link/fake"]);
    assert!(Source::parse("agent/src/link/tests.rs", "").path.contains("tests"));
}
