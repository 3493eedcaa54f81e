//! What a table's form can't be made without, where nothing but its own rows tell of it.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::{change::Changes, find_out::TAG, names::name_of_ours};
use crate::{
    fault::Fault,
    postgres::{identifier, qualified},
    target::{
        aside::set_types_aside,
        bare, structure,
        untold::{is_here, is_same},
    },
    wire::{Note, RelationKind, RelationStructure, SequenceStructure, Structure},
};

impl Changes {
    /// What a table can't be made without and nothing has told either: its schema, the sequences of its defaults, types of
    /// columns, parents. Other tables' own sequences come with those. A gone type that had the name of one is set
    /// aside.
    pub(super) async fn needs_of(
        &mut self,
        table: &RelationStructure,
    ) -> Result<Vec<Structure>, Fault> {
        let all = structure::fetch(&self.caller, Vec::new(), false).await?;
        let mut known = structure::all(self.session()).await?;
        if set_types_aside(self.session(), &known, &all).await? {
            known = structure::all(self.session()).await?;
        }
        let lineage = lineage(table, &all);
        let types = types_of(table, &all);
        let own = columns_of(table, &lineage, &all);
        let mut objects = Vec::new();
        for form in &all {
            let is_needed = match form {
                Structure::Schema(_) => true,
                Structure::Sequence(of) => of
                    .owned_by
                    .as_ref()
                    .is_none_or(|it| own.iter().any(|own| bare(it).starts_with(own))),
                Structure::Relation(of) if lineage.contains(&of.oid) => true,
                _ => types.contains(&form.id()),
            };
            if !is_needed {
                continue;
            }
            if let Some(before) = known.get(&form.id()) {
                // Under another name, a default calls it by that.
                if matches!(form, Structure::Sequence(_)) && !is_same(Some(before), form) {
                    objects.push(form.clone());
                }
                continue;
            }
            if !is_here(self.session(), form).await? {
                objects.push(form.clone());
            }
        }
        Ok(objects)
    }

    /// Gives schemas their new names, if the table is in another one than before: by that name it may be another here, and it is the
    /// schema that has a new name, not the table that has moved.
    pub(super) async fn rename_schemas(
        &mut self,
        table: &RelationStructure,
        commit: Lsn,
    ) -> Result<(), Fault> {
        let known = structure::known(self.session(), (table.class, table.oid)).await?;
        let Some(Structure::Relation(known)) = known else { return Ok(()) };
        if known.schema == table.schema {
            return Ok(());
        }
        let known = structure::all(self.session()).await?;
        let all = structure::fetch(&self.caller, Vec::new(), false).await?;
        let is_renamed = |form: &Structure| match (known.get(&form.id()), form) {
            (Some(Structure::Schema(known)), Structure::Schema(now)) => known.name != now.name,
            _ => false,
        };
        let objects = all.into_iter().filter(is_renamed).collect();
        self.carry_renamed(objects, commit).await
    }

    /// Gives sequences their new names, if the table takes a default of another one than before, or a column has become an identity: by
    /// that name it may be another here.
    pub(super) async fn rename_sequences(
        &mut self,
        table: &RelationStructure,
        commit: Lsn,
    ) -> Result<(), Fault> {
        let known = structure::known(self.session(), (table.class, table.oid)).await?;
        let Some(Structure::Relation(known)) = known else { return Ok(()) };
        let is_identity = becomes_identity(&known, table);
        if !is_identity && !takes_sequences(&known, table) {
            return Ok(());
        }
        let known = structure::all(self.session()).await?;
        let all = structure::fetch(&self.caller, Vec::new(), false).await?;
        let objects: Vec<Structure> =
            all.iter().filter_map(|form| renamed_sequence(known.get(&form.id()), form)).collect();
        if is_identity {
            self.set_gone_serials_aside(table.oid, &all).await?;
        }
        self.carry_renamed(objects, commit).await
    }

    /// An identity's sequence most often has the name of the serial's that it is instead of, which is gone there.
    async fn set_gone_serials_aside(&mut self, table: u32, all: &[Structure]) -> Result<(), Fault> {
        let mut gone = structure::owned(self.session(), table).await?;
        gone.retain(|form| all.iter().all(|it| it.id() != form.id()));
        self.write_rows_before().await?;
        for form in gone {
            let Structure::Sequence(mut of) = form else { continue };
            let (old, aside) = (qualified(&of.schema, &of.name), name_of_ours(of.oid));
            let sql = format!("alter sequence if exists {old} rename to {}", identifier(&aside));
            self.local(&sql, &Note { tag: TAG.into(), ..Note::default() }).await?;
            of.name = aside;
            structure::save(self.session(), &[Structure::Sequence(of)]).await?;
        }
        Ok(())
    }

