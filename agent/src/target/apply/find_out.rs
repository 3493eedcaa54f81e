//! Where no event trigger tells a change of the source's schema: the stream's own word of a table's columns differs from what
//! is known, and the source's catalog is asked at that moment.
//!
//! Any change of a table's columns makes the stream tell them again before its next row, so this is the place of the change
//! among the table's rows. What the catalog says is of a moment later, and can be carried here only if it is the form that
//! the stream tells, column by column, and the table was not rewritten; otherwise the table's rows are copied again.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use whimbrel_proto::Lsn;

use super::{
    change::Changes,
    durable::settle,
    table::{Tables, unlike},
};
use crate::{
    fault::{Fault, Policy},
    postgres::{identifier, qualified},
    replication::pgoutput,
    target::{
        Receiver, can_be_replica, ddl::routine, ledger::Ledger, load::parents_first, structure,
    },
    wire::{Dropped, Note, RelationStructure, Structure},
};

/// What no command is known of.
pub(super) const TAG: &str = "a change of the schema";

/// As `pg_event_trigger_table_rewrite_reason` has it: a column's type.
pub(super) const REWRITTEN: u32 = 4;

impl Changes {
    /// Learns what has become of a table. `fault`: how it differs from what is known.
    pub(super) async fn find_out(
        &mut self,
        told: &pgoutput::Relation,
        commit: Lsn,
        fault: Fault,
    ) -> Result<(), Fault> {
        let Some((form, all)) = self.now_with_all(told.id).await? else {
            self.tables.is_gone(told.id);
            return Ok(());
        };
        tracing::info!(table = %fault.message, "the source's catalog tells what has changed");
        let known = match structure::known(self.session(), (form.class, form.oid)).await? {
            Some(Structure::Relation(known)) => Some(known),
            _ => None,
        };
        let is_new = known.is_none();
        let certain = known.is_some_and(|known| is_the_change(&known, &form, told));
        self.rename_schemas(&form, commit).await?;
        self.rename_sequences(&form, commit).await?;
        self.make_room(&form, commit).await?;
        // Types of ours have a schema's name before their own, and a sequence may be new too.
        let has_needs = form.columns.iter().any(|column| {
            let counts = |default: &String| default.contains("nextval(");
            column.type_name.contains('.') || column.default.as_ref().is_some_and(counts)
        });
        let mut objects = match is_new || has_needs {
            true => self.needs_of(&form).await?,
            false => Vec::new(),
        };
        let family = self.with_its_family(form, all, commit).await?;
        objects.retain(|need| family.iter().all(|form| form.id() != need.id()));
        objects.extend(family);
        let objects = parents_first(objects);
        let note = Note {
            tag: TAG.into(),
            rewritten: (!certain).then_some(told.id),
            reason: REWRITTEN,
            objects,
            ..Note::default()
        };
        self.leave_owners(&note, &HashSet::new()).await?;
        self.spare_heirs(&note).await?;
        self.leave_old_places(&note, commit).await?;
        // An index may have the name that a key's has handed on.
        self.set_names_aside(&note.objects, &note, commit).await?;
        self.carry(&note, commit).await
    }
}

/// Gives objects forms that no message has told, and drops what is gone without one: tables that wait for their rows, or all
/// that is, where the stream stands at its end. So it has no place among rows. `copied`: tables whose rows are other ones on
/// the source now. Nothing else tells that, so it is recorded with their new form.
///
/// # Errors
/// A hold when one can't be carried.
pub(in crate::target) async fn bring(
    receiver: &Receiver,
    ledger: Ledger,
    objects: Vec<Structure>,
    gone: &[Structure],
    copied: &[u32],
) -> Result<(), Fault> {
    let dropped: Vec<Dropped> = gone.iter().filter_map(dropped).collect();
    let note = Note { tag: TAG.into(), objects, dropped, ..Note::default() };
    tell(&note, gone);
    let mut bringing = Bringing { receiver, ledger, copied, late: true, all: true };
    match bringing.run(note.clone()).await.map(drop) {
        // What is gone can be in the way of a new form, and what hangs on it in the way of its drop: then all of that goes.
        Err(fault) if fault.policy == Policy::Hold && !note.dropped.is_empty() => {
            bringing.late = false;
            let again = bringing.run(note).await.map(drop);
            // What is no matter for a person (a newer epoch, a lost connection) must not be told as a hold.
            again.map_err(|later| if later.policy == Policy::Hold { fault } else { later })
        }
        other => other,
    }
}

