//! Gives objects the forms that no message has told, in an order that goes.
//!
//! A command makes one thing after the other. Here only the ends are known, and what needs what is in no catalog (a function's
//! body names it, its arguments a table that is new too): what can't be made yet is tried again behind the rest, as long as
//! that makes any more.
use whimbrel_proto::Lsn;

use super::change::Changes;
use crate::{
    fault::{Doing, Fault, Policy},
    target::ddl,
    wire::{Note, RelationKind, Structure},
};

/// A savepoint, before each object.
const BEFORE_OBJECT: &str = "whimbrel_object";

/// What could not be given its form, and why the first of it.
type Left<'a> = (Vec<&'a Structure>, Fault);

impl Changes {
    /// What of the note's objects could not be given its form, and why the first of them.
    ///
    /// # Errors
    /// What no other order would mend.
    pub(super) async fn carry_late<'a>(
        &mut self,
        note: &'a Note,
        commit: Lsn,
    ) -> Result<Option<Left<'a>>, Fault> {
        let others = Note { objects: Vec::new(), ..note.clone() };
        self.carry(&others, commit).await?;
        let mut left = self.in_order(&note.objects).await?;
        // A new one can be made of the columns that are here, and is then in the way of those that they are to be.
        left.sort_by_key(|object| is_made_of_columns(object));
        let mut later = Vec::new();
        // A dump for each that must wait for another would take minutes.
        self.may_dump = false;
        let mut dumped = false;
        let failed = loop {
            let before = left.len();
            let Some((again, fault)) = self.carry_round(left, note, commit, &mut later).await?
            else {
                break None;
            };
            if again.len() == before && !dumped {
                dumped = true;
                self.make_what_is_new(&fault).await?;
            } else if again.len() == before {
                break Some((again, fault));
            }
            left = again;
        };
        self.may_dump = true;
        for sql in later {
            self.local(&sql, note).await?;
        }
        let is_left = |form: &Structure| {
            failed.as_ref().is_some_and(|(left, _)| left.iter().any(|it| it.id() == form.id()))
        };
        let carried: Vec<Structure> =
            note.objects.iter().filter(|form| !is_left(form)).cloned().collect();
        self.keep_forms(&carried, commit).await?;
        Ok(failed)
    }

    /// Each once: those that did not go, and why the first of them.
    async fn carry_round<'a>(
        &mut self,
        objects: Vec<&'a Structure>,
        note: &Note,
        commit: Lsn,
        later: &mut Vec<String>,
    ) -> Result<Option<Left<'a>>, Fault> {
        let mut left: Option<Left<'a>> = None;
        for new in objects {
            match self.carry_or_go_back(new, note, commit).await? {
                Ok(statements) => later.extend(statements),
                Err(fault) => left.get_or_insert_with(|| (Vec::new(), fault)).0.push(new),
            }
        }
        Ok(left)
    }

    /// What comes afterwards, or why it did not go; then the transaction is as it was before.
    async fn carry_or_go_back(
        &mut self,
        new: &Structure,
        note: &Note,
        commit: Lsn,
    ) -> Result<Result<Vec<String>, Fault>, Fault> {
        let doing = "trying to carry an object";
        let savepoint = format!("savepoint {BEFORE_OBJECT}");
        self.session().batch_execute(&savepoint).await.doing(doing)?;
        let (result, end) = match self.carry_object(new, note, commit).await {
            Ok(old) => {
                let later = old.map_or_else(Vec::new, |old| ddl::afterwards(old.as_ref(), new));
                (Ok(later), format!("release {savepoint}"))
            }
            Err(fault) if fault.policy == Policy::Hold => {
                (Err(fault), format!("rollback to {savepoint}; release {savepoint}"))
            }
            Err(fault) => return Err(fault),
        };
        self.session().batch_execute(&end).await.doing(doing)?;
        Ok(result)
    }
}

/// A view, or a function whose body is parsed when it is made (14): PostgreSQL keeps what of tables they read from being altered.
fn is_made_of_columns(object: &Structure) -> bool {
    match object {
        Structure::Relation(of) => {
            [RelationKind::View, RelationKind::MaterializedView].contains(&of.relkind)
        }
        Structure::Function(of) => of.definition.contains("BEGIN ATOMIC"),
        _ => false,
    }
}
