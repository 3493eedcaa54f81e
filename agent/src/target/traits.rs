//! What is set on objects inside their own entries of a dump (FORCE ROW LEVEL SECURITY, a column's compression, owners): the
//! entries of what is here already are not made again, so each such setting that has changed on the source is made so here.
//!
//! Only of objects whose settings are others than when the schema was dumped, or that were made since, be it again and as they
//! were: what a person has set on the target is left.
use std::collections::{HashMap, HashSet};

use super::{
    in_runs::{Statement, in_runs},
    ledger::Ledger,
    receive::Receiver,
    redump::bare,
};
use crate::{
    fault::Fault,
    postgres::Client,
    verify::traits_of,
    wire::{Answer, Ask, ShapeItem, Trait, unexpected_answer},
};

impl Receiver {
    /// `then`, `now`: the source's shape when its schema was dumped, and now; `new`: objects that were made since, or an index of
    /// theirs was, as GRANT names them, without quotes.
    pub(crate) async fn take_traits(
        &self,
        session: &mut Client,
        ledger: Ledger,
        then: &[ShapeItem],
        now: &[ShapeItem],
        new: &HashSet<String>,
    ) -> Result<(), Fault> {
        let doing = "setting on the target what was set on the source's objects";
        let Answer::Traits(there) = self.caller.ask(Ask::Traits).await? else {
            return Err(unexpected_answer());
        };
        let here = traits_of(session, &self.spec.selected).await?;
        let changed = changed(then, now);
        let is_other = |item: &str| changed.contains(item) || is_of_new(item, new);
        let statements = statements(is_other, &there, &here);
        let statement = |sql: &&str| Statement { about: (*sql).to_owned(), sql: (*sql).to_owned() };
        in_runs(session, ledger, &statements.iter().map(statement).collect::<Vec<_>>(), doing).await
    }
}

/// What is gone too: it can have been taken off an object that is still there.
fn changed<'a>(then: &'a [ShapeItem], now: &'a [ShapeItem]) -> HashSet<&'a str> {
    let digests = |items: &'a [ShapeItem]| -> HashMap<&'a str, &'a str> {
        items.iter().map(|item| (&*item.object, &*item.digest)).collect()
    };
    let (then, now) = (digests(then), digests(now));
    let names = then.keys().chain(now.keys()).copied();
    names.filter(|name| then.get(name) != now.get(name)).collect()
}

fn is_of_new(item: &str, new: &HashSet<String>) -> bool {
    let name = item.strip_prefix("settings of ").map(bare);
    name.is_some_and(|name| {
        ["table", "sequence"].iter().any(|word| new.contains(&format!("{word} {name}")))
    })
}

/// What makes `here` as it is `there`: what goes before what comes, for one may be in the place of the other.
fn statements<'a>(
    is_other: impl Fn(&str) -> bool,
    there: &'a [Trait],
    here: &'a [Trait],
) -> Vec<&'a str> {
    let of = |all: &'a [Trait], others: &'a [Trait]| -> Vec<&'a Trait> {
        let others: HashSet<&Trait> = others.iter().collect();
        all.iter().filter(|one| is_other(&one.item) && !others.contains(one)).collect()
    };
    let off = of(here, there).into_iter().filter_map(|one| one.off.as_deref());
    off.chain(of(there, here).into_iter().map(|one| &*one.given)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(item: &str, off: Option<&str>, given: &str) -> Trait {
        Trait { item: item.into(), off: off.map(Into::into), given: given.into() }
    }

    #[test]
    fn only_what_has_changed_is_set() {
        let there = [
            set("a", Some("off"), "on"),
            set("b", Some("off b"), "on b"),
            set("c", None, "c owner to x"),
        ];
        let here = [
            set("a", Some("off"), "another"),
            set("b", Some("off b"), "mine"),
            set("c", None, "c owner to y"),
        ];
        let is_other = |item: &str| item != "b";
        assert_eq!(statements(is_other, &there, &here), ["off", "on", "c owner to x"]);
        assert!(statements(is_other, &there, &there).is_empty());
        assert_eq!(statements(is_other, &[], &here), ["off"]);
    }

    #[test]
    fn what_was_made_again_is_new_by_its_name_without_quotes() {
        let new = HashSet::from(["table public.Of t".to_owned(), "routine public.f()".to_owned()]);
        assert!(is_of_new("settings of public.\"Of t\"", &new));
        assert!(!is_of_new("settings of public.t", &new));
        assert!(!is_of_new("rights on routines of public", &new));
    }

    #[test]
    fn an_item_that_is_new_or_gone_has_changed() {
        let item =
            |object: &str, digest: &str| ShapeItem { object: object.into(), digest: digest.into() };
        let then = [item("a", "1"), item("b", "1"), item("gone", "1")];
        let now = [item("a", "1"), item("b", "2"), item("new", "1")];
        assert_eq!(changed(&then, &now), HashSet::from(["b", "gone", "new"]));
    }
}
