//! What has become of the source's schema without a word in the stream, where no event trigger of ours tells it: a new table, a
//! new index, a constraint. The stream's own word of a table tells columns alone, and only before its next row.
//!
//! Triggers that are there now may not have told all: somebody had disabled or dropped them, a command's note failed, there was
//! no slot. A person can mend a difference of the schema, but a table made by hand has no rows: tables are looked for then too.
//!
//! It is carried in the cutover, when the stream stands at its end and the source should be quiet: then it has no place
//! among rows. A table that is new, or that has another file now, is copied.
use std::collections::HashSet;

use tokio_postgres::GenericClient;

use super::{
    apply::{bring, has_columns_anew},
    ddl::{self, Around},
    documents,
    ledger::Ledger,
    load::parents_first,
    receive::Receiver,
    redump::bare,
    structure::{self, Forms},
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Answer, Ask, RelationKind, RelationStructure, ShapeItem, Structure, unexpected_answer},
};

/// What has another form on the source than is known here.
pub(crate) struct Untold {
    forms: Vec<Structure>,
    gone: Vec<Structure>,
    /// Made here by a person.
    by_hand: Vec<Structure>,
    /// Tables that have other rows.
    copied: Vec<u32>,
}

impl Untold {
    pub(crate) fn is_nothing(&self) -> bool {
        self.forms.is_empty() && self.gone.is_empty() && self.by_hand.is_empty()
    }
}

