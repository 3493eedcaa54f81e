//! What a change is made of and the stream does not carry: the change is tried once more behind it.
use super::{
    change::Changes,
    not_carried::{lacks_something, missing_role, not_carried},
};
use crate::{
    fault::{Doing, Fault, Policy},
    target::{
        bare,
        early::{Early, make_early},
        schema::Entry,
    },
    wire::{Note, Structure},
};

/// A savepoint, before an object's statements.
const BEFORE: &str = "whimbrel_lacking";

impl Changes {
    /// Runs what makes an object. When something is missing for it, a dump of the source tells what there is of kinds that are
    /// made at the cutover only, and that is made here, in the group's transaction. One dump for each change: it ends with the
    /// first that did not help.
    ///
    /// # Errors
    /// A hold when the target refuses it still.
    pub(super) async fn execute_behind_what_it_lacks(
        &mut self,
        statements: Vec<String>,
        (old, new): (Option<&Structure>, &Structure),
        note: &Note,
    ) -> Result<(), Fault> {
        if statements.is_empty() {
            return Ok(());
        }
        let label = new.label();
        let doing = format!("carrying {} of {label}", note.tag);
        self.at_savepoint("savepoint", &doing).await?;
        let refused = match self.execute_in_its_place(&statements, (old, new), note).await {
            Ok(()) => return self.at_savepoint("release", &doing).await,
            Err(fault) if fault.policy != Policy::Hold => return Err(fault),
            Err(fault) if !self.may_dump || !lacks_something(&fault.message) => {
                return Err(not_carried(note, &label, &fault.message, &statements));
            }
            Err(fault) => fault,
        };
        self.at_savepoint("rollback to", &doing).await?;
        let Early { made, refused: unmade } = self.make_what_is_new(&refused).await?;
        if made.is_empty() {
            let role = unmade.iter().find(|fault| missing_role(&fault.message).is_some());
            let what = &role.unwrap_or(&refused).message;
            return Err(not_carried(note, &label, what, &statements));
        }
        let again = self.execute_on_cleared_way(&statements, (old, new), &doing, note).await;
        let Err(fault) = again else {
            return self.at_savepoint("release", &doing).await;
        };
        if fault.policy != Policy::Hold {
            return Err(fault);
        }
        // All of it is rolled back with the group. What did not help is no part of the way out.
        let helped = fault.message != refused.message;
        let needs = if helped { needed(&made, &statements) } else { Vec::new() };
        let before = needs.iter().map(|entry| entry.sql.trim().trim_end_matches(';').to_owned());
        let all: Vec<String> = before.chain(statements).collect();
        Err(not_carried(note, &label, &fault.message, &all))
    }

    /// A cast must be here before it is used: without it the server converts by the types' texts, which is no error, and is
    /// written alike.
    pub(super) async fn carry_cast(&mut self, note: &Note) -> Result<(), Fault> {
        if note.tag == "CREATE CAST" {
            // Without a dump nobody would see it: it holds here.
            self.make_from_dump("a cast was made").await?;
        }
        Ok(())
    }

    /// Without a dump there is nothing to be made, and `refused` is what a person is told.
    pub(super) async fn make_what_is_new(&mut self, refused: &Fault) -> Result<Early, Fault> {
        match self.make_from_dump(&refused.message).await {
            Err(fault) if fault.policy == Policy::Hold => {
                tracing::warn!(%fault, "the source could not be dumped");
                Ok(Early::default())
            }
            other => other,
        }
    }

    async fn make_from_dump(&mut self, why: &str) -> Result<Early, Fault> {
        tracing::info!(why, "something is missing for a change: a dump of the source may have it");
        let catalog = self.tables.catalog();
        let (from, to) = (catalog.server_version / 10_000, self.server_major());
        let restore = &self.programs.dump_for(from, to)?.restore;
        let early = make_early(self.session(), &self.caller, restore, catalog, to).await?;
        let names: Vec<String> =
            early.made.iter().map(|e| format!("{} {}", e.kind, e.tag)).collect();
        tracing::info!(made = names.join(", "), "made from a dump of the source");
        Ok(early)
    }