/// As [`bring`], and nothing that something hangs on is dropped before the objects have their forms.
///
/// # Errors
/// A hold when one can't be carried.
pub(in crate::target) async fn bring_then_drop(
    receiver: &Receiver,
    ledger: Ledger,
    objects: Vec<Structure>,
    gone: &[Structure],
    copied: &[u32],
) -> Result<(), Fault> {
    let dropped: Vec<Dropped> = gone.iter().filter_map(dropped).collect();
    let note = Note { tag: TAG.into(), objects, dropped, ..Note::default() };
    tell(&note, gone);
    Bringing { receiver, ledger, copied, late: true, all: true }.run(note).await.map(drop)
}

/// As [`bring`], of those of `objects` that can be brought now: how many.
///
/// # Errors
/// None for what can't.
pub(in crate::target) async fn bring_what_goes(
    receiver: &Receiver,
    ledger: Ledger,
    objects: Vec<Structure>,
    copied: &[u32],
) -> Result<usize, Fault> {
    let note = Note { tag: TAG.into(), objects, ..Note::default() };
    tell(&note, &[]);
    Bringing { receiver, ledger, copied, late: true, all: false }.run(note).await
}

fn tell(note: &Note, gone: &[Structure]) {
    let names: Vec<String> = note.objects.iter().chain(gone).map(Structure::label).collect();
    tracing::info!(
        objects = names.join(", "),
        "taking a change of the schema from the source's catalog"
    );
}

/// One transaction.
struct Bringing<'a> {
    receiver: &'a Receiver,
    ledger: Ledger,
    copied: &'a [u32],
    /// What something hangs on is dropped behind the objects, and before them otherwise.
    late: bool,
    /// What can't be brought fails it all.
    all: bool,
}

impl Bringing<'_> {
    /// How many objects it has brought.
    async fn run(&self, mut note: Note) -> Result<usize, Fault> {
        let doing = "giving the target the form that the source has";
        let (receiver, ledger) = (self.receiver, self.ledger);
        let session = receiver.session("apply").await?;
        settle(&session, ledger, can_be_replica(&session).await).await?;
        let tables = Tables::new(receiver.catalog(&session).await?, HashMap::new(), HashSet::new());
        let mut changes = Changes::new(Arc::new(session), receiver, tables);
        let commit = Lsn(u64::MAX);
        changes.bracket("begin", doing).await?;
        changes.leave_parents(&note).await?;
        for table in self.copied {
            changes.empty(*table, &note).await?;
        }
        let handed = changes.tables_of_handed_on(&note).await?;
        let taken = changes.take_from_gone(&mut note).await?;
        changes.leave_owners(&note, &taken).await?;
        changes.loosen(&mut note).await?;
        let all_gone = note.dropped.clone();
        let identities = changes.identities_of(&all_gone).await?;
        let later = if self.late { changes.drop_first(&mut note).await? } else { Vec::new() };
        changes.set_identities_aside(&later, &note).await?;
        changes.keep_values(&note.dropped, &note.objects, (TAG, &all_gone)).await?;
        changes.spare_heirs(&note).await?;
        let mut loose = changes.leave_old_places(&note, commit).await?;
        loose.extend(changes.set_names_aside(&note.objects, &note, commit).await?);
        let left = match changes.carry_late(&note, commit).await? {
            Some((_, fault)) if self.all => return Err(fault),
            // Under a name of ours nothing may stay, nor out of its place.
            Some((left, _)) if left.iter().any(|form| loose.contains(&form.id())) => return Ok(0),
            Some((left, _)) => left.len(),
            None => 0,
        };
        if !later.is_empty() {
            let left = changes.drop_free(&later).await?;
            changes.keep_values(&left, &[], (TAG, &all_gone)).await?;
            let note = Note { tag: TAG.into(), dropped: later, ..Note::default() };
            changes.carry(&note, commit).await?;
        }
        for gone in identities {
            structure::forget(changes.session(), (gone.class, gone.oid)).await?;
        }
        changes.bring_cleared(commit).await?;
        for table in self.copied.iter().chain(&handed) {
            changes.hold(*table).await?;
        }
        changes.keep_catalog().await?;
        ledger.prove(changes.session(), doing).await?;
        changes.commit(true).await?;
        Ok(note.objects.len() - left)
    }
}

/// As the event trigger would have told it.
pub(super) fn dropped(gone: &Structure) -> Option<Dropped> {
    let (kind, identity) = match gone {
        Structure::Relation(of) => (of.relkind.keyword(), qualified(&of.schema, &of.name)),
        // An identity's goes with it; another column's may go alone.
        Structure::Sequence(of) if !of.identity => ("sequence", qualified(&of.schema, &of.name)),
        Structure::Sequence(_) => return None,
        Structure::Type(of) => ("type", qualified(&of.schema, &of.name)),
        Structure::Function(of) => ("routine", routine(of)),
        Structure::Schema(of) => ("schema", identifier(&of.name)),
        Structure::Extension(of) => ("extension", identifier(&of.name)),
    };
    let (class, oid) = gone.id();
    Some(Dropped { class, oid, part: 0, kind: kind.into(), identity, names: None, told: true })
}