impl Receiver {
    /// Looks into the source's catalog of now. What the rest needs, and no event trigger tells, is brought at once.
    ///
    /// # Errors
    /// The servers'; a hold, when what the rest needs can't be brought.
    pub(crate) async fn find_untold(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<Untold, Fault> {
        let Answer::Followed(followed) = self.caller.ask(Ask::Followed).await? else {
            return Err(unexpected_answer());
        };
        // Triggers that are there and have failed tell whose rows are other ones.
        let failed = followed && documents::is_untold(&**session).await?;
        let told = followed && !failed;
        let mut known = structure::all(&**session).await?;
        let now = structure::fetch(&self.caller, Vec::new(), false).await?;
        if !told && self.set_aside(session, ledger, &known, &now).await? {
            known = structure::all(&**session).await?;
        }
        // By themselves: what else is new may use an enum's new label.
        if !told && self.bring_needs_of(session, ledger, &known, &now).await? > 0 {
            known = structure::all(&**session).await?;
        }
        let (mut untold, mut by_hand, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        let names_gone = names_of_gone(&known, &now);
        for form in now {
            let before = known.remove(&form.id());
            let before = before.as_ref();
            if is_same(before, &form) {
                continue;
            }
            if told && !may_be_untold(before, &form) {
                continue;
            }
            let is_anew = names_gone.contains(&shared_name(&form)) || is_identity(&form);
            if before.is_none() && !is_anew && is_here(&**session, &form).await? {
                by_hand.push(form);
                continue;
            }
            // Where a trigger has failed it has told of each rewrite; VACUUM FULL gives a table another file too.
            let is_copied = match failed {
                true => may_be_untold(before, &form) || is_made_anew(before, &form),
                false => has_other_rows(before, &form),
            };
            if is_copied {
                copied.push(form.id().1);
            }
            untold.push(form);
        }
        if told && copied.is_empty() {
            (untold, by_hand) = (Vec::new(), Vec::new());
        }
        // What is no longer chosen is not to be told from what is gone.
        let whole = self.spec.selected.is_everything() && !told;
        let gone: Vec<Structure> =
            known.into_values().filter(|form| whole && !form.is_foreign()).collect();
        if !(untold.is_empty() && gone.is_empty()) {
            // From here on their changes are in the stream; their rows are read after that.
            self.publish(session, ledger).await?;
        }
        Ok(Untold { forms: untold, gone, by_hand, copied })
    }

    /// Gives everything here the form that it has on the source now. Tables whose rows are to be copied wait for them in the
    /// ledger from then on ([`Receiver::waiting_tables`]).
    ///
    /// # Errors
    /// A hold, with the statements, when something can't be carried.
    pub(crate) async fn carry_untold(
        &self,
        session: &mut Client,
        ledger: Ledger,
        untold: Untold,
    ) -> Result<(), Fault> {
        let Untold { forms, gone, by_hand, copied } = untold;
        self.know(session, ledger, &by_hand).await?;
        if !(forms.is_empty() && gone.is_empty()) {
            bring(self, ledger, parents_first(forms), &gone, &copied).await?;
        }
        let doing = "recording in the ledger that nothing is untold";
        let tx = session.transaction().await.doing(doing)?;
        documents::unmark_untold(&tx).await?;
        ledger.commit(tx, doing).await
    }

    /// Whether an event trigger of ours could not tell what a command has done, and nobody has looked since.
    pub(crate) async fn has_untold(&self, session: &Client) -> Result<bool, Fault> {
        documents::is_untold(&**session).await
    }

    /// Chosen tables of the source that the ledger does not know, as labels: no row of theirs has come, nor will. `shape`: the
    /// source's, which has what is chosen.
    pub(crate) async fn unknown_tables(
        &self,
        session: &Client,
        shape: &[ShapeItem],
    ) -> Result<Vec<String>, Fault> {
        let Answer::Files(files) = self.caller.ask(Ask::Files { under_snapshot: false }).await?
        else {
            return Err(unexpected_answer());
        };
        let rows = session
            .query("select source_oid from whimbrel.relation", &[])
            .await
            .doing("reading from the ledger which tables are known")?;
        let known: HashSet<u32> = rows.iter().map(|row| row.get(0)).collect();
        let unknown = files.into_iter().map(|(oid, _)| oid).filter(|oid| !known.contains(oid));
        let unknown: Vec<u32> = unknown.collect();
        // None would mean all.
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let chosen: HashSet<String> = shape.iter().map(|item| bare(&item.object)).collect();
        let forms = structure::fetch(&self.caller, unknown.clone(), false).await?;
        let labels = forms.iter().filter_map(|form| match form {
            Structure::Relation(table)
                if table.relkind == RelationKind::Table && unknown.contains(&table.oid) =>
            {
                Some(form.label())
            }
            _ => None,
        });
        Ok(labels.filter(|label| chosen.contains(&bare(label))).collect())
    }

    /// What a person has made is taken as it is; the comparison of the shapes tells whether it is as on the source.
    pub(super) async fn know(
        &self,
        session: &mut Client,
        ledger: Ledger,
        forms: &[Structure],
    ) -> Result<(), Fault> {
        if forms.is_empty() {
            return Ok(());
        }
        let doing = "keeping in the ledger what was made on the target by hand";
        let tx = session.transaction().await.doing(doing)?;
        structure::save(&tx, forms).await?;
        ledger.commit(tx, doing).await
    }
}

/// What is here under one of these names is what is gone on the source, and nobody has made it by hand.
pub(super) fn names_of_gone(known: &Forms, now: &[Structure]) -> HashSet<String> {
    let now: HashSet<(u32, u32)> = now.iter().map(Structure::id).collect();
    known.values().filter(|form| !now.contains(&form.id())).map(shared_name).collect()
}

/// A name as others may have it: tables, views, sequences and types share theirs.
pub(super) fn shared_name(of: &Structure) -> String {
    match of {
        Structure::Relation(of) => format!("{}.{}", of.schema, of.name),
        Structure::Sequence(of) => format!("{}.{}", of.schema, of.name),
        Structure::Type(of) => format!("{}.{}", of.schema, of.name),
        Structure::Function(_) | Structure::Schema(_) | Structure::Extension(_) => of.label(),
    }
}

/// It comes with its column, and nobody has made it by hand.
fn is_identity(form: &Structure) -> bool {
    matches!(form, Structure::Sequence(of) if of.identity)
}

pub(super) fn is_same(before: Option<&Structure>, now: &Structure) -> bool {
    let around = Around { names_not_null: true, names_domains_not_null: true, ..Around::default() };
    before.is_some()
        && ddl::statements(before, now, around) == Ok(Vec::new())
        && ddl::afterwards(before, now).is_empty()
        && !becomes_another_identity(before, now)
}

/// GENERATED ALWAYS comes with the switch: before it the catalog alone knows.
fn becomes_another_identity(before: Option<&Structure>, now: &Structure) -> bool {
    let (Some(Structure::Relation(before)), Structure::Relation(now)) = (before, now) else {
        return false;
    };
    let of = |form: &RelationStructure| {
        let columns = form.columns.iter().map(|column| (column.num, column.identity.clone()));
        columns.collect::<Vec<_>>()
    };
    of(before) != of(now)
}

/// What a trigger that is there now can have left untold and leaves rows behind: what is not known at all, and a table that
/// has other columns, and their values in another file.
fn may_be_untold(before: Option<&Structure>, now: &Structure) -> bool {
    match (before, now) {
        (None, _) => true,
        (Some(Structure::Relation(before)), Structure::Relation(now)) => {
            before.file != now.file && before.stored != now.stored
        }
        _ => false,
    }
}

/// Its values here are the older column's.
fn is_made_anew(before: Option<&Structure>, now: &Structure) -> bool {
    match (before, now) {
        (Some(Structure::Relation(before)), Structure::Relation(now)) => {
            now.relkind.is_table() && has_columns_anew(before, now)
        }
        _ => false,
    }
}

/// Rows that no message brought: of a table that was not known, that was rewritten, or that has a column made anew under its
/// name. Of that one the stream says not a word: its values here are the old one's.
pub(super) fn has_other_rows(before: Option<&Structure>, now: &Structure) -> bool {
    match (before, now) {
        (Some(Structure::Relation(before)), Structure::Relation(now)) => {
            now.relkind.is_table() && (before.file != now.file || has_columns_anew(before, now))
        }
        (None, Structure::Relation(now)) => now.relkind.is_table(),
        _ => false,
    }
}

/// An object of the name is on the target. Relations and functions are compared, or replaced, when they are carried.
pub(super) async fn is_here(session: &impl GenericClient, form: &Structure) -> Result<bool, Fault> {
    let (sql, schema, name) = match form {
        Structure::Schema(of) => (
            "select exists (select from pg_namespace where nspname = $1 and $2 = '')",
            &of.name,
            "",
        ),
        Structure::Sequence(of) => (
            "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = $1 and c.relname = $2)",
            &of.schema,
            of.name.as_str(),
        ),
        // Not `to_regtype`: it fails over a shell.
        Structure::Type(of) => (
            "select exists (select from pg_type t join pg_namespace n on n.oid = t.typnamespace \
             where n.nspname = $1 and t.typname = $2)",
            &of.schema,
            of.name.as_str(),
        ),
        Structure::Extension(of) => (
            "select exists (select from pg_extension where extname = $1 and $2 = '')",
            &of.name,
            "",
        ),
        _ => return Ok(false),
    };
    let row = session
        .query_one(sql, &[schema, &name])
        .await
        .doing(format!("looking for {} on the target", form.label()))?;
    Ok(row.get(0))
}
