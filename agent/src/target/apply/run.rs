//! What a run of changes comes to, as statements, in the order in which they must be sent.
//!
//! PURE, so that it is ready before the server is done with the run before.
use std::{collections::HashMap, sync::Arc};

use super::{
    change::About,
    fold::Fold,
    setwise::{Bulk, statements},
    table::Table,
};
use crate::{fault::Fault, replication::pgoutput::Message};

/// A change that waits, with what it is about.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) about: About,
}

/// Changes in their order.
pub(super) type Run = Vec<Held>;

/// One thing to send.
#[derive(Debug)]
pub(super) enum Step {
    /// Many rows of a table.
    Bulk(Arc<Table>, Bulk),
    /// The change at this place, by itself.
    Alone(usize),
}

/// Tables do not mind each other here: foreign keys are off, or not made yet.
///
/// # Errors
/// `StreamUnreadable`: a value is not of its column's type.
pub(super) fn steps(run: &[Held]) -> Result<Vec<Step>, Fault> {
    let mut folds: HashMap<u32, Fold<'_>> = HashMap::new();
    let mut steps = Vec::new();
    for (at, Held { message, about }) in run.iter().enumerate() {
        let first = &about.table;
        // The stream has told its columns anew: rows may be known by another key since.
        let is_told_anew = |fold: &Fold<'_>| !Arc::ptr_eq(fold.table(), first);
        if folds.get(&first.oid).is_some_and(is_told_anew)
            && let Some(before) = folds.remove(&first.oid)
        {
            put(&mut steps, before)?;
        }
        let fold = folds.entry(first.oid).or_insert_with(|| Fold::new(first));
        if !first.alone && fold.add(message).is_ok() {
            continue;
        }
        for table in about.all() {
            if let Some(before) = folds.remove(&table.oid) {
                put(&mut steps, before)?;
            }
        }
        steps.push(Step::Alone(at));
    }
    for fold in folds.into_values() {
        put(&mut steps, fold)?;
    }
    Ok(steps)
}

fn put(steps: &mut Vec<Step>, fold: Fold<'_>) -> Result<(), Fault> {
    let table = Arc::clone(fold.table());
    let bulks = statements(&table, fold.finish())?;
    steps.extend(bulks.into_iter().map(|bulk| Step::Bulk(Arc::clone(&table), bulk)));
    Ok(())
}
