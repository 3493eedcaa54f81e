//! Foreign keys in the way of a change of the source's schema.
use super::change::Changes;
use crate::{
    fault::{Doing, Fault},
    postgres::qualified,
    target::documents,
    wire::{Note, RelationStructure},
};

impl Changes {
    /// Columns take another type while their table waits for its rows: the server would make the foreign keys to them anew,
    /// over rows that refer to none yet. They go, and the cutover makes them.
    pub(super) async fn drop_keys_to_retyped(
        &mut self,
        old: &RelationStructure,
        new: &RelationStructure,
        note: &Note,
    ) -> Result<(), Fault> {
        let columns = retyped(old, new);
        if columns.is_empty() {
            return Ok(());
        }
        let table = qualified(&old.schema, &old.name);
        let rows = self
            .session()
            .query(include_str!("keys_to.sql"), &[&table, &columns])
            .await
            .doing(format!("looking at the foreign keys that refer to {table}"))?;
        for row in &rows {
            self.local(row.get(0), note).await?;
        }
        if !rows.is_empty() {
            documents::mark(self.session(), documents::DROPPED).await?;
        }
        Ok(())
    }
}

/// The columns that have another type now, by their old names.
fn retyped<'a>(old: &'a RelationStructure, new: &RelationStructure) -> Vec<&'a str> {
    let is_other = |num, type_name: &str| {
        new.columns.iter().any(|column| column.num == num && column.type_name != type_name)
    };
    let columns = old.columns.iter().filter(|column| is_other(column.num, &column.type_name));
    columns.map(|column| column.name.as_str()).collect()
}
