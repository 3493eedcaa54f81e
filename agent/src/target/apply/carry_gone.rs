//! In which order goes here what is gone on the source without a word.
//!
//! A command tells all that went with what it dropped. Here only the ends are known: what hangs on a gone object here hangs on
//! another one there by now, or on none, and CASCADE would take it along, with what hangs on it in turn. So heirs leave first,
//! then goes what nothing hangs on, and the rest when everything else has its new form.
use std::collections::HashSet;

use super::{change::Changes, names::name_of_ours};
use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, qualified},
    target::{
        bare,
        ddl::{Gone, gone, routine},
        structure,
    },
    wire::{Dropped, Note, RelationStructure, Structure},
};

/// A savepoint, before a drop that something can be in the way of.
const BEFORE_DROP: &str = "whimbrel_drop";

impl Changes {
    /// Drops what nothing hangs on, and takes from the note what is to be dropped behind its objects.
    pub(super) async fn drop_first(&mut self, note: &mut Note) -> Result<Vec<Dropped>, Fault> {
        let left = self.drop_free(&note.dropped).await?;
        self.keep_holders(note, &left).await?;
        let (later, now) = std::mem::take(&mut note.dropped)
            .into_iter()
            .partition(|gone| left.contains(gone) && !is_taken(gone, &note.objects));
        note.dropped = now;
        Ok(later)
    }

    /// A schema or an extension that something is of still here, and another one has its name by now: that one it is from then on,
    /// with its columns and tables. It is altered to what that one is.
    async fn keep_holders(&mut self, note: &mut Note, left: &[Dropped]) -> Result<(), Fault> {
        let stays = |gone: &Dropped| {
            ["schema", "extension"].contains(&gone.kind.as_str())
                && left.contains(gone)
                && is_taken(gone, &note.objects)
        };
        let (stay, go) = std::mem::take(&mut note.dropped).into_iter().partition(stays);
        note.dropped = go;
        let stay: Vec<Dropped> = stay;
        for gone in stay {
            structure::forget(self.session(), (gone.class, gone.oid)).await?;
        }
        Ok(())
    }

    /// Tables that have left a parent which is gone: it would take them along.
    pub(super) async fn leave_parents(&mut self, note: &Note) -> Result<(), Fault> {
        for object in &note.objects {
            let Structure::Relation(new) = object else { continue };
            let Some(Structure::Relation(old)) =
                structure::known(self.session(), object.id()).await?
            else {
                continue;
            };
            for parent in note.dropped.iter().filter(|gone| has_left(gone, &old, new)) {
                self.leave(&old, parent, note).await?;
            }
        }
        Ok(())
    }

    /// Sequences that stay, and a table owned them which is gone: another one of its name may own them now. Where the note does not
    /// have that one they are nobody's: the gone table, which may go last, would take them along. Whoever comes later takes them
    /// then, for that is how they are known.
    pub(super) async fn take_from_gone(&mut self, note: &mut Note) -> Result<HashSet<u32>, Fault> {
        let mut taken = HashSet::new();
        for table in note.dropped.clone() {
            for form in structure::owned(self.session(), table.oid).await? {
                // An identity's goes with its table, whoever has its name then.
                let goes = matches!(&form, Structure::Sequence(of) if of.identity);
                if goes || note.dropped.iter().any(|gone| gone.oid == form.id().1) {
                    continue;
                }
                taken.insert(form.id().1);
                if note.objects.iter().all(|object| object.id() != form.id()) {
                    note.objects.push(form.clone());
                }
                disown(&form, &mut note.objects);
            }
        }
        Ok(taken)
    }

    /// Sequences of identity columns of these tables: no drop of their own is told of them, and a default can be taken from one.
    pub(super) async fn identities_of(&mut self, gone: &[Dropped]) -> Result<Vec<Dropped>, Fault> {
        let mut identities = Vec::new();
        for table in gone {
            for form in structure::owned(self.session(), table.oid).await? {
                let Structure::Sequence(of) = form else { continue };
                if of.identity {
                    let identity = qualified(&of.schema, &of.name);
                    let (class, oid) = (of.class, of.oid);
                    let kind = "sequence".to_owned();
                    identities.push(Dropped {
                        class,
                        oid,
                        part: 0,
                        kind,
                        identity,
                        names: None,
                        told: true,
                    });
                }
            }
        }
        Ok(identities)
    }

    /// Of tables that go behind the note's objects: those that have the name of one of the objects can't be there then.
    pub(super) async fn set_identities_aside(
        &mut self,
        later: &[Dropped],
        note: &Note,
    ) -> Result<(), Fault> {
        for gone in self.identities_of(later).await? {
            if !is_taken(&gone, &note.objects) {
                continue;
            }
            let aside = name_of_ours(gone.oid);
            let sql = format!(
                "alter sequence if exists {} rename to {}",
                gone.identity,
                identifier(&aside)
            );
            self.local(&sql, note).await?;
            let known = structure::known(self.session(), (gone.class, gone.oid)).await?;
            if let Some(Structure::Sequence(mut of)) = known {
                of.name = aside;
                structure::save(self.session(), &[Structure::Sequence(of)]).await?;
            }
        }
        Ok(())
    }

