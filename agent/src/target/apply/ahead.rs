//! What a command brings of a table whose copy is newer than it: the defaults alone.
//!
//! The copy came with all that its snapshot had, but for what was made of something that was still in the stream (a new sequence, a
//! new function): only behind that, at the command's own place, can it be set. All commands that are older than the copy pass
//! here in their order, so the last of them leaves what the snapshot had.
use super::{change::Changes, find_out::TAG};
use crate::{
    fault::Fault,
    target::{
        ddl::{self, Around, numbered},
        structure,
    },
    wire::{ColumnStructure, Note, RelationStructure, Structure},
};

impl Changes {
    /// Gives the table's columns the defaults that they were `told` with, and what kind of identity they are. What can't be set is left
    /// to later commands, and to the cutover's comparison.
    pub(super) async fn carry_defaults(
        &mut self,
        known: Option<Structure>,
        told: &RelationStructure,
        note: &Note,
    ) -> Result<(), Fault> {
        let Some(Structure::Relation(mut known)) = known else { return Ok(()) };
        // Where no command is told the form is that of now, and the cutover sets what is missing.
        if note.tag == TAG || !known.relkind.is_table() {
            return Ok(());
        }
        let here = self.form_here(&known.schema, &known.name).await?;
        let Some(Structure::Relation(here)) = here else { return Ok(()) };
        let here = numbered(&here, Some(&known), &known);
        let before = known.clone();
        for column in &told.columns {
            let Some(at) = known.columns.iter().position(|it| is_same_column(it, column)) else {
                continue;
            };
            if self.set_default(&here, column).await? {
                known.columns[at].default.clone_from(&column.default);
            }
            known.columns[at].identity.clone_from(&column.identity);
        }
        if known != before {
            self.know_identities(&mut known);
            structure::save(self.session(), &[Structure::Relation(known)]).await?;
        }
        Ok(())
    }

    /// `false`: it can't be set yet. Its table is no matter of this command, which must not end the stream.
    async fn set_default(
        &mut self,
        here: &RelationStructure,
        told: &ColumnStructure,
    ) -> Result<bool, Fault> {
        let mut new = here.clone();
        let Some(column) = new.columns.iter_mut().find(|it| it.num == told.num) else {
            return Ok(false);
        };
        column.default.clone_from(&told.default);
        let [old, new] = [here.clone(), new].map(|form| Structure::Relation(Box::new(form)));
        let Ok(statements) = ddl::statements(Some(&old), &new, Around::default()) else {
            return Ok(false);
        };
        if statements.is_empty() {
            return Ok(true);
        }
        let doing = format!("setting a default of {}", new.label());
        self.attempt(&statements, &doing).await
    }

    /// GENERATED ALWAYS comes with the switch, which asks the catalog.
    fn know_identities(&mut self, form: &mut RelationStructure) {
        let always = |name: &str| {
            form.columns.iter().any(|column| column.name == name && column.identity == "a")
        };
        for column in &mut form.stored {
            column.identity_always = always(&column.name);
        }
        let Some(mut relation) = self.tables.relation(form.oid).cloned() else { return };
        for column in &mut relation.columns {
            column.identity_always = always(&column.name);
        }
        self.tables.put(relation);
        self.altered.catalog = true;
    }
}

/// What it is made of is the same in both forms, and an identity is one in both.
fn is_same_column(known: &ColumnStructure, told: &ColumnStructure) -> bool {
    let of = |it: &ColumnStructure| {
        (it.num, it.type_oid, it.typmod, it.generated.is_empty(), it.sequence.is_some())
    };
    of(known) == of(told) && told.generated.is_empty()
}
