//! Tables that the source made while there was no slot: no message tells of them, and nothing of theirs would come.
use crate::{
    fault::Fault,
    postgres::Client,
    target::{apply::bring, ledger::Ledger, receive::Receiver, structure},
    wire::{RelationKind, Structure},
};

impl Receiver {
    /// Makes the tables that the held snapshot has and that are not known, with their schemas and sequences. Their rows are
    /// copied before the stream goes on ([`super::again`]). Whatever else was made meanwhile is no rows, and the cutover's
    /// comparison makes or tells it.
    pub(super) async fn make_tables_made_since(
        &self,
        client: &Client,
        ledger: Ledger,
    ) -> Result<(), Fault> {
        let mut new = Vec::new();
        for form in structure::fetch(&self.caller, Vec::new(), true).await? {
            let matters = match &form {
                Structure::Relation(relation) => {
                    matches!(relation.relkind, RelationKind::Table | RelationKind::Partitioned)
                }
                Structure::Schema(_) | Structure::Sequence(_) => true,
                _ => false,
            };
            if matters && structure::known(&**client, form.id()).await?.is_none() {
                new.push(form);
            }
        }
        if !new.iter().any(|form| matches!(form, Structure::Relation(_))) {
            return Ok(());
        }
        bring(self, ledger, parents_first(new), &[], &[]).await
    }
}

/// A table can be made once those that it inherits from are there.
pub(in crate::target) fn parents_first(mut forms: Vec<Structure>) -> Vec<Structure> {
    let mut ordered = Vec::with_capacity(forms.len());
    while !forms.is_empty() {
        let waits = |form: &Structure| match form {
            Structure::Relation(relation) => relation
                .parents
                .iter()
                .any(|parent| forms.iter().any(|other| other.id().1 == parent.oid)),
            _ => false,
        };
        let waiting: Vec<bool> = forms.iter().map(waits).collect();
        // No catalog has a circle.
        if waiting.iter().all(|waits| *waits) {
            ordered.append(&mut forms);
            break;
        }
        let mut waiting = waiting.into_iter();
        let (later, now): (Vec<_>, Vec<_>) =
            forms.into_iter().partition(|_| waiting.next().unwrap_or_default());
        ordered.extend(now);
        forms = later;
    }
    ordered
}
