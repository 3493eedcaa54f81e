//! A parent's column that goes, and stays with its heirs: `alter table only … drop column` leaves it to them, and whoever had left the
//! parent for a while keeps it too, with its values (PostgreSQL's manual, ALTER TABLE, `NO INHERIT`). Here it would go from them with
//! the parent's.
use super::change::Changes;
use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, qualified},
    target::structure,
    wire::{ColumnStructure, Dropped, Note, RelationStructure, Structure},
};

impl Changes {
    /// Makes own to the heirs here, of what no command has told, what is their own on the source by now. Before their parents change.
    pub(super) async fn spare_heirs(&mut self, note: &Note) -> Result<(), Fault> {
        let relations = || {
            note.objects.iter().filter_map(|object| match object {
                Structure::Relation(of) if of.relkind.is_table() => Some(of),
                _ => None,
            })
        };
        for new in relations() {
            if let Some(old) = self.known_table(new.oid).await?
                && has_left_for_a_while(&old, new)
            {
                self.leave_for_a_while(old, note).await?;
            }
        }
        for new in relations() {
            let Some(old) = self.known_table(new.oid).await? else { continue };
            let stays = |num: i16| new.columns.iter().any(|column| column.num == num);
            for column in old.columns.iter().filter(|column| !stays(column.num)) {
                let heirs = self.bound_heirs(&old, &column.name).await?;
                let goes = |heir: &RelationStructure| {
                    relations().any(|it| it.oid == heir.oid && own(it, &column.name).is_none())
                };
                if !heirs.iter().all(goes) {
                    self.drop_alone(&old, column, heirs, note).await?;
                }
            }
        }
        Ok(())
    }

    /// Of a told column that is gone: whether its heirs keep it. A command that takes it from them names theirs too.
    pub(super) async fn spare_told(&mut self, dropped: &Dropped, note: &Note) -> Result<(), Fault> {
        let Some([schema, table, column]) = dropped.names.as_deref() else { return Ok(()) };
        let known = structure::named(self.session(), schema, table).await?;
        let Some(Structure::Relation(mut known)) = known else { return Ok(()) };
        let heirs = self.bound_heirs(&known, column).await?;
        let is_told = |heir: &RelationStructure| {
            let is_its = |gone: &Dropped| gone.oid == heir.oid && gone.kind == dropped.kind;
            note.dropped.iter().any(|gone| {
                is_its(gone)
                    && gone.names.as_deref().is_some_and(|names| names.last() == Some(column))
            })
        };
        if heirs.is_empty() || heirs.iter().any(is_told) {
            return Ok(());
        }
        let at = known.columns.iter().position(|it| it.name == *column);
        match at.map(|at| known.columns.remove(at)) {
            Some(gone) => self.drop_alone(&known, &gone, heirs, note).await,
            None => Ok(()),
        }
    }

    async fn known_table(&mut self, oid: u32) -> Result<Option<Box<RelationStructure>>, Fault> {
        Ok(match structure::known(self.session(), (CLASSES, oid)).await? {
            Some(Structure::Relation(of)) if of.relkind.is_table() => Some(of),
            _ => None,
        })
    }

    /// Heirs from which the column goes with the parent's.
    async fn bound_heirs(
        &mut self,
        parent: &RelationStructure,
        column: &str,
    ) -> Result<Vec<RelationStructure>, Fault> {
        let heirs = structure::heirs(self.session(), parent.oid).await?.into_iter();
        Ok(heirs
            .filter_map(|heir| match heir {
                Structure::Relation(heir) => Some(*heir),
                _ => None,
            })
            .filter(|heir| heir.bound.is_none())
            .filter(|heir| heir.columns.iter().any(|it| it.name == *column && is_bound(it)))
            .collect())
    }

    /// Also from whom it is gone there: it goes with that one's own new form.
    async fn drop_alone(
        &mut self,
        parent: &RelationStructure,
        column: &ColumnStructure,
        heirs: Vec<RelationStructure>,
        note: &Note,
    ) -> Result<(), Fault> {
        let (table, name) = (qualified(&parent.schema, &parent.name), identifier(&column.name));
        let sql = format!("alter table only {table} drop column if exists {name} cascade");
        self.local(&sql, note).await?;
        for mut heir in heirs {
            for it in heir.columns.iter_mut().filter(|it| it.name == column.name) {
                (it.inherited, it.local) = (false, true);
            }
            structure::save(self.session(), &[Structure::Relation(Box::new(heir))]).await?;
        }
        Ok(())
    }

    /// It has left a parent that is gone already, and that one may be gone.
    pub(super) async fn inherits(&mut self, heir: &str, parent: &str) -> Result<bool, Fault> {
        let sql = "select from pg_inherits where inhrelid = to_regclass($1) and inhparent = to_regclass($2)";
        let row = self.session().query_opt(sql, &[&heir, &parent]).await;
        Ok(row.doing(format!("looking for the parents of {heir} on the target"))?.is_some())
    }

    /// It joins them again with its new form.
    async fn leave_for_a_while(
        &mut self,
        mut heir: Box<RelationStructure>,
        note: &Note,
    ) -> Result<(), Fault> {
        let table = qualified(&heir.schema, &heir.name);
        for parent in std::mem::take(&mut heir.parents) {
            // It may have been renamed since.
            let Some(parent) = self.known_table(parent.oid).await? else { continue };
            let parent = qualified(&parent.schema, &parent.name);
            if self.inherits(&table, &parent).await? {
                self.local(&format!("alter table {table} no inherit {parent}"), note).await?;
            }
        }
        for column in heir.columns.iter_mut().filter(|column| column.inherited) {
            (column.inherited, column.local) = (false, true);
            column.not_null_local |= column.not_null_inherited;
            column.not_null_inherited = false;
        }
        for constraint in &mut heir.constraints {
            constraint.inherited = false;
        }
        structure::save(self.session(), &[Structure::Relation(heir)]).await
    }
}

/// OID of `pg_class`.
const CLASSES: u32 = 1259;

const fn is_bound(column: &ColumnStructure) -> bool {
    column.inherited && !column.local
}

fn own<'a>(of: &'a RelationStructure, name: &str) -> Option<&'a ColumnStructure> {
    of.columns.iter().find(|column| column.name == name && column.local)
}

/// Whoever leaves a parent has all of its columns as its own, and that they stay when it is back. Which of several parents it left is not
/// to be seen: all are left then.
fn has_left_for_a_while(old: &RelationStructure, new: &RelationStructure) -> bool {
    let was_bound = |num: i16| old.columns.iter().any(|it| it.num == num && is_bound(it));
    let mut columns = new.columns.iter().filter(|it| was_bound(it.num)).peekable();
    let has_some = columns.peek().is_some();
    new.bound.is_none() && old.bound.is_none() && has_some && columns.all(|it| it.local)
}
