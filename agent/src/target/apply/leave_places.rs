//! The place of a partition that is taken here by a foreign table, which has left it on the source: without
//! event triggers no message tells that.
use std::collections::HashSet;

use super::change::Changes;
use crate::{
    fault::{Fault, Policy},
    postgres::qualified,
    selection::Selected,
    target::bare,
    verify::traits_of,
    wire::{Answer, Ask, Note, Structure, Trait, unexpected_answer},
};

/// The SQLSTATE of a bound that overlaps another one's, among others.
const OVERLAPS: &str = "(SQLSTATE 42P17)";

impl Changes {
    /// Runs what makes an object, behind the caller's savepoint; once more when a place that it takes is free then.
    ///
    /// # Errors
    /// Why the target refuses it.
    pub(super) async fn execute_in_its_place(
        &mut self,
        statements: &[String],
        (old, new): (Option<&Structure>, &Structure),
        note: &Note,
    ) -> Result<(), Fault> {
        let doing = format!("carrying {} of {}", note.tag, new.label());
        let result = self.execute_on_cleared_way(statements, (old, new), &doing, note).await;
        let Err(refused) = result else { return Ok(()) };
        if refused.policy != Policy::Hold || !refused.message.ends_with(OVERLAPS) {
            return Err(refused);
        }
        self.at_savepoint("rollback to", &doing).await?;
        if !self.leave_places(new, &doing).await? {
            return Err(refused);
        }
        self.execute_on_cleared_way(statements, (old, new), &doing, note).await
    }

    /// Detaches from the partition's parent the foreign tables that the source has elsewhere by now. Whether there was any.
    async fn leave_places(&mut self, new: &Structure, doing: &str) -> Result<bool, Fault> {
        let Structure::Relation(new) = new else { return Ok(false) };
        let Some(parent) = new.parents.first().filter(|_| new.bound.is_some()) else {
            return Ok(false);
        };
        let Answer::Traits(there) = self.caller.ask(Ask::Traits).await? else {
            return Err(unexpected_answer());
        };
        let here = traits_of(&self.client, &Selected::default()).await?;
        let leave = detached(&qualified(&parent.schema, &parent.name), &there, &here);
        self.execute(&leave, doing).await.map_err(|(fault, _)| fault)?;
        Ok(!leave.is_empty())
    }
}

/// What detaches from the parent those that are no longer `there` as they are `here`.
fn detached(parent: &str, there: &[Trait], here: &[Trait]) -> Vec<String> {
    let kept: HashSet<String> = there.iter().map(|one| bare(&one.given)).collect();
    let begins = bare(&format!("alter table {parent} detach partition "));
    let gone = here.iter().filter(|one| !kept.contains(&bare(&one.given)));
    let off = gone.filter_map(|one| one.off.clone());
    off.filter(|off| bare(off).starts_with(&begins)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_left_that_parent_is_detached() {
        let of = |parent: &str, child: &str, to: u32| Trait {
            item: format!("settings of s.{child}"),
            off: Some(format!("alter table {parent} detach partition s.{child}")),
            given: format!(
                "alter table {parent} attach partition s.{child} FOR VALUES FROM (0) TO ({to})"
            ),
        };
        let (there, here) = (
            [of("s.p", "kept", 1), of("s.p", "other", 5), of("s.q", "moved", 1)],
            [of("s.p", "kept", 1), of("s.p", "other", 9), of("s.p", "moved", 1), of("s.q", "x", 1)],
        );
        assert_eq!(
            detached("\"s\".\"p\"", &there, &here),
            [
                "alter table s.p detach partition s.other",
                "alter table s.p detach partition s.moved"
            ]
        );
    }
}
