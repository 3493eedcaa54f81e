//! Where no event trigger tells a change of the source's schema: the stream's own word of a table's columns differs from what
//! is known, and the source's catalog is asked at that moment.
//!
//! Any change of a table's columns makes the stream tell them again before its next row, so this is the place of the change
//! among the table's rows. What the catalog says is of a moment later, and can be carried here only if it is the form that
//! the stream tells, column by column, and the table was not rewritten; otherwise the table's rows are copied again.
use whimbrel_proto::Lsn;

use super::{change::Changes, table::unlike};
use crate::{
    fault::Fault,
    replication::pgoutput,
    target::structure,
    wire::{Note, RelationStructure, Structure},
};

/// As `pg_event_trigger_table_rewrite_reason` has it: a column's type.
const REWRITTEN: u32 = 4;

impl Changes {
    /// Learns what has become of a table. `fault`: how it differs from what is known.
    pub(super) async fn find_out(
        &mut self,
        told: &pgoutput::Relation,
        commit: Lsn,
        fault: Fault,
    ) -> Result<(), Fault> {
        let forms = structure::fetch(&self.caller, vec![told.id], false).await?;
        let form = forms.into_iter().find_map(|form| match form {
            Structure::Relation(form) if form.oid == told.id => Some(form),
            _ => None,
        });
        let Some(form) = form else {
            self.tables.is_gone(told.id);
            return Ok(());
        };
        tracing::info!(table = %fault.message, "the source's catalog tells what has changed");
        let known = match structure::known(self.session(), (form.class, form.oid)).await? {
            Some(Structure::Relation(known)) => Some(known),
            _ => None,
        };
        let certain = known.is_some_and(|known| is_the_change(&known, &form, told));
        let note = Note {
            tag: "a change of the schema".into(),
            rewritten: (!certain).then_some(told.id),
            reason: REWRITTEN,
            objects: vec![Structure::Relation(form)],
            ..Note::default()
        };
        self.carry(&note, commit).await
    }
}

/// Whether what is in the catalog now is what the stream tells, and nothing but that has happened to older rows.
fn is_the_change(
    known: &RelationStructure,
    now: &RelationStructure,
    told: &pgoutput::Relation,
) -> bool {
    let renumbered = now.columns.iter().any(|column| {
        known.columns.iter().any(|old| old.name == column.name && old.num != column.num)
    });
    known.file == now.file && !renumbered && unlike(&now.stored, told).is_none()
}