    /// Sequences that have left the column which owned them: they would go with it, or with its table. `taken`: by another one of
    /// that name.
    pub(super) async fn leave_owners(
        &mut self,
        note: &Note,
        taken: &HashSet<u32>,
    ) -> Result<(), Fault> {
        for object in &note.objects {
            let Structure::Sequence(new) = object else { continue };
            let known = structure::known(self.session(), object.id()).await?;
            let Some(Structure::Sequence(mut old)) = known else { continue };
            let stays = old.owned_by == new.owned_by && !taken.contains(&old.oid);
            if old.identity || old.owned_by.is_none() || stays {
                continue;
            }
            let name = qualified(&old.schema, &old.name);
            self.local(&format!("alter sequence if exists {name} owned by none"), note).await?;
            old.owned_by = None;
            structure::save(self.session(), &[Structure::Sequence(old)]).await?;
        }
        Ok(())
    }

    async fn leave(
        &mut self,
        heir: &RelationStructure,
        parent: &Dropped,
        note: &Note,
    ) -> Result<(), Fault> {
        let (name, parent) = (qualified(&heir.schema, &heir.name), &parent.identity);
        let row = self
            .session()
            .query_opt(
                "select c.relispartition from pg_inherits i join pg_class c on c.oid = i.inhrelid \
                 where i.inhrelid = to_regclass($1) and i.inhparent = to_regclass($2)",
                &[&name, parent],
            )
            .await
            .doing(format!("looking for the parents of {name} on the target"))?;
        let sql = match row.map(|row| row.get(0)) {
            None => return Ok(()),
            Some(true) => format!("alter table {parent} detach partition {name}"),
            Some(false) => format!("alter table {name} no inherit {parent}"),
        };
        self.local(&sql, note).await
    }

    /// Drops what nothing hangs on, until nothing more goes; what is left.
    pub(super) async fn drop_free(&mut self, dropped: &[Dropped]) -> Result<Vec<Dropped>, Fault> {
        let mut left = dropped.to_vec();
        loop {
            let before = left.len();
            let mut stay = Vec::new();
            for gone in left {
                if !self.drop_if_free(&gone).await? {
                    stay.push(gone);
                }
            }
            left = stay;
            if left.len() == before {
                return Ok(left);
            }
        }
    }

    /// Whatever else stands in its way is told when it is dropped at last.
    async fn drop_if_free(&mut self, dropped: &Dropped) -> Result<bool, Fault> {
        let Gone::Run(sql) = gone(dropped) else { return Ok(true) };
        if self.is_of_extension(dropped).await? {
            return Ok(true);
        }
        let sql = sql.trim_end_matches(" cascade");
        let tried = format!("savepoint {BEFORE_DROP}; {sql}; release savepoint {BEFORE_DROP}");
        let Err(error) = self.session().batch_execute(&tried).await else { return Ok(true) };
        tracing::debug!(%error, object = dropped.identity, "not dropped yet");
        let back = format!("rollback to savepoint {BEFORE_DROP}; release savepoint {BEFORE_DROP}");
        self.session()
            .batch_execute(&back)
            .await
            .doing(format!("dropping {} on the target", dropped.identity))?;
        Ok(false)
    }
}

fn has_left(parent: &Dropped, old: &RelationStructure, new: &RelationStructure) -> bool {
    let has = |of: &RelationStructure| of.parents.iter().any(|it| it.oid == parent.oid);
    has(old) && !has(new)
}

/// Takes a sequence from the column that is known to own it, if none of these tables has a column of that name. An identity's goes
/// with its own.
fn disown(known: &Structure, objects: &mut [Structure]) {
    let Structure::Sequence(known) = known else { return };
    let Some(owner) = &known.owned_by else { return };
    if known.identity || objects.iter().any(|object| has_column(object, owner)) {
        return;
    }
    for object in objects {
        if let Structure::Sequence(of) = object
            && of.oid == known.oid
            && of.owned_by == known.owned_by
        {
            of.owned_by = None;
        }
    }
}

fn has_column(object: &Structure, column: &str) -> bool {
    let Structure::Relation(of) = object else { return false };
    let column = bare(column);
    of.columns.iter().any(|it| bare(&format!("{}.{}.{}", of.schema, of.name, it.name)) == column)
}

/// Whether another object has the name now, and can't be made before.
fn is_taken(gone: &Dropped, objects: &[Structure]) -> bool {
    objects.iter().any(|object| match object {
        Structure::Relation(of) => qualified(&of.schema, &of.name) == gone.identity,
        Structure::Sequence(of) => qualified(&of.schema, &of.name) == gone.identity,
        Structure::Type(of) => qualified(&of.schema, &of.name) == gone.identity,
        Structure::Function(of) => routine(of) == gone.identity,
        Structure::Schema(of) => identifier(&of.name) == gone.identity,
        Structure::Extension(of) => identifier(&of.name) == gone.identity,
    })
}
