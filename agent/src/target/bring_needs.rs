//! What a change of a table can't be carried without, where no event trigger tells it: the type of a new column, a label of an
//! enum, the function of a default, an extension; a key, a check or a NOT NULL that is another one by now. No row says a word of
//! those.
use std::collections::HashSet;

use super::{
    apply::{bring_then_drop, bring_what_goes, is_elsewhere, kin_of, may_tell_others},
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
        let Left { forms, rewritten, mut gone } = who_has_left(&client, oid, &now).await?;
        objects.extend(forms);
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

/// What is known to have a place that is another's on the source, or nobody's.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// As they are there now.
    pub(super) forms: Vec<Structure>,
    /// Which of them have other rows.
    pub(super) rewritten: Vec<u32>,
    pub(super) gone: Vec<Structure>,
}

/// Partitions that are known beside the table or beside one of its parents, and are none of that family on the source any more. What
/// has their place there does not fit here.
async fn who_has_left(client: &Client, table: u32, now: &[Structure]) -> Result<Left, Fault> {
    let mut left = Left::default();
    let (mut seen, mut up) = (HashSet::new(), vec![table]);
    while let Some(oid) = up.pop() {
        if !seen.insert(oid) {
            continue;
        }
        let known = structure::known(&**client, (CLASSES, oid)).await?;
        up.extend(known.iter().flat_map(parents));
        if oid == table {
            continue;
        }
        for heir in structure::heirs(&**client, oid).await? {
            match now.iter().find(|form| form.id() == heir.id()) {
                Some(form) if parents(form).contains(&oid) => {}
                Some(form) => {
                    left.rewritten
                        .extend(gets_other_rows(Some(&heir), form).then_some(form.id().1));
                    left.forms.push(form.clone());
                }
                None => left.gone.push(heir),
            }
        }
    }
    Ok(left)
}

/// Who is known to have the places that some of the `forms`, of the tables' families, take by now; nobody of the forms themselves.
pub(super) async fn who_has_their_places(
    client: &Client,
    tables: &[u32],
    forms: &[Structure],
    now: &[Structure],
) -> Result<Left, Fault> {
    let mut all = Left::default();
    let mut changes_place = false;
    for form in forms {
        let known = structure::known(&**client, form.id()).await?;
        changes_place |= known.is_some_and(|known| has_moved(&known, form));
    }
    for table in tables.iter().filter(|_| changes_place) {
        let left = who_has_left(client, *table, now).await?;
        let is_new =
            |it: &Structure, of: &[Structure]| of.iter().all(|other| other.id() != it.id());
        for form in left.forms {
            if is_new(&form, forms) && is_new(&form, &all.forms) {
                all.forms.push(form);
            }
        }
        for gone in left.gone {
            if is_new(&gone, &all.gone) {
                all.gone.push(gone);
            }
        }
        all.rewritten.extend(left.rewritten);
    }
    Ok(all)
}

/// A partition has another place than is known.
pub(super) fn has_moved(known: &Structure, form: &Structure) -> bool {
    match (known, form) {
        (Structure::Relation(known), Structure::Relation(form)) => is_elsewhere(known, form),
        _ => false,
    }
}

/// Of a relation, by their OIDs.
pub(super) fn parents(form: &Structure) -> Vec<u32> {
    match form {
        Structure::Relation(of) => of.parents.iter().map(|parent| parent.oid).collect(),
        _ => Vec::new(),
    }
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
