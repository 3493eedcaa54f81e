//! The source's schema has changed since it was dumped: what the stream carried is compared, and the rest is taken over
//! from a dump of now, while the source is quiet.
//!
//! Tables, views, indexes, constraints, sequences, functions and types came with the stream: each must be here as it is
//! there. Foreign keys are made now. Triggers, rules, policies, comments and the like of the switch are those of the new
//! dump; rights that were granted since are granted here, and what is set on objects inside their own entries of a dump (FORCE
//! ROW LEVEL SECURITY, owners) is set.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio_postgres::{GenericClient, error::SqlState};

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
    ["table ", "default of ", "view ", "sequence ", "index ", "constraint ", "function ", "type "];

/// What the digest of a table that inherits ends with; before it stands the one of the order of columns, first that of all else.
const INHERITS: &str = " inherits";

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
    let set = receiver.take_traits(session, steps.copied.ledger, &then, &now).await;
    let here = shape_of(session, &receiver.spec.selected).await?;
    let same_version = session.server_major() == receiver.source_major(session).await?;
    let wrong = differing(&here, &then, &now, same_version);
    let alike = match wrong.is_empty() {
        true => HashSet::new(),
        false => receiver.reads_alike(session, &forms, &wrong).await?,
    };
    refuse(&wrong.into_iter().filter(|object| !alike.contains(*object)).collect::<Vec<_>>())?;
    // What is not here at all is better named by the comparison.
    set?;
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
        .filter(|name| !is_same(then.get(name), now.get(name), here.get(name)))
        .filter(|name| same_version || then.get(name) != now.get(name))
        .collect()
}

/// Whether it is here as it is there. A dump makes the columns of a table that inherits in an order of its own, and nobody can
/// make them in another: of one that inherits, or did, and of one that is as it was dumped, the order is not compared.
fn is_same(then: Option<&&str>, now: Option<&&str>, here: Option<&&str>) -> bool {
    let (Some(now), Some(here)) = (now, here) else { return false };
    let inherits = |digest: &str| digest.ends_with(INHERITS);
    let may_differ = inherits(now) || then.is_some_and(|then| inherits(then) || then == now);
    let but_order = |digest: &str| digest.split(' ').next().map(str::to_owned);
    now == here || may_differ && but_order(now) == but_order(here)
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
    Err(schema_not_carried(&some(wrong)))
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
    let (to_grant, left) = apart(&there, &here);
    let mut missing = Vec::new();
    for grant in to_grant {
        if !grant_if_there(&tx, grant).await.doing(doing)? {
            missing.push(grant);
        }
    }
    steps.copied.ledger.commit(tx, doing).await?;
    let told = [
        (!missing.is_empty()).then(|| missing_rights(&missing)),
        (!left.is_empty()).then(|| left_rights(&left)),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    Ok((!told.is_empty()).then(|| told.join("; ")))
}

/// What is to be granted here, and what is granted here and no more there. Of an extension's members the rights that it grants
/// by itself are not named, but for those that were taken away.
fn apart<'a>(
    there: &'a BTreeSet<String>,
    here: &'a BTreeSet<String>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let revoked = |right: &'a String| right.strip_prefix("revoked: ");
    let (mut to_grant, mut left) = (Vec::new(), Vec::new());
    for right in there.difference(here) {
        match revoked(right) {
            None => to_grant.push(right.as_str()),
            Some(grant) => left.push(grant),
        }
    }
    for right in here.difference(there) {
        match revoked(right) {
            None => left.push(right.as_str()),
            Some(grant) => to_grant.push(grant),
        }
    }
    (to_grant, left)
}

/// Whether there is what the right is on. What is the database's own has just been compared: it can be missing only in an
/// extension that the target has in another version, and no person can make it there.
async fn grant_if_there(
    tx: &impl GenericClient,
    grant: &str,
) -> Result<bool, tokio_postgres::Error> {
    let not_there =
        [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN];
    tx.batch_execute("savepoint whimbrel_grant").await?;
    match tx.batch_execute(grant).await {
        Ok(()) => tx.batch_execute("release whimbrel_grant").await.map(|()| true),
        Err(error) if error.code().is_some_and(|code| not_there.contains(code)) => {
            tx.batch_execute("rollback to whimbrel_grant").await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

fn missing_rights(grants: &[&str]) -> String {
    format!(
        "rights on what the target does not have, in extensions of another version, were not granted: {}",
        some(grants)
    )
}

fn left_rights(grants: &[&str]) -> String {
    format!(
        "rights that the source has no more were left on the target, since taking them away may be how its writes were \
         stopped; revoke by hand what must go: {}",
        some(grants)
    )
}

/// The first few; the rest is counted.
fn some(names: &[&str]) -> String {
    let rest = names.len().saturating_sub(NAMED);
    let named = names[..names.len() - rest].join("; ");
    if rest > 0 { format!("{named}; and {rest} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_from_an_extensions_rights_is_left_and_what_was_given_back_is_granted() {
        let rights = |some: &[&str]| some.iter().map(|&right| right.to_owned()).collect();
        let there = rights(&["grant a", "grant b", "revoked: grant c"]);
        let here = rights(&["grant b", "revoked: grant d", "grant e"]);
        assert_eq!(apart(&there, &here), (vec!["grant a", "grant d"], vec!["grant c", "grant e"]));
    }

    #[test]
    fn rights_that_were_left_are_named_and_the_rest_is_counted() {
        let grants = ["grant SELECT on table a to x"; 7];
        let text = left_rights(&grants);
        assert_eq!(text.matches("grant SELECT").count(), NAMED);
        assert!(text.ends_with("and 2 more"), "{text}");
        assert!(!left_rights(&grants[..1]).ends_with("more"));
    }
}
