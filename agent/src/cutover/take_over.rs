//! The source's schema has changed since it was dumped: what the stream carried is compared, and the rest is taken over
//! from a dump of now, while the source is quiet.
//!
//! Tables, views, indexes, constraints, sequences, functions and types came with the stream: each must be here as it is
//! there. Foreign keys are made now. Triggers, rules, policies, comments and the like of the switch are those of the new
//! dump; rights are settled ([`settle_rights`]), and what is set on objects inside their own entries of a dump (FORCE
//! ROW LEVEL SECURITY, owners) is set.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{rights::settle_rights, steps::Steps, verify::unaltered_since_marker};
use crate::{
    fault::Fault,
    postgres::Client,
    verify::{disabled_keys, schema_changed, schema_not_carried, shape_difference, shape_of},
    wire::{Ask, ShapeItem, SnapshotKind, Structure},
};

/// What the stream carries, by the words that a shape's items begin with.
const CARRIED: [&str; 8] =
    ["table ", "default of ", "view ", "sequence ", "index ", "constraint ", "function ", "type "];

/// What the digest of a table that inherits ends with; before it stands the one of the order of columns, first that of all else.
const INHERITS: &str = " inherits";

/// What is told where nothing differs by its words.
const MADE_AGAIN: &str = "what was dropped is there again as it was";

/// Objects that are named when they differ; the rest is counted.
const NAMED: usize = 5;

/// Takes over what has changed; what it was, and which foreign keys can't be as they are there, for an operator to read. `seen`: the source's
/// shape, when it was read just now.
pub(super) async fn take_over(
    steps: &Steps<'_>,
    session: &mut Client,
    seen: Option<Vec<ShapeItem>>,
) -> Result<Option<String>, Fault> {
    let receiver = steps.receiver;
    let then = receiver.dumped_shape(session).await?;
    let now = match seen {
        Some(seen) => seen,
        None => receiver.shape(false).await?,
    };
    let difference = match shape_difference(&then, &now) {
        Some(difference) => difference,
        None if receiver.has_dropped(session).await? => MADE_AGAIN.to_owned(),
        None => {
            as_it_was(steps, session, &now).await?;
            return Ok(disabled_keys(&now));
        }
    };
    unaltered_since_marker(steps).await?;
    // Rights may have been granted to new ones.
    if receiver.spec.migrate_roles {
        receiver.make_roles().await?;
    }
    let forms = receiver.make_late_constraints(session, steps.copied.ledger).await?;
    receiver.take_snapshot(SnapshotKind::Offline).await?;
    let dumped = receiver.dump_again(session, steps.copied.ledger).await?;
    receiver.caller.ask(Ask::Release).await?;
    let new = dumped.new.union(&dumped.indexed).cloned().collect();
    let set = receiver.take_traits(session, steps.copied.ledger, &then, &now, &new).await;
    refuse_unlike(steps, session, &forms, &then, &now).await?;
    // What is not here at all is better named by the comparison.
    set?;
    let rights = settle_rights(steps, session, &dumped.new).await?;
    let ledger = steps.copied.ledger;
    steps.keep_plan(
        receiver.keep_dump(session, ledger, &dumped, &now, rights.known.as_deref()).await?,
    );
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
    let in_use = (!dumped.in_use.is_empty()).then(|| {
        format!(
            "gone on the source, and still in use on the target (look at what uses it): {}",
            dumped.in_use.join("; ")
        )
    });
    let told = [Some(taken), by_hand, in_use, rights.told, disabled_keys(&now)];
    Ok(Some(told.into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

/// The source's schema is what was dumped last. What the stream has carried since, there and back, must have come to that here
/// too.
async fn as_it_was(
    steps: &Steps<'_>,
    session: &mut Client,
    now: &[ShapeItem],
) -> Result<(), Fault> {
    let receiver = steps.receiver;
    let carried = receiver.has_carried(session).await?;
    // Keys that went with an attempt that stepped back.
    if !carried && !receiver.has_changed(session).await? {
        return Ok(());
    }
    let forms = receiver.make_late_constraints(session, steps.copied.ledger).await?;
    if carried {
        refuse_unlike(steps, session, &forms, now, now).await?;
    }
    Ok(())
}

async fn refuse_unlike(
    steps: &Steps<'_>,
    session: &mut Client,
    forms: &[Structure],
    then: &[ShapeItem],
    now: &[ShapeItem],
) -> Result<(), Fault> {
    let receiver = steps.receiver;
    let here = shape_of(session, &receiver.spec.selected).await?;
    let same_version = session.server_major() == receiver.source_major(session).await?;
    let wrong = differing(&here, then, now, same_version);
    let alike = match wrong.is_empty() {
        true => HashSet::new(),
        false => receiver.reads_alike(session, forms, &wrong).await?,
    };
    refuse(&wrong.into_iter().filter(|object| !alike.contains(*object)).collect::<Vec<_>>())
}

/// What is not here as it is there. Texts of another version's server can differ where nothing else does: then only what has
/// changed is compared, that nothing is missing, and that no table is left.
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
        .filter(|name| {
            let is_missing = now.contains_key(name) && !here.contains_key(name);
            let is_left = name.starts_with("table ") && !now.contains_key(name);
            same_version || is_missing || is_left || then.get(name) != now.get(name)
        })
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

/// The first few; the rest is counted.
pub(super) fn some(names: &[&str]) -> String {
    let rest = names.len().saturating_sub(NAMED);
    let named = names[..names.len() - rest].join("; ");
    if rest > 0 { format!("{named}; and {rest} more") } else { named }
}