/// Whether what is in the catalog now is what the stream tells, and nothing but that has happened to older rows.
fn is_the_change(
    known: &RelationStructure,
    now: &RelationStructure,
    told: &pgoutput::Relation,
) -> bool {
    known.file == now.file
        && !has_columns_anew(known, now)
        && !may_tell_others(known, now)
        && unlike(&now.stored, told).is_none()
}

/// Whether a column that is new may bear the name of one that came since and is gone again: that one leaves its number unused.
/// What was told by the name is its value then.
pub(in crate::target) fn may_tell_others(
    known: &RelationStructure,
    now: &RelationStructure,
) -> bool {
    let highest = |of: &RelationStructure| of.columns.iter().map(|it| it.num).max().unwrap_or(0);
    let (before, after) = (
        known.numbers.unwrap_or_else(|| highest(known)),
        now.numbers.unwrap_or_else(|| highest(now)),
    );
    let is_there = |num: i16| now.columns.iter().any(|it| it.num == num);
    let mut since = before + 1..=after;
    highest(now) > before && since.any(|num| !is_there(num))
}

/// Whether a column has been made anew under its name, and is none that has exchanged names with others or has one handed on. With
/// those no value leaves its column. And as long as all columns are there that were known, the stream can't have told a row
/// by the known names in their known order and meant other columns by them: it was told before the names were exchanged.
pub(in crate::target) fn has_columns_anew(
    known: &RelationStructure,
    now: &RelationStructure,
) -> bool {
    let has = |of: &RelationStructure, num: i16| of.columns.iter().any(|it| it.num == num);
    let was_there = |name: &str| known.columns.iter().any(|old| old.name == name);
    let stay = known.columns.iter().all(|old| has(now, old.num));
    let exchanged = now.columns.iter().all(|it| !was_there(&it.name) || has(known, it.num));
    is_renumbered(known, now) && !(stay && exchanged)
}

/// Whether a column's name was another's.
pub(in crate::target) fn is_renumbered(known: &RelationStructure, now: &RelationStructure) -> bool {
    now.columns.iter().any(|column| {
        known.columns.iter().any(|old| old.name == column.name && old.num != column.num)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_unused_may_have_been_the_name_that_is_told() {
        let form = |columns: &[(i16, &str)], numbers| RelationStructure {
            numbers,
            ..RelationStructure::of_columns(columns)
        };
        let known = form(&[(1, "id"), (3, "a")], Some(4));
        let mine =
            |columns: &[(i16, &str)], numbers| may_tell_others(&known, &form(columns, numbers));
        assert!(!mine(&[(1, "id"), (3, "a"), (5, "c")], Some(5)), "4 was gone before");
        assert!(!mine(&[(1, "id"), (3, "a"), (5, "c"), (6, "d")], Some(6)));
        assert!(!mine(&[(1, "id"), (3, "a")], Some(5)), "none is new");
        assert!(mine(&[(1, "id"), (3, "a"), (6, "c")], Some(6)));
        assert!(mine(&[(1, "id"), (3, "a"), (5, "c")], Some(6)));
        let older = form(&[(1, "id"), (3, "a")], None);
        assert!(!may_tell_others(&older, &form(&[(1, "id"), (3, "a"), (4, "c")], Some(4))));
        assert!(may_tell_others(&older, &form(&[(1, "id"), (3, "a"), (5, "c")], Some(5))));
    }

    fn is_anew(known: &[(i16, &str)], now: &[(i16, &str)]) -> bool {
        let form = RelationStructure::of_columns;
        has_columns_anew(&form(known), &form(now))
    }

    #[test]
    fn names_that_columns_have_exchanged_make_none_anew() {
        let known = [(1, "id"), (2, "a"), (3, "b")];
        assert!(!is_anew(&known, &known));
        assert!(!is_anew(&known, &[(1, "id"), (2, "b"), (3, "a")]));
        assert!(!is_anew(&known, &[(1, "id"), (2, "b"), (3, "x")]));
        assert!(!is_anew(&known, &[(1, "id"), (2, "b"), (3, "a"), (4, "c")]));
        assert!(is_anew(&known, &[(1, "id"), (3, "b"), (4, "a")]), "dropped and added");
        assert!(
            is_anew(&known, &[(1, "id"), (2, "x"), (3, "b"), (4, "a")]),
            "added under its name"
        );
        // Rows can have been told in between by the known names, of other columns.
        assert!(is_anew(&known, &[(1, "id"), (3, "a")]));
    }
}
