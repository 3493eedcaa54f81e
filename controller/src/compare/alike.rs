//! Whether two documents of an object say the same: facts by name, without what another version of PostgreSQL writes in
//! other words, and without what only comes with the cutover.
use std::collections::BTreeMap;

use whimbrel_proto::v1::FactDifference;

use super::respelled::respelled;

/// What differs, and what will not once the cutover is done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Judged {
    pub(super) differing: Vec<FactDifference>,
    pub(super) pending: Vec<FactDifference>,
}

/// Made in the transaction of the switch, or with it: they would act on our own writes.
const WITH_THE_CUTOVER: [&str; 6] =
    ["trigger", "rule", "policy", "event trigger", "publication", "sequence value"];

/// Whether the object is made by the cutover.
pub(super) fn comes_with_the_cutover(kind: &str, facts: &[String]) -> bool {
    WITH_THE_CUTOVER.contains(&kind)
        || kind == "constraint" && facts.iter().any(|f| f.starts_with("definition: FOREIGN KEY"))
}

/// Compares fact by fact.
pub(super) fn differences(
    kind: &str,
    source: &[String],
    target: &[String],
    same_major: bool,
    following: bool,
) -> Judged {
    let (source, target) = (by_name(source), by_name(target));
    let mut names: Vec<&str> = source.keys().chain(target.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let mut judged = Judged::default();
    for fact in names {
        let ours = source.get(fact).copied().unwrap_or_default();
        let theirs = target.get(fact).copied().unwrap_or_default();
        let is_same = ours == theirs
            || respelled(ours) == respelled(theirs)
            || !same_major && is_alike(kind, fact, ours, theirs);
        if is_same {
            continue;
        }
        let difference = FactDifference {
            fact: fact.to_owned(),
            source: ours.to_owned(),
            target: theirs.to_owned(),
        };
        if following && is_pending(kind, fact, ours, theirs) {
            judged.pending.push(difference);
        } else {
            judged.differing.push(difference);
        }
    }
    judged
}

fn by_name(facts: &[String]) -> BTreeMap<&str, &str> {
    facts.iter().map(|fact| fact.split_once(": ").unwrap_or((fact, ""))).collect()
}

/// Whether the switch will make it equal.
fn is_pending(kind: &str, fact: &str, source: &str, target: &str) -> bool {
    match (kind, fact) {
        (kind, _) if WITH_THE_CUTOVER.contains(&kind) => true,
        ("table", "row security") | ("view", "populated") => true,
        ("database", fact) => fact.starts_with("setting ") || matches!(fact, "rights" | "comment"),
        // Of what is built behind the rows, comments are written last.
        ("index" | "constraint" | "statistics", "comment") => true,
        // The stream's UPDATEs may set it until then.
        ("table", fact) if fact.starts_with("column ") => {
            source.replace("identity always", "identity by default") == target
        }
        _ => false,
    }
}

/// Between two major versions: the same in other words.
fn is_alike(kind: &str, fact: &str, source: &str, target: &str) -> bool {
    match (kind, fact) {
        // An extension is made in the version that the server has.
        ("extension", "version") => true,
        // From 16 on a collation's locale is written in its standard form: de-u-kn is de-u-kn-true.
        ("other", "definition") => {
            source.replace("-true", "") == target.replace("-true", "")
                || plain(source) == plain(target)
        }
        _ => plain(source) == plain(target),
    }
}

/// An expression or a query without blanks, brackets and the qualification of names, all of which versions of
/// PostgreSQL write differently; what is quoted stays as it is.
fn plain(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\'' | '"' => {
                let mut quoted = String::from(next);
                for inner in chars.by_ref() {
                    quoted.push(inner);
                    if inner == next {
                        break;
                    }
                }
                words.push(quoted);
            }
            word if is_of_word(word) => {
                let mut whole = String::from(word);
                while let Some(more) = chars.next_if(|more| is_of_word(*more)) {
                    whole.push(more);
                }
                words.push(whole.to_lowercase());
            }
            blank if blank.is_whitespace() || "()".contains(blank) => {}
            '.' if words.last().is_some_and(|word| is_name(word)) => {
                words.pop();
            }
            other => words.push(other.to_string()),
        }
    }
    // 11 renamed it.
    words.join(" ").replace("execute procedure", "execute function")
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first == '"' || first == '_' || first.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[&str]) -> Vec<String> {
        facts.iter().map(|&fact| fact.to_owned()).collect()
    }

    #[test]
    fn a_fact_that_differs_is_told_with_both_values() {
        let (ours, theirs) = (facts(&["owner: a", "options: x"]), facts(&["owner: b"]));
        let judged = differences("table", &ours, &theirs, true, false);
        let told: Vec<_> =
            judged.differing.iter().map(|d| (&*d.fact, &*d.source, &*d.target)).collect();
        assert_eq!(told, [("options", "x", ""), ("owner", "a", "b")]);
    }

    #[test]
    fn other_words_of_another_version_are_no_difference() {
        let ours =
            facts(&["definition:  SELECT t.a\n   FROM public.t\n  WHERE (t.b = 'x.y'::text);"]);
        let theirs =
            facts(&["definition:  SELECT a\n   FROM public.t\n  WHERE (b = 'x.y'::text);"]);
        assert_eq!(differences("view", &ours, &theirs, false, false), Judged::default());
        assert_eq!(differences("view", &ours, &theirs, true, false).differing.len(), 1);
        let other = facts(&["definition:  SELECT a\n   FROM public.t\n  WHERE (b = 'xy'::text);"]);
        assert_eq!(differences("view", &ours, &other, false, false).differing.len(), 1);
        assert_ne!(plain("a > 1.5"), plain("a > 2.5"));
    }

    #[test]
    fn what_comes_with_the_cutover_is_pending() {
        let ours = facts(&["column id: integer not null identity always", "row security: on"]);
        let theirs = facts(&["column id: integer not null identity by default"]);
        let judged = differences("table", &ours, &theirs, true, true);
        assert_eq!((judged.differing.len(), judged.pending.len()), (0, 2));
        assert!(comes_with_the_cutover("constraint", &facts(&["definition: FOREIGN KEY (a)"])));
        assert!(!comes_with_the_cutover("constraint", &facts(&["definition: CHECK (a > 0)"])));
    }
}