    pub(super) async fn at_savepoint(&mut self, what: &str, doing: &str) -> Result<(), Fault> {
        self.session().batch_execute(&format!("{what} {BEFORE}")).await.doing(doing)
    }
}

/// Those that the statements name, or that one of those does: the rest of what is new is no matter of theirs.
fn needed<'a>(made: &'a [Entry], statements: &[String]) -> Vec<&'a Entry> {
    let mut texts: Vec<String> = statements.iter().map(|sql| bare(sql)).collect();
    let mut is_needed = vec![false; made.len()];
    loop {
        let is_named = |entry: &Entry| {
            names_of(entry).iter().any(|name| texts.iter().any(|text| has_word(text, name)))
        };
        let more: Vec<usize> =
            (0..made.len()).filter(|at| !is_needed[*at] && is_named(&made[*at])).collect();
        if more.is_empty() {
            return made.iter().zip(is_needed).filter_map(|(e, is)| is.then_some(e)).collect();
        }
        for at in more {
            is_needed[at] = true;
            texts.push(bare(&made[at].sql));
        }
    }
}

/// Without its schema and its arguments, as others name it; a cast is named by no one, and needed by who has its types.
fn names_of(entry: &Entry) -> Vec<String> {
    let tag = bare(&entry.tag);
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).trim().to_owned();
    if entry.kind == "CAST" {
        let types = tag.trim_start_matches("CAST (").trim_end_matches(')');
        return types.split(" AS ").map(last).collect();
    }
    let name = tag.split('(').next().unwrap_or(&tag).trim();
    vec![name.to_owned()]
}

fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let goes_on = |own: Option<char>, next: Option<char>| {
        own.is_some_and(is_letter) && next.is_some_and(is_letter)
    };
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        !goes_on(word.chars().next(), before.chars().next_back())
            && !goes_on(word.chars().next_back(), behind.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, tag: &str, sql: &str) -> Entry {
        Entry { dump_id: 1, class: 0, oid: 0, kind: kind.into(), tag: tag.into(), sql: sql.into() }
    }

    #[test]
    fn only_what_it_needs_is_named() {
        let made = [
            entry("COLLATION", "co", "CREATE COLLATION public.co (locale = 'C');"),
            entry("COLLATION", "c", "CREATE COLLATION public.c (locale = 'C');"),
            entry("FOREIGN DATA WRAPPER", "w", "CREATE FOREIGN DATA WRAPPER w;"),
            entry("SERVER", "far", "CREATE SERVER far FOREIGN DATA WRAPPER w;"),
            entry("FOREIGN TABLE", "Of it", "CREATE FOREIGN TABLE s.\"Of it\" (n int) SERVER far;"),
            entry("FOREIGN TABLE", "other", "CREATE FOREIGN TABLE s.other (n int) SERVER far;"),
            entry("OPERATOR", "===", "CREATE OPERATOR s.=== ();"),
            entry("CAST", "CAST (s.a AS text)", "CREATE CAST (s.a AS text) WITHOUT FUNCTION;"),
            entry("AGGREGATE", "total(integer)", "CREATE AGGREGATE s.total(integer) ();"),
        ];
        let of = |sql: &str| -> Vec<&str> {
            needed(&made, &[sql.to_owned()]).iter().map(|entry| &*entry.tag).collect()
        };
        assert_eq!(of("alter table \"s\".\"t\" add x int collate public.co"), ["co"]);
        assert_eq!(of("create view v as select * from s.\"Of it\""), ["w", "far", "Of it"]);
        assert_eq!(of("check (id OPERATOR(s.===) s.total(id))"), ["===", "total(integer)"]);
        assert_eq!(of("alter table s.t alter b type text using b::text"), ["CAST (s.a AS text)"]);
        assert!(of("alter table s.t add x int").is_empty());
    }
}