    async fn carry_renamed(&mut self, objects: Vec<Structure>, commit: Lsn) -> Result<(), Fault> {
        if objects.is_empty() {
            return Ok(());
        }
        let note = Note { tag: TAG.into(), objects, ..Note::default() };
        self.set_names_aside(&note.objects, &note, commit).await?;
        self.carry(&note, commit).await
    }
}

/// The sequence under its new name, if that is another one. Its owner may not be here yet under its own: that waits.
fn renamed_sequence(known: Option<&Structure>, now: &Structure) -> Option<Structure> {
    let (Some(Structure::Sequence(known)), Structure::Sequence(now)) = (known, now) else {
        return None;
    };
    let owned_by = known.owned_by.clone();
    let schema = match goes_with_its_table(known, now) {
        true => known.schema.clone(),
        false => now.schema.clone(),
    };
    let is_renamed = (&known.schema, &known.name) != (&schema, &now.name);
    (!now.identity && is_renamed)
        .then(|| Structure::Sequence(SequenceStructure { owned_by, schema, ..now.clone() }))
}

/// Whether it comes to its new schema with the table that owns it: the server moves it in no other way.
pub(super) fn goes_with_its_table(known: &SequenceStructure, now: &SequenceStructure) -> bool {
    known.schema != now.schema && known.owned_by.is_some() && now.owned_by.is_some()
}

/// Whether a column has a sequence of its own that had none.
fn becomes_identity(known: &RelationStructure, now: &RelationStructure) -> bool {
    now.columns.iter().filter(|column| column.sequence.is_some()).any(|column| {
        known.columns.iter().any(|old| old.num == column.num && old.sequence.is_none())
    })
}

/// Whether a default is taken from a sequence of another name than before.
fn takes_sequences(known: &RelationStructure, now: &RelationStructure) -> bool {
    now.columns.iter().any(|column| {
        let before = known.columns.iter().find(|old| old.num == column.num);
        let default = column.default.as_deref().unwrap_or_default();
        default.contains("nextval(") && before.is_some_and(|old| old.default != column.default)
    })
}

/// The parents of a table, and theirs.
fn lineage(table: &RelationStructure, all: &[Structure]) -> HashSet<u32> {
    let mut lineage = HashSet::new();
    let mut parents: Vec<u32> = table.parents.iter().map(|parent| parent.oid).collect();
    while let Some(oid) = parents.pop() {
        let of = all.iter().find(|form| matches!(form, Structure::Relation(of) if of.oid == oid));
        if let (true, Some(Structure::Relation(of))) = (lineage.insert(oid), of) {
            parents.extend(of.parents.iter().map(|parent| parent.oid));
        }
    }
    lineage
}

/// How what is owned by a column of the table, or of a parent of it, begins.
fn columns_of(table: &RelationStructure, lineage: &HashSet<u32>, all: &[Structure]) -> Vec<String> {
    let parents = all.iter().filter_map(|form| match form {
        Structure::Relation(of) if lineage.contains(&of.oid) => Some(&**of),
        _ => None,
    });
    let own = std::iter::once(table).chain(parents);
    own.map(|of| bare(&format!("{}.{}.", of.schema, of.name))).collect()
}

/// The types of a table's columns, and what those are made of, by catalog and OID. Others that are unknown are nothing to this
/// table: one of them that can't be carried must not hold it.
pub(super) fn types_of(table: &RelationStructure, all: &[Structure]) -> HashSet<(u32, u32)> {
    let mut types = HashSet::new();
    let mut words = words_of(table);
    while let Some(word) = words.pop() {
        for form in all.iter().filter(|form| is_named(form, &word)) {
            if !types.insert(form.id()) {
                continue;
            }
            match form {
                Structure::Type(of) => words.extend(of.base.iter().chain(&of.options).cloned()),
                Structure::Relation(of) => words.extend(words_of(of)),
                _ => {}
            }
        }
    }
    types
}

fn words_of(relation: &RelationStructure) -> Vec<String> {
    let of_columns = relation.columns.iter().map(|column| column.type_name.clone());
    of_columns.chain(relation.of_type.clone()).collect()
}

/// `word` names a type, alone or among a range's options; an array's and one with a modifier begin with it.
fn is_named(form: &Structure, word: &str) -> bool {
    let name = match form {
        Structure::Type(of) => bare(&format!("{}.{}", of.schema, of.name)),
        Structure::Relation(of) if of.relkind == RelationKind::Composite => {
            bare(&format!("{}.{}", of.schema, of.name))
        }
        _ => return false,
    };
    let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let word = bare(word);
    word.match_indices(&name).any(|(at, _)| {
        !word[..at].ends_with(goes_on) && !word[at + name.len()..].starts_with(goes_on)
    })
}
