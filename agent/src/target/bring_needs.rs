//! What a change of a table can't be carried without, where no event trigger tells it: the type of a new column, a label of an
//! enum, the function of a default, an extension; a key, a check or a NOT NULL that is another one by now. No row says a word of
//! those.
use std::collections::HashSet;

use super::{
    apply::{bring_then_drop, bring_what_goes, kin_of, may_tell_others},
    aside::set_types_aside,
    bare,
    ledger::Ledger,
    load::parents_first,
    receive::Receiver,
    structure::{self, Forms},
    untold::{has_other_rows, is_here, is_same, names_of_gone, shared_name},
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Answer, Ask, RelationKind, Structure, unexpected_answer},
};

/// OID of `pg_class`.
const CLASSES: u32 = 1259;

impl Receiver {
    /// Gives all but tables, views and what is theirs the form that the source has now, as far as that goes; by a
    /// transaction of its own, for a new label can't be used in the one that adds it. How many it was.
    ///
    /// # Errors
    /// What stopped it; nothing for what can't be made.
    pub(super) async fn bring_needs(&self, ledger: Ledger) -> Result<usize, Fault> {
        match self.caller.ask(Ask::Followed).await? {
            Answer::Followed(false) => {}
            // They come by messages, at their place.
            Answer::Followed(true) => return Ok(0),
            _ => return Err(unexpected_answer()),
        }
        let mut client = self.session("needs").await?;
        let mut known = structure::all(&*client).await?;
        let now = structure::fetch(&self.caller, Vec::new(), false).await?;
        if self.set_aside(&mut client, ledger, &known, &now).await? {
            known = structure::all(&*client).await?;
        }
        self.bring_needs_of(&mut client, ledger, &known, &now).await
    }

    /// Sets gone types aside whose names others have by now; whether there were any.
    pub(super) async fn set_aside(
        &self,
        client: &mut Client,
        ledger: Ledger,
        known: &Forms,
        now: &[Structure],
    ) -> Result<bool, Fault> {
        let doing = "setting types aside that are gone";
        let tx = client.transaction().await.doing(doing)?;
        if !set_types_aside(&tx, known, now).await? {
            tx.rollback().await.doing(doing)?;
            return Ok(false);
        }
        ledger.commit(tx, doing).await?;
        Ok(true)
    }

    /// Gives the table that a change's fault blames the form that the source has now, with its family: whatever its rows did not fit
    /// may have gone there. How many tables it was.
    ///
    /// # Errors
    /// What stopped it; nothing for what can't be made.
    pub(super) async fn bring_blamed(&self, ledger: Ledger, fault: &Fault) -> Result<usize, Fault> {
        let Some(blamed) = fault.table.as_deref() else { return Ok(0) };
        let Answer::Followed(false) = self.caller.ask(Ask::Followed).await? else { return Ok(0) };
        let client = self.session("needs").await?;
        let Some(oid) = self.blamed(&client, blamed).await? else { return Ok(0) };
        let now = structure::fetch(&self.caller, Vec::new(), false).await?;
        let (mut objects, mut copied) = differing_kin(&client, &[oid], &now).await?;
        let (left, rewritten, mut gone) = who_has_left(&client, oid, &now).await?;
        objects.extend(left);
        copied.extend(rewritten);
        // What is no longer chosen is not to be told from what is gone.
        gone.retain(|_| self.spec.selected.is_everything());
        match (objects.len() + gone.len(), gone.is_empty()) {
            (0, _) => Ok(0),
            (_, true) => bring_what_goes(self, ledger, objects, &copied).await,
            (count, false) => {
                let objects = parents_first(objects);
                bring_then_drop(self, ledger, objects, &gone, &copied).await.map(|()| count)
            }
        }
    }

    /// As [`Receiver::bring_needs`], of what is known and what the source's catalog has now.
    pub(super) async fn bring_needs_of(
        &self,
        client: &mut Client,
        ledger: Ledger,
        known: &Forms,
        now: &[Structure],
    ) -> Result<usize, Fault> {
        let names_gone = names_of_gone(known, now);
        let (mut needs, mut by_hand) = (Vec::new(), Vec::new());
        for form in now {
            let before = known.get(&form.id());
            // What takes the place of another can't come before that goes, and what hangs on it.
            if !is_need(form) || is_same(before, form) || names_gone.contains(&shared_name(form)) {
                continue;
            }
            if before.is_none() && is_here(&**client, form).await? {
                by_hand.push(form.clone());
            } else {
                needs.push(form.clone());
            }
        }
        self.know(client, ledger, &by_hand).await?;
        if needs.is_empty() {
            return Ok(0);
        }
        bring_what_goes(self, ledger, needs, &[]).await
    }
}

