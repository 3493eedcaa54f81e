//! What is in the way of a table's new form where no event trigger tells a change: a view of a column that gets another type,
//! a function whose body is made of it.
//!
//! The source refuses that as any server does: whoever altered the column there has dropped the view before, and made another
//! one of its name behind it, or has replaced the function, for a while or for good. Only the table's form is carried at its
//! place, so what hangs on the column here is taken away first and forgotten: it has no rows of its own, and is not needed
//! before the switch. The cutover makes what the source has of it by then.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::{
    change::Changes,
    find_out::{TAG, dropped},
    not_carried::has_state,
};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::qualified,
    target::{documents, load::parents_first, redump::bare, structure},
    wire::{ColumnStructure, Dropped, Note, RelationKind, RelationStructure, Structure},
};

/// A savepoint, before the statements that something may be in the way of.
const BEFORE_CLEARED: &str = "whimbrel_cleared";

impl Changes {
    /// Runs what gives an object its form, and once more when what was in its way here is taken away. `old`: the form that it has
    /// here.
    ///
    /// # Errors
    /// The server's; with the names of what it may be about.
    pub(super) async fn execute_on_cleared_way(
        &mut self,
        statements: &[String],
        (old, new): (Option<&Structure>, &Structure),
        doing: &str,
        note: &Note,
    ) -> Result<(), Fault> {
        let (Some(Structure::Relation(old)), Structure::Relation(new)) = (old, new) else {
            return self.execute_over_rows(statements, doing, note).await;
        };
        if note.tag != TAG {
            return self.execute_over_rows(statements, doing, note).await;
        }
        // CASCADE would take along what the cutover then takes for being here.
        let lost = altered_columns(old, new, |_, _| true);
        self.clear_the_way(old, &lost, note).await?;
        // In the cutover it is known what is gone, and what comes in its place.
        if !self.may_dump {
            return self.execute_over_rows(statements, doing, note).await;
        }
        let savepoint = format!("savepoint {BEFORE_CLEARED}");
        self.session().batch_execute(&savepoint).await.doing(doing)?;
        let release = format!("release {savepoint}");
        match self.execute_over_rows(statements, doing, note).await {
            Ok(()) => return self.session().batch_execute(&release).await.doing(doing),
            Err(fault) if fault.policy == Policy::Hold && is_hindered(&fault.message) => {}
            Err(fault) => return Err(fault),
        }
        let back = format!("rollback to {savepoint}; {release}");
        self.session().batch_execute(&back).await.doing(doing)?;
        let altered = altered_columns(old, new, is_alike);
        let stay = self.clear_the_way(old, &altered, note).await?;
        let result = self.execute_over_rows(statements, doing, note).await;
        result.map_err(|fault| name_what_stays(fault, &stay))
    }

    /// Drops what is known and hangs on these columns, unless something else hangs on it. What stays, as labels.
    async fn clear_the_way(
        &mut self,
        table: &RelationStructure,
        columns: &[String],
        note: &Note,
    ) -> Result<Vec<String>, Fault> {
        let hanging = self.hanging_on(table, columns).await?;
        let forms = self.known_of(&hanging, note).await?;
        let away: Vec<Dropped> = forms.iter().filter_map(dropped).collect();
        let left = self.drop_free(&away).await?;
        let mut gone = HashSet::new();
        for form in &forms {
            if left.iter().all(|left| (left.class, left.oid) != form.id()) {
                structure::forget(self.session(), form.id()).await?;
                gone.insert(bare(&form.label()));
                if !self.may_dump {
                    self.altered.cleared.push(form.id());
                }
            }
        }
        if !gone.is_empty() {
            tracing::info!(
                ?gone,
                table = table.name,
                "dropped: in the way of the table's new form"
            );
            documents::mark(self.session(), documents::DROPPED).await?;
        }
        Ok(hanging.into_iter().filter(|label| !gone.contains(&bare(label))).collect())
    }

    /// Makes again what was taken away in the cutover, which has looked already for what is new. What does not go is told when the
    /// schemas are compared.
    pub(super) async fn bring_cleared(&mut self, commit: Lsn) -> Result<(), Fault> {
        let cleared = std::mem::take(&mut self.altered.cleared);
        if cleared.is_empty() {
            return Ok(());
        }
        let mut objects = structure::fetch(&self.caller, Vec::new(), false).await?;
        objects.retain(|form| cleared.contains(&form.id()));
        let note = Note { tag: TAG.into(), objects: parents_first(objects), ..Note::default() };
        if let Some((_, fault)) = self.carry_late(&note, commit).await? {
            tracing::warn!(%fault, "what was dropped for another object's form can't be made again");
        }
        Ok(())
    }

    /// Views and functions here that hang on columns which get another form.
    async fn hanging_on(
        &mut self,
        table: &RelationStructure,
        columns: &[String],
    ) -> Result<Vec<String>, Fault> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let table = qualified(&table.schema, &table.name);
        let rows = self
            .session()
            .query(include_str!("in_the_way.sql"), &[&table, &columns])
            .await
            .doing(format!("looking for what hangs on {table} on the target"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Their known forms, but for what the same change brings.
    async fn known_of(&mut self, labels: &[String], note: &Note) -> Result<Vec<Structure>, Fault> {
        let mut wanted: HashSet<String> = labels.iter().map(|label| bare(label)).collect();
        for brought in &note.objects {
            wanted.remove(&bare(&brought.label()));
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let known = structure::all(self.session()).await?;
        let is_wanted =
            |form: &Structure| has_no_rows(form) && wanted.contains(&bare(&form.label()));
        Ok(known.into_values().filter(is_wanted).collect())
    }
}

/// A feature that is not supported, or what depends on it: the words are of the server's language.
fn is_hindered(message: &str) -> bool {
    has_state(message, "0A000") || has_state(message, "2BP01")
}

fn has_no_rows(form: &Structure) -> bool {
    match form {
        Structure::Relation(of) => {
            [RelationKind::View, RelationKind::MaterializedView].contains(&of.relkind)
        }
        Structure::Function(_) => true,
        _ => false,
    }
}

/// Names that columns have here which are gone, or not as before.
fn altered_columns(
    old: &RelationStructure,
    new: &RelationStructure,
    stays: impl Fn(&ColumnStructure, &ColumnStructure) -> bool,
) -> Vec<String> {
    let now = |num: i16| new.columns.iter().find(|column| column.num == num);
    let altered =
        old.columns.iter().filter(|column| now(column.num).is_none_or(|now| !stays(column, now)));
    altered.map(|column| column.name.clone()).collect()
}

fn is_alike(old: &ColumnStructure, new: &ColumnStructure) -> bool {
    (&old.type_name, &old.collation, &old.generated)
        == (&new.type_name, &new.collation, &new.generated)
}

/// The server's own message names none.
fn name_what_stays(fault: Fault, stay: &[String]) -> Fault {
    if stay.is_empty() || fault.policy != Policy::Hold || !is_hindered(&fault.message) {
        return fault;
    }
    let message = format!(
        "to be dropped on the target first may be what hangs on it there, since the source has told none of it or something \
         hangs on it in turn ({}): {}",
        stay.join(", "),
        fault.message
    );
    Fault { message, ..fault }
}
