//! What a change is made of and the stream does not carry: the change is tried once more behind it.
use super::{
    change::Changes,
    not_carried::{lacks_something, missing_role, not_carried},
};
use crate::{
    fault::{Doing, Fault, Policy},
    target::early::{Early, make_early},
    wire::{Note, Structure},
};

/// A savepoint, before an object's statements.
const BEFORE: &str = "whimbrel_lacking";

impl Changes {
    /// Runs what makes an object. When something is missing for it, a dump of the source tells what there is of kinds that are
    /// made at the cutover only, and that is made here, in the group's transaction. One dump for each change: it ends with the
    /// first that did not help.
    ///
    /// # Errors
    /// A hold when the target refuses it still.
    pub(super) async fn execute_behind_what_it_lacks(
        &mut self,
        statements: Vec<String>,
        (old, new): (Option<&Structure>, &Structure),
        note: &Note,
    ) -> Result<(), Fault> {
        if statements.is_empty() {
            return Ok(());
        }
        let label = new.label();
        let doing = format!("carrying {} of {label}", note.tag);
        self.at_savepoint("savepoint", &doing).await?;
        let refused = match self.execute_on_cleared_way(&statements, (old, new), &doing, note).await
        {
            Ok(()) => return self.at_savepoint("release", &doing).await,
            Err(fault) if fault.policy != Policy::Hold => return Err(fault),
            Err(fault) if !self.may_dump || !lacks_something(&fault.message) => {
                return Err(not_carried(note, &label, &fault.message, &statements));
            }
            Err(fault) => fault,
        };
        self.at_savepoint("rollback to", &doing).await?;
        let Early { made, refused: unmade } = self.make_what_is_new(&refused).await?;
        if made.is_empty() {
            let role = unmade.iter().find(|fault| missing_role(&fault.message).is_some());
            let what = &role.unwrap_or(&refused).message;
            return Err(not_carried(note, &label, what, &statements));
        }
        let again = self.execute_on_cleared_way(&statements, (old, new), &doing, note).await;
        let Err(fault) = again else {
            return self.at_savepoint("release", &doing).await;
        };
        if fault.policy != Policy::Hold {
            return Err(fault);
        }
        // All of it is rolled back with the group. What did not help is no part of the way out.
        let helped = fault.message != refused.message;
        let before = made
            .iter()
            .filter(|_| helped)
            .map(|entry| entry.sql.trim().trim_end_matches(';').to_owned());
        let all: Vec<String> = before.chain(statements).collect();
        Err(not_carried(note, &label, &fault.message, &all))
    }

    /// A cast must be here before it is used: without it the server converts by the types' texts, which is no error, and is
    /// written alike.
    pub(super) async fn carry_cast(&mut self, note: &Note) -> Result<(), Fault> {
        if note.tag == "CREATE CAST" {
            // Without a dump nobody would see it: it holds here.
            self.make_from_dump("a cast was made").await?;
        }
        Ok(())
    }

    /// Without a dump there is nothing to be made, and `refused` is what a person is told.
    pub(super) async fn make_what_is_new(&mut self, refused: &Fault) -> Result<Early, Fault> {
        match self.make_from_dump(&refused.message).await {
            Err(fault) if fault.policy == Policy::Hold => {
                tracing::warn!(%fault, "the source could not be dumped");
                Ok(Early::default())
            }
            other => other,
        }
    }

    async fn make_from_dump(&mut self, why: &str) -> Result<Early, Fault> {
        tracing::info!(why, "something is missing for a change: a dump of the source may have it");
        let catalog = self.tables.catalog();
        let (from, to) = (catalog.server_version / 10_000, self.server_major());
        let restore = &self.programs.dump_for(from, to)?.restore;
        let early = make_early(self.session(), &self.caller, restore, catalog, to).await?;
        let names: Vec<String> =
            early.made.iter().map(|e| format!("{} {}", e.kind, e.tag)).collect();
        tracing::info!(made = names.join(", "), "made from a dump of the source");
        Ok(early)
    }

    async fn at_savepoint(&mut self, what: &str, doing: &str) -> Result<(), Fault> {
        self.session().batch_execute(&format!("{what} {BEFORE}")).await.doing(doing)
    }
}
