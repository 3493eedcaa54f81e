//! What the source has changed while there was no slot: no message tells of it, and no row of the stream either.
//!
//! The ledger knows the form that everything had when the stream was lost, with all that was carried before, and the new slot's
//! snapshot has the form of now. So what differs is what was missed, and nothing else is spoken of.
use std::collections::HashSet;

use super::{finish::run_entry, leave::named};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{
        apply::{bring, bring_then_drop},
        fact::Fact,
        ledger::Ledger,
        receive::Receiver,
        schema::Plan,
        structure::{self, Forms},
        untold::{is_here, is_same, names_of_gone, shared_name},
    },
    wire::{Answer, Ask, Structure, unexpected_answer},
};

/// How the held snapshot differs from what the ledger knows.
struct Missed {
    /// New forms, parents first.
    forms: Vec<Structure>,
    /// What a person has made here because it could not be carried.
    by_hand: Vec<Structure>,
    /// What the snapshot has no more.
    gone: Vec<Structure>,
}

impl Missed {
    fn tables(&self) -> Vec<u32> {
        let tables = self.forms.iter().filter(|form| is_table(form));
        tables.map(|form| form.id().1).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.forms.iter().chain(&self.gone).map(Structure::label).collect()
    }
}

impl Receiver {
    /// Gives everything here the form that it has in the held snapshot; what is gone goes. A table that is new waits for its rows
    /// in the ledger ([`super::again`]), and so does one whose copy was cut. The others keep what they have: it is compared before
    /// it is copied again.
    ///
    /// # Errors
    /// A hold, with the statements, when something can't be carried.
    pub(super) async fn bring_what_was_missed(
        &self,
        client: &mut Client,
        ledger: Ledger,
        plan: &Plan,
    ) -> Result<(), Fault> {
        let now = structure::fetch(&self.caller, Vec::new(), true).await?;
        let mut known = structure::all(&**client).await?;
        // With its event triggers too: there was no stream for what they told.
        let aside = self.set_aside(client, ledger, &known, &now).await?;
        if aside {
            known = structure::all(&**client).await?;
        }
        let mut missed = self.missed(client, known.clone(), &now).await?;
        let labels = missed.labels();
        if labels.is_empty() && missed.by_hand.is_empty() {
            return Ok(());
        }
        self.progress.operation("carrying what the source has changed while there was no slot");
        // Something may be of a role that is new.
        if self.spec.migrate_roles {
            self.make_roles().await?;
        }
        // By themselves: what else is new may use an enum's new label.
        if self.bring_needs_of(client, ledger, &known, &now).await? > 0 {
            missed = self.missed(client, structure::all(&**client).await?, &now).await?;
        }
        self.know(client, ledger, &missed.by_hand).await?;
        self.leave_half_copied(client, ledger, plan, &missed.tables()).await?;
        self.bring_missed(ledger, missed, aside).await?;
        if !labels.is_empty() {
            let text = format!(
                "there was no slot to tell of these, they are as the source has them now: {}",
                named(&labels)
            );
            self.tell(Fact::Milestone("SchemaTakenOver", text)).await;
        }
        Ok(())
    }

    /// `aside`: a type is, whose drop would take columns along. Without rows they take its successor.
    async fn bring_missed(&self, ledger: Ledger, missed: Missed, aside: bool) -> Result<(), Fault> {
        let tables = missed.tables();
        let Missed { forms, gone, .. } = missed;
        if forms.is_empty() && gone.is_empty() {
            return Ok(());
        }
        for emptied in [&[], &*tables].into_iter().filter(|_| aside) {
            match bring_then_drop(self, ledger, forms.clone(), &gone, emptied).await {
                Err(fault) if fault.policy == Policy::Hold => {}
                brought => return brought,
            }
        }
        match bring(self, ledger, forms.clone(), &gone, &[]).await {
            // Rows that are older than the new form may stand in its way: without them it goes, and all of them come again.
            Err(fault) if fault.policy == Policy::Hold && !tables.is_empty() => {
                bring(self, ledger, forms, &gone, &tables).await
            }
            brought => brought,
        }
    }

    async fn missed(
        &self,
        client: &Client,
        mut known: Forms,
        now: &[Structure],
    ) -> Result<Missed, Fault> {
        let names_gone = names_of_gone(&known, now);
        let (mut forms, mut by_hand) = (Vec::new(), Vec::new());
        for form in now {
            let before = known.remove(&form.id());
            if is_same(before.as_ref(), form) {
                continue;
            }
            // What is here under the name of something gone is that, and nobody has made it.
            let is_anew = names_gone.contains(&shared_name(form));
            let made = before.is_none() && !is_anew && is_here(&**client, form).await?;
            if made { by_hand.push(form.clone()) } else { forms.push(form.clone()) }
        }
        let gone = self.gone_from_snapshot(known).await?;
        Ok(Missed { forms: super::parents_first(forms), by_hand, gone })
    }

    /// What is known, and was not in the snapshot, because it is gone. What is no longer chosen is not to be told from that, but for
    /// tables.
    async fn gone_from_snapshot(&self, mut missing: Forms) -> Result<Vec<Structure>, Fault> {
        // The next dump tells whether it is.
        missing.retain(|_, form| !form.is_foreign());
        if missing.is_empty() || self.spec.selected.is_everything() {
            return Ok(missing.into_values().collect());
        }
        let Answer::Files(files) = self.caller.ask(Ask::Files { under_snapshot: true }).await?
        else {
            return Err(unexpected_answer());
        };
        let there: HashSet<u32> = files.into_iter().map(|(oid, _)| oid).collect();
        let is_gone = |form: &Structure| is_table(form) && !there.contains(&form.id().1);
        Ok(missing.into_values().filter(is_gone).collect())
    }

    /// Tables whose rows were not here yet. Keys and indexes come with the rows, and a new form speaks of them: they are made now,
    /// of nothing.
    async fn leave_half_copied(
        &self,
        client: &mut Client,
        ledger: Ledger,
        plan: &Plan,
        tables: &[u32],
    ) -> Result<(), Fault> {
        let sql = "select source_oid from whimbrel.relation \
                   where not copied and not stale and source_oid = any($1)";
        let doing = "looking for tables whose copy was cut";
        let rows = client.query(sql, &[&tables]).await.doing(doing)?;
        let half: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
        let catalog = self.catalog(client).await?;
        self.leave_to_stream(client, ledger, &catalog, &half).await?;
        for built in half.iter().filter_map(|table| plan.by_table.get(table)) {
            for entry in built.keys.iter().chain(&built.indexes) {
                run_entry(client, ledger, entry).await?;
            }
        }
        Ok(())
    }
}

fn is_table(form: &Structure) -> bool {
    matches!(form, Structure::Relation(of) if of.relkind.is_table())
}
