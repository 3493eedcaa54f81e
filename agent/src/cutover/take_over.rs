//! The source's schema has changed since it was dumped: what the stream carried is compared, and the rest is taken over
//! from a dump of now, while the source is quiet.
//!
//! Tables, views, indexes, constraints, sequences, functions and types came with the stream: each must be here as it is
//! there. Foreign keys are made now. Triggers, rules, policies, comments and the like of the switch are those of the new
//! dump; rights that were granted since are granted here.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::steps::Steps;
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::RESTORE_SETTINGS,
    verify::{rights_of, schema_changed, schema_not_carried, shape_difference, shape_of},
    wire::{Answer, Ask, ShapeItem, SnapshotKind, unexpected_answer},
};

/// What the stream carries, by the words that a shape's items begin with.
const CARRIED: [&str; 8] =
    ["table ", "default ", "view ", "sequence ", "index ", "constraint ", "function ", "type "];

/// Objects that are named when they differ; the rest is counted.
const NAMED: usize = 5;

/// Takes over what has changed; what it was, for an operator to read.
pub(super) async fn take_over(
    steps: &Steps<'_>,
    session: &mut Client,
) -> Result<Option<String>, Fault> {
    let receiver = steps.receiver;
    let then = receiver.dumped_shape(session).await?;
    let now = receiver.shape(false).await?;
    let Some(difference) = shape_difference(&then, &now) else {
        // Keys that went with an attempt that stepped back.
        if receiver.has_changed(session).await? {
            receiver.make_late_constraints(session, steps.copied.ledger).await?;
        }
        return Ok(None);
    };
    // Rights may have been granted to new ones.
    if receiver.spec.migrate_roles {
        receiver.make_roles().await?;
    }
    let forms = receiver.make_late_constraints(session, steps.copied.ledger).await?;
    receiver.take_snapshot(SnapshotKind::Offline).await?;
    let dumped = receiver.dump_again(session, steps.copied.ledger).await?;
    receiver.caller.ask(Ask::Release).await?;
    let here = shape_of(session, &receiver.spec.selected).await?;
    let same_version = session.server_major() == receiver.source_major(session).await?;
    let wrong = differing(&here, &then, &now, same_version);
    let alike = match wrong.is_empty() {
        true => HashSet::new(),
        false => receiver.reads_alike(session, &forms, &wrong).await?,
    };
    refuse(&wrong.into_iter().filter(|object| !alike.contains(*object)).collect::<Vec<_>>())?;
    let left = grant_rights(steps, session).await?;
    steps.keep_plan(receiver.keep_dump(session, steps.copied.ledger, &dumped, &now).await?);
    // What changed while it was dumped would be in neither.
    if let Some(difference) = shape_difference(&now, &receiver.shape(false).await?) {
        return Err(schema_changed(&difference));
    }
    let taken = format!("changes of the source's schema were taken over: {difference}");
    let by_hand = (!dumped.by_hand.is_empty()).then(|| {
        format!(
            "made by hand on the target, and taken as they are (compare them with the source's): {}",
            dumped.by_hand.join(", ")
        )
    });
    Ok(Some([Some(taken), by_hand, left].into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

/// What is not here as it is there. Texts of another version's server can differ where nothing else does: then only what has
/// changed is compared.
fn differing<'a>(
    here: &'a [ShapeItem],
    then: &[ShapeItem],
    now: &'a [ShapeItem],
    same_version: bool,
) -> Vec<&'a str> {
    let (then, now, here) = (carried(then), carried(now), carried(here));
    let names: BTreeSet<&str> = now.keys().chain(here.keys()).copied().collect();
    names
        .into_iter()
        .filter(|name| now.get(name) != here.get(name))
        .filter(|name| same_version || then.get(name) != now.get(name))
        .collect()
}

fn carried(items: &[ShapeItem]) -> BTreeMap<&str, &str> {
    items
        .iter()
        .filter(|item| CARRIED.iter().any(|word| item.object.starts_with(word)))
        .map(|item| (item.object.as_str(), item.digest.as_str()))
        .collect()
}

fn refuse(wrong: &[&str]) -> Result<(), Fault> {
    if wrong.is_empty() {
        return Ok(());
    }
    let rest = wrong.len().saturating_sub(NAMED);
    let mut text = wrong.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    Err(schema_not_carried(&text))
}

/// Grants what the source has granted since. What it has taken away since is left, and told: writes are often stopped by
/// taking rights away, and the application must be able to write here. Owners are part of what the stream carries.
async fn grant_rights(steps: &Steps<'_>, session: &mut Client) -> Result<Option<String>, Fault> {
    let doing = "granting on the target what was granted on the source";
    let Answer::Statements(there) = steps.receiver.caller.ask(Ask::Rights).await? else {
        return Err(unexpected_answer());
    };
    let here: BTreeSet<String> =
        rights_of(session, &steps.receiver.spec.selected).await?.into_iter().collect();
    let there: BTreeSet<String> = there.into_iter().collect();
    let tx = session.transaction().await.doing(doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    for grant in there.difference(&here) {
        tx.batch_execute(grant).await.doing(doing)?;
    }
    steps.copied.ledger.commit(tx, doing).await?;
    let left: Vec<&str> = here.difference(&there).map(String::as_str).collect();
    Ok((!left.is_empty()).then(|| left_rights(&left)))
}

fn left_rights(grants: &[&str]) -> String {
    let rest = grants.len().saturating_sub(NAMED);
    let named = grants[..grants.len() - rest].join("; ");
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    format!(
        "rights that the source has no more were left on the target, since taking them away may be how its writes were \
         stopped; revoke by hand what must go: {named}{more}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_that_were_left_are_named_and_the_rest_is_counted() {
        let grants = ["grant SELECT on table a to x"; 7];
        let text = left_rights(&grants);
        assert_eq!(text.matches("grant SELECT").count(), NAMED);
        assert!(text.ends_with("and 2 more"), "{text}");
        assert!(!left_rights(&grants[..1]).ends_with("more"));
    }
}