/// Partitions that are known beside the table, and are none of its family on the source any more: as they are there now, which of
/// them have other rows, and those that are gone. What has their place there does not fit here.
async fn who_has_left(
    client: &Client,
    table: u32,
    now: &[Structure],
) -> Result<(Vec<Structure>, Vec<u32>, Vec<Structure>), Fault> {
    let (mut left, mut rewritten, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let known = structure::known(&**client, (CLASSES, table)).await?;
    let Some(Structure::Relation(known)) = known else {
        return Ok((left, rewritten, gone));
    };
    let of = |form: &Structure, parent: u32| match form {
        Structure::Relation(of) => of.parents.iter().any(|it| it.oid == parent),
        _ => false,
    };
    for parent in &known.parents {
        for sibling in structure::heirs(&**client, parent.oid).await? {
            match now.iter().find(|form| form.id() == sibling.id()) {
                Some(form) if of(form, parent.oid) => {}
                Some(form) => {
                    rewritten.extend(gets_other_rows(Some(&sibling), form).then_some(form.id().1));
                    left.push(form.clone());
                }
                None => gone.push(sibling),
            }
        }
    }
    Ok((left, rewritten, gone))
}

/// Whether a table has other rows, or rows that are still to come may be told by the name of a column that is gone.
fn gets_other_rows(known: Option<&Structure>, now: &Structure) -> bool {
    let may_be_told = match (known, now) {
        (Some(Structure::Relation(known)), Structure::Relation(now)) => {
            now.relkind.is_table() && may_tell_others(known, now)
        }
        _ => false,
    };
    may_be_told || has_other_rows(known, now)
}

/// Those of the tables and of their families, and of the sequences that they own, that are known in another form than `now`,
/// in the order in which they can be made; and which of the tables have other rows.
pub(super) async fn differing_kin(
    client: &Client,
    tables: &[u32],
    now: &[Structure],
) -> Result<(Vec<Structure>, Vec<u32>), Fault> {
    let (mut objects, mut copied) = (Vec::new(), Vec::new());
    let (mut seen, mut sequences) = (HashSet::new(), Vec::new());
    for form in tables.iter().flat_map(|table| kin_of(*table, now)) {
        if !seen.insert(form.id()) {
            continue;
        }
        let known = structure::known(&**client, form.id()).await?;
        if known.is_none() {
            continue;
        }
        sequences.extend(own_sequences(client, form, now).await?);
        if is_same(known.as_ref(), form) {
            continue;
        }
        if gets_other_rows(known.as_ref(), form) {
            copied.push(form.id().1);
        }
        objects.push(form.clone());
    }
    sequences.extend(parents_first(objects));
    Ok((sequences, copied))
}

/// Sequences of a table that are new, or known in another form: its defaults call them by the name of now.
async fn own_sequences(
    client: &Client,
    table: &Structure,
    now: &[Structure],
) -> Result<Vec<Structure>, Fault> {
    let mut own = Vec::new();
    let Structure::Relation(of) = table else { return Ok(own) };
    let columns = bare(&format!("{}.{}.", of.schema, of.name));
    for form in now {
        let Structure::Sequence(sequence) = form else { continue };
        let is_own = sequence.owned_by.as_ref().is_some_and(|by| bare(by).starts_with(&columns));
        if !is_own || sequence.identity {
            continue;
        }
        let known = structure::known(&**client, form.id()).await?;
        if known.is_none() && is_here(&**client, form).await? || is_same(known.as_ref(), form) {
            continue;
        }
        own.push(form.clone());
    }
    Ok(own)
}

fn is_need(form: &Structure) -> bool {
    match form {
        Structure::Relation(of) => of.relkind == RelationKind::Composite,
        Structure::Sequence(of) => !of.identity && of.owned_by.is_none(),
        Structure::Type(_)
        | Structure::Function(_)
        | Structure::Schema(_)
        | Structure::Extension(_) => true,
    }
}
