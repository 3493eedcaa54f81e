//! Carries what a command on the source has dropped.
use whimbrel_proto::Lsn;

use super::{change::Changes, find_out::TAG};
use crate::{
    fault::{Doing, Fault},
    postgres::qualified,
    target::{
        ddl::{Gone, gone},
        structure,
    },
    wire::{Dropped, Note, Relation, RelationStructure, Structure, TableIdentity},
};

/// OID of `pg_class`.
const CLASSES: u32 = 1259;

impl Changes {
    /// An object that is gone, here and in what the ledger knows.
    pub(super) async fn carry_drop(
        &mut self,
        dropped: &Dropped,
        note: &Note,
        commit: Lsn,
    ) -> Result<(), Fault> {
        if self.tables.is_ahead(dropped.oid, commit) {
            return Ok(());
        }
        let of = match dropped.names.as_deref() {
            Some([schema, table, _]) if dropped.part == 0 => {
                structure::named(self.session(), schema, table).await?
            }
            _ if dropped.part > 0 => {
                structure::known(self.session(), (dropped.class, dropped.oid)).await?
            }
            _ => None,
        };
        if dropped.kind == "table column" && dropped.told && note.tag != TAG {
            self.spare_told(dropped, note).await?;
        }
        let with_form = of.as_ref().is_some_and(|table| is_not_null(dropped, table));
        if let Some(Structure::Relation(mut table)) = of {
            if self.tables.is_ahead(table.oid, commit) {
                return Ok(());
            }
            self.take_from(&mut table, dropped);
            structure::save(self.session(), &[Structure::Relation(table)]).await?;
        }
        if let Gone::Run(sql) = gone(dropped)
            && !with_form
            && !self.goes_with_another(dropped).await?
            && !self.is_of_extension(dropped).await?
        {
            // What nobody told is looked at before (`find_out.rs`, `family.rs`), with the forms of all that is carried with it.
            if dropped.part == 0 && note.tag != TAG {
                // What let go of it there may have been told by nobody: the session had event triggers switched off.
                let only = std::slice::from_ref(dropped);
                self.keep_values(only, &note.objects, (&note.tag, &note.dropped)).await?;
            }
            self.local(&sql, note).await?;
        }
        if dropped.part == 0 {
            structure::forget(self.session(), (dropped.class, dropped.oid)).await?;
        }
        // Of whatever kind it was in the end: a rule can make a view of a table.
        if dropped.class == CLASSES && dropped.part == 0 {
            self.forget_table(dropped.oid).await?;
            // Else one of its words that is made later would be taken for it. Those of a table go with its form, and are many, but rows
            // that are told whole may be found by one whose table stays.
            if dropped.kind == "index"
                && (note.dropped.iter().all(|other| other.kind != "table")
                    || self.tables.finds_whole_rows_by_a_key())
            {
                self.forget_index(dropped).await?;
            }
        }
        Ok(())
    }

    /// What is dropped is no part of the table any more.
    fn take_from(&mut self, table: &mut RelationStructure, dropped: &Dropped) {
        let name = dropped.names.as_ref().and_then(|names| names.last());
        if dropped.kind == "table column" {
            table.columns.retain(|column| i32::from(column.num) != dropped.part);
            if let Some(name) = name {
                table.stored.retain(|column| column.name != *name);
                self.forget_column(table.oid, name);
            }
        }
        table.constraints.retain(|constraint| constraint.oid != dropped.oid);
        if dropped.kind == "default value"
            && dropped.told
            && let Some(name) = name
            && let Some(column) = table.columns.iter_mut().find(|c| c.name == *name)
        {
            column.default = None;
        }
    }

    /// A column is gone. A table that is altered tells its new form, but not one that loses it with the column's type.
    fn forget_column(&mut self, table: u32, name: &str) {
        let Some(mut relation) = self.tables.relation(table).cloned() else { return };
        relation.columns.retain(|column| column.name != name);
        self.tables.put(relation);
        self.altered.catalog = true;
        self.resolve_again();
    }

