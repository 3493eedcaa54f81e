//! What has become of the source's schema without a word in the stream, where no event trigger of ours tells it: a new table, a
//! new index, a constraint. The stream's own word of a table tells columns alone, and only before its next row.
//!
//! It is carried in the cutover, when the stream stands at its end and the source should be quiet: then it has no place
//! among rows. A table that is new, or that has another file now, is copied.
use tokio_postgres::GenericClient;

use super::{
    apply::bring,
    ddl::{self, Around},
    ledger::Ledger,
    load::parents_first,
    receive::Receiver,
    structure,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    wire::{Answer, Ask, Relation, Structure, unexpected_answer},
};

impl Receiver {
    /// Gives everything here the form that it has on the source now; the tables whose rows are to be copied.
    ///
    /// # Errors
    /// A hold, with the statements, when something can't be carried.
    pub(crate) async fn carry_untold(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<Vec<Relation>, Fault> {
        let Answer::Followed(followed) = self.caller.ask(Ask::Followed).await? else {
            return Err(unexpected_answer());
        };
        if followed {
            return Ok(Vec::new());
        }
        let mut known = structure::all(&**session).await?;
        let (mut untold, mut by_hand, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        for form in structure::fetch(&self.caller, Vec::new(), false).await? {
            let before = known.remove(&form.id());
            let before = before.as_ref();
            if matches!(form, Structure::Extension(_)) || is_same(before, &form) {
                continue;
            }
            if before.is_none() && is_here(&**session, &form).await? {
                by_hand.push(form);
                continue;
            }
            if has_other_rows(before, &form) {
                copied.push(form.id().1);
            }
            untold.push(form);
        }
        self.know(session, ledger, &by_hand).await?;
        // What is no longer chosen is not to be told from what is gone.
        let whole = self.spec.selected.is_everything();
        let gone: Vec<Structure> = known.into_values().filter(|_| whole).collect();
        if untold.is_empty() && gone.is_empty() {
            return Ok(Vec::new());
        }
        // From here on their changes are in the stream; their rows are read after that.
        self.caller.ask(Ask::Publish).await?;
        bring(self, ledger, parents_first(untold), &gone, &copied).await?;
        let catalog = self.catalog(session).await?;
        let relations = catalog.relations.iter();
        Ok(relations.filter(|relation| copied.contains(&relation.oid)).cloned().collect())
    }

    /// What a person has made is taken as it is; the comparison of the shapes tells whether it is as on the source.
    async fn know(
        &self,
        session: &mut Client,
        ledger: Ledger,
        forms: &[Structure],
    ) -> Result<(), Fault> {
        if forms.is_empty() {
            return Ok(());
        }
        let doing = "keeping in the ledger what was made on the target by hand";
        let tx = session.transaction().await.doing(doing)?;
        structure::save(&tx, forms).await?;
        ledger.commit(tx, doing).await
    }
}

fn is_same(before: Option<&Structure>, now: &Structure) -> bool {
    before.is_some() && ddl::statements(before, now, Around::default()) == Ok(Vec::new())
}

/// Rows that no message brought: of a table that was not known, or that was rewritten.
fn has_other_rows(before: Option<&Structure>, now: &Structure) -> bool {
    match (before, now) {
        (Some(Structure::Relation(before)), Structure::Relation(now)) => before.file != now.file,
        (None, Structure::Relation(_)) => true,
        _ => false,
    }
}

/// An object of the name is on the target. Relations and functions are compared, or replaced, when they are carried.
pub(super) async fn is_here(session: &impl GenericClient, form: &Structure) -> Result<bool, Fault> {
    let (sql, name) = match form {
        Structure::Schema(of) => {
            ("select exists (select from pg_namespace where nspname = $1)", of.name.clone())
        }
        Structure::Sequence(of) => {
            ("select to_regclass($1) is not null", qualified(&of.schema, &of.name))
        }
        Structure::Type(of) => {
            ("select to_regtype($1) is not null", qualified(&of.schema, &of.name))
        }
        _ => return Ok(false),
    };
    let row = session
        .query_one(sql, &[&name])
        .await
        .doing(format!("looking for {} on the target", form.label()))?;
    Ok(row.get(0))
}
