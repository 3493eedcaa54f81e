//! What is carried with a table where no event trigger tells a change: its kin, and what had its name.
//!
//! What is done to a parent is done to all that inherit from it, and a parent without rows is told by none: of a partition the
//! stream tells a column that comes by its parent alone.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::{
    change::Changes,
    find_out::{REWRITTEN, TAG, dropped, is_renumbered, may_tell_others},
};
use crate::{
    fault::Fault,
    target::{load::parents_first, structure},
    wire::{Dropped, Note, RelationStructure, Structure},
};

/// Tables that have taken each other's names: more than any exchange of names by hand.
const NAMES: usize = 10;

impl Changes {
    /// A known table behind its parents and with its kin, as far as that is known. Those that were rewritten with it are emptied,
    /// and their rows come again. `all`: the forms of everything, where it has a family.
    pub(super) async fn with_its_family(
        &mut self,
        table: Box<RelationStructure>,
        all: Vec<Structure>,
        commit: Lsn,
    ) -> Result<Vec<Structure>, Fault> {
        let oid = table.oid;
        let (parents, kin) = family(&table, &all);
        let mut objects = vec![Structure::Relation(table)];
        for form in all {
            let Structure::Relation(now) = form else { continue };
            if now.oid == oid || !kin.contains(&now.oid) {
                continue;
            }
            match structure::known(self.session(), (now.class, now.oid)).await? {
                Some(Structure::Relation(known)) => {
                    if (&known.schema, &known.name) != (&now.schema, &now.name) {
                        self.make_room(&now, commit).await?;
                    }
                    self.empty_if_rewritten(&known, &now, commit).await?
                }
                // What is new beside it comes by itself.
                _ if !parents.contains(&now.oid) => continue,
                _ => self.make_room(&now, commit).await?,
            }
            objects.push(Structure::Relation(now));
        }
        Ok(parents_first(objects))
    }

    async fn empty_if_rewritten(
        &mut self,
        known: &RelationStructure,
        now: &RelationStructure,
        commit: Lsn,
    ) -> Result<(), Fault> {
        if known.file == now.file && !is_renumbered(known, now) && !may_tell_others(known, now) {
            return Ok(());
        }
        let note = Note {
            tag: TAG.into(),
            rewritten: Some(now.oid),
            reason: REWRITTEN,
            ..Note::default()
        };
        self.carry(&note, commit).await
    }

    /// What is here under the table's name and is not that table on the source: it has another name there by now, which may have
    /// been another's in turn, or is gone.
    pub(super) async fn make_room(
        &mut self,
        table: &RelationStructure,
        commit: Lsn,
    ) -> Result<(), Fault> {
        let (mut renamed, mut gone) = (Vec::new(), Vec::new());
        let mut place = table.clone();
        while renamed.len() < NAMES {
            let of = structure::named(self.session(), &place.schema, &place.name).await?;
            // The table itself: the names were handed round.
            let is_other = |of: &Structure| ![place.oid, table.oid].contains(&of.id().1);
            let Some(Structure::Relation(known)) = of.filter(is_other) else { break };
            let Some(now) = self.now(known.oid).await? else {
                gone = self.gone_with_heirs(Structure::Relation(known)).await?;
                self.leave_gone(&gone).await?;
                break;
            };
            self.empty_if_rewritten(&known, &now, commit).await?;
            place = (*now).clone();
            renamed.push(Structure::Relation(now));
        }
        for form in &renamed {
            let Structure::Relation(form) = form else { continue };
            self.rename_sequences(form, commit).await?;
        }
        renamed.reverse();
        if renamed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let note = Note { tag: TAG.into(), objects: renamed, dropped: gone, ..Note::default() };
        let mut named = note.objects.clone();
        named.push(Structure::Relation(Box::new(table.clone())));
        // What gets loose here is known without that from then on: the cutover gives it the form of now.
        self.loosen(&mut note.clone()).await?;
        self.keep_values(&note.dropped, &named, (TAG, &note.dropped)).await?;
        self.set_names_aside(&named, &note, commit).await?;
        self.carry(&note, commit).await
    }

