//! Carries what a command on the source has dropped.
use whimbrel_proto::Lsn;

use super::change::Changes;
use crate::{
    fault::{Doing, Fault},
    target::{
        ddl::{Gone, gone},
        structure,
    },
    wire::{Dropped, Note, Structure},
};

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
        if let Some(Structure::Relation(mut table)) = of {
            if self.tables.is_ahead(table.oid, commit) {
                return Ok(());
            }
            if dropped.kind == "table column" {
                table.columns.retain(|column| i32::from(column.num) != dropped.part);
            }
            table.constraints.retain(|constraint| constraint.oid != dropped.oid);
            if dropped.kind == "default value"
                && dropped.told
                && let Some(name) = dropped.names.as_ref().and_then(|names| names.last())
                && let Some(column) = table.columns.iter_mut().find(|c| c.name == *name)
            {
                column.default = None;
            }
            structure::save(self.session(), &[Structure::Relation(table)]).await?;
        }
        if let Gone::Run(sql) = gone(dropped) {
            self.local(&sql, note).await?;
        }
        if dropped.part == 0 {
            structure::forget(self.session(), (dropped.class, dropped.oid)).await?;
        }
        if dropped.kind == "table" && self.tables.remove(dropped.oid) {
            self.session()
                .batch_execute(&format!(
                    "delete from whimbrel.part where source_oid = {0}; delete from whimbrel.relation where source_oid = {0}",
                    dropped.oid
                ))
                .await
                .doing("forgetting a table that was dropped")?;
            self.altered.catalog = true;
            self.resolve_again();
        }
        Ok(())
    }
}