    /// A unique index of a table that tells its rows whole may be the one by which they are found here: whole from now on. A
    /// command that alters the table tells its form again.
    async fn forget_index(&mut self, index: &Dropped) -> Result<(), Fault> {
        let name = match index.names.as_deref() {
            Some([schema, name]) => Some((schema.as_str(), name.as_str())),
            _ => None,
        };
        let table = structure::forget_index(self.session(), index.oid, name).await?;
        let relation = table.and_then(|table| self.tables.relation(table).cloned());
        let is_whole = |relation: &Relation| relation.identity == TableIdentity::Full;
        let Some(mut relation) = relation.filter(is_whole) else { return Ok(()) };
        for column in &mut relation.columns {
            column.key = None;
        }
        self.tables.put(relation);
        self.altered.catalog = true;
        self.resolve_again();
        Ok(())
    }

    /// A table is gone, or is none any more: nothing of it is streamed, compared or copied.
    pub(super) async fn forget_table(&mut self, oid: u32) -> Result<(), Fault> {
        if !self.tables.remove(oid) {
            return Ok(());
        }
        self.session()
            .batch_execute(&format!(
                "delete from whimbrel.part where source_oid = {oid}; delete from whimbrel.relation where source_oid = {oid}"
            ))
            .await
            .doing("forgetting a table that was dropped")?;
        self.altered.catalog = true;
        self.resolve_again();
        Ok(())
    }

    /// Objects are told in any order: an heir's column or constraint can't be dropped here before its parent's, and goes
    /// with it; a default may have gone with its column, and a generated column's can't go without it.
    async fn goes_with_another(&mut self, dropped: &Dropped) -> Result<bool, Fault> {
        let sql = match dropped.kind.as_str() {
            "table constraint" => {
                "select exists (select from pg_constraint where conrelid = to_regclass($1) and conname = $2 \
                 and coninhcount > 0)"
            }
            "table column" => {
                "select exists (select from pg_attribute where attrelid = to_regclass($1) and attname = $2 \
                 and attinhcount > 0) \
                 or exists (select from pg_class where oid = to_regclass($1) and reloftype <> 0)"
            }
            "default value" => {
                "select not exists (select from pg_attribute where attrelid = to_regclass($1) and attname = $2 \
                 and not attisdropped and attgenerated = '')"
            }
            _ => return Ok(false),
        };
        let Some([schema, table, part]) = dropped.names.as_deref() else { return Ok(false) };
        let row = self
            .session()
            .query_one(sql, &[&qualified(schema, table), part])
            .await
            .doing(format!("looking at {part} of {schema}.{table} on the target"))?;
        Ok(row.get(0))
    }

    /// The script that updates an extension drops what was a part of it, and each drop is told; what is a part of it here goes
    /// by the same script, if it goes.
    pub(super) async fn is_of_extension(&mut self, dropped: &Dropped) -> Result<bool, Fault> {
        let sql = "select exists (select from pg_depend d \
                   cross join lateral pg_identify_object(d.classid, d.objid, 0) o \
                   where d.deptype = 'e' and o.type = $1 and o.identity = $2)";
        let row = self
            .session()
            .query_one(sql, &[&dropped.kind, &dropped.identity])
            .await
            .doing(format!("looking for {} in the target's extensions", dropped.identity))?;
        Ok(row.get(0))
    }
}

/// A not-null constraint (18): its table's new form, which the same command tells, takes it away, behind the key or identity
/// that needs it.
fn is_not_null(dropped: &Dropped, known: &Structure) -> bool {
    let Structure::Relation(table) = known else { return false };
    let name = dropped.names.as_ref().and_then(|names| names.last());
    dropped.kind == "table constraint"
        && name.is_some()
        && table.columns.iter().any(|column| column.not_null_name.as_ref() == name)
}
