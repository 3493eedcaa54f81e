//! Partitions that have exchanged their places, or handed them on in a ring, where no event trigger tells the steps.
//!
//! A partition joins with its new bound only when nobody has that place any more, and of a ring none can be the first to go. So
//! those that change their place leave it before any of them gets its new form, by which it joins again.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::change::Changes;
use crate::{
    fault::Fault,
    postgres::qualified,
    target::structure,
    wire::{Note, RelationStructure, Structure},
};

impl Changes {
    /// Detaches those of the note's objects that are partitions in other places by now, if they are several. Which: none of them may
    /// stay without its new form.
    pub(super) async fn leave_old_places(
        &mut self,
        note: &Note,
        commit: Lsn,
    ) -> Result<HashSet<(u32, u32)>, Fault> {
        self.write_rows_before().await?;
        let (mut moving, mut left) = (Vec::new(), HashSet::new());
        for object in &note.objects {
            let Structure::Relation(new) = object else { continue };
            if new.bound.is_none() || self.tables.is_ahead(new.oid, commit) {
                continue;
            }
            let known = structure::known(self.session(), object.id()).await?;
            if let Some(Structure::Relation(old)) = known
                && is_elsewhere(&old, new)
            {
                moving.push(old);
            }
        }
        // One by itself goes with its new form.
        if moving.len() < 2 {
            return Ok(left);
        }
        for old in moving {
            let id = (old.class, old.oid);
            if self.leave_old_place(*old).await? {
                left.insert(id);
            }
        }
        Ok(left)
    }

    /// `false`: it can't, or is no partition of that parent here; its new form tells why.
    async fn leave_old_place(&mut self, old: RelationStructure) -> Result<bool, Fault> {
        let Some(parent) = old.parents.first() else { return Ok(false) };
        // It may have been renamed since.
        let known = structure::known(self.session(), (old.class, parent.oid)).await?;
        let Some(Structure::Relation(parent)) = known else { return Ok(false) };
        let table = qualified(&old.schema, &old.name);
        let of = qualified(&parent.schema, &parent.name);
        if !self.inherits(&table, &of).await? {
            return Ok(false);
        }
        let doing = format!("taking partition {table} out of {of} on the target");
        let detach = [format!("alter table {of} detach partition {table}")];
        let left = self.attempt(&detach, &doing).await?;
        if left {
            let form = detached(old, parent.oid);
            structure::save(self.session(), &[Structure::Relation(Box::new(form))]).await?;
        }
        Ok(left)
    }
}

/// A partition has another bound, or another parent.
pub(in crate::target) fn is_elsewhere(old: &RelationStructure, new: &RelationStructure) -> bool {
    let parent = |of: &RelationStructure| of.parents.first().map(|parent| parent.oid);
    old.bound.is_some() && (old.bound != new.bound || parent(old) != parent(new))
}

/// The form of a partition that has left its parent: what it had of that is its own.
pub(super) fn detached(mut of: RelationStructure, parent: u32) -> RelationStructure {
    of.parents.retain(|it| it.oid != parent);
    of.bound = None;
    for column in &mut of.columns {
        (column.inherited, column.local) = (false, true);
        (column.not_null_inherited, column.not_null_local) = (false, column.not_null);
    }
    for constraint in &mut of.constraints {
        constraint.inherited = false;
        constraint.parent_index = None;
    }
    for index in &mut of.indexes {
        index.parent = None;
    }
    of
}