    /// A table that is gone there, and those of its heirs and theirs that are gone too.
    async fn gone_with_heirs(&mut self, table: Structure) -> Result<Vec<Dropped>, Fault> {
        let (mut gone, mut next) = (Vec::new(), vec![table]);
        while let Some(table) = next.pop() {
            for heir in structure::heirs(self.session(), table.id().1).await? {
                if self.now(heir.id().1).await?.is_none() {
                    next.push(heir);
                }
            }
            gone.extend(dropped(&table));
        }
        Ok(gone)
    }

    /// What has left a gone parent there, or a gone owner, leaves it here: it would go with it.
    async fn leave_gone(&mut self, gone: &[Dropped]) -> Result<(), Fault> {
        let mut objects = Vec::new();
        for table in gone {
            for heir in structure::heirs(self.session(), table.oid).await? {
                objects.extend(self.now(heir.id().1).await?.map(Structure::Relation));
            }
            for sequence in structure::owned(self.session(), table.oid).await? {
                let oid = sequence.id().1;
                let forms = structure::fetch(&self.caller, vec![oid], false).await?;
                match forms.into_iter().find(|form| form.id().1 == oid) {
                    Some(form) => objects.push(form),
                    // It goes with its table here, and its name may be another's from then on.
                    None => structure::forget(self.session(), sequence.id()).await?,
                }
            }
        }
        let taken = objects.iter().map(|form| form.id().1).collect();
        let note = Note { tag: TAG.into(), objects, dropped: gone.to_vec(), ..Note::default() };
        self.leave_parents(&note).await?;
        self.leave_owners(&note, &taken).await
    }

    /// The form that the source has now, and where the table has parents or heirs, the forms of everything at that moment: those of
    /// another moment can have other names of a parent's columns. `None`: it is gone.
    pub(super) async fn now_with_all(
        &mut self,
        oid: u32,
    ) -> Result<Option<(Box<RelationStructure>, Vec<Structure>)>, Fault> {
        let Some(form) = self.now(oid).await? else { return Ok(None) };
        if form.parents.is_empty() && form.children.is_empty() {
            return Ok(Some((form, Vec::new())));
        }
        let all = structure::fetch(&self.caller, Vec::new(), false).await?;
        let form = all.iter().find_map(|form| match form {
            Structure::Relation(form) if form.oid == oid => Some(form.clone()),
            _ => None,
        });
        Ok(form.map(|form| (form, all)))
    }

    /// The form that the source has now.
    pub(super) async fn now(&mut self, oid: u32) -> Result<Option<Box<RelationStructure>>, Fault> {
        let forms = structure::fetch(&self.caller, vec![oid], false).await?;
        Ok(forms.into_iter().find_map(|form| match form {
            Structure::Relation(form) if form.oid == oid => Some(form),
            _ => None,
        }))
    }
}

/// The parents of a table and theirs; and all that inherit from one of them or from it, with them.
fn family(table: &RelationStructure, all: &[Structure]) -> (HashSet<u32>, HashSet<u32>) {
    let relations = || {
        all.iter().filter_map(|form| match form {
            Structure::Relation(of) => Some(of),
            _ => None,
        })
    };
    let mut parents = HashSet::new();
    let mut up: Vec<u32> = table.parents.iter().map(|parent| parent.oid).collect();
    while let Some(oid) = up.pop() {
        if parents.insert(oid) {
            let of = relations().find(|of| of.oid == oid);
            up.extend(of.iter().flat_map(|of| of.parents.iter().map(|parent| parent.oid)));
        }
    }
    let mut kin = parents.clone();
    kin.insert(table.oid);
    let mut down: Vec<u32> = kin.iter().copied().collect();
    while let Some(parent) = down.pop() {
        let heirs = relations().filter(|of| of.parents.iter().any(|it| it.oid == parent));
        down.extend(heirs.map(|of| of.oid).filter(|oid| kin.insert(*oid)));
    }
    (parents, kin)
}

/// The table and its family, of all forms.
pub(in crate::target) fn kin_of(table: u32, all: &[Structure]) -> Vec<&Structure> {
    let of = all.iter().find_map(|form| match form {
        Structure::Relation(of) if of.oid == table => Some(family(of, all).1),
        _ => None,
    });
    let kin = of.unwrap_or_default();
    let is_kin =
        |form: &&Structure| matches!(form, Structure::Relation(of) if kin.contains(&of.oid));
    all.iter().filter(is_kin).collect()
}
