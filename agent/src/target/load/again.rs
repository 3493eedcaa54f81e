//! Tables that the stream has found to be copied again, or for the first time: made with rows, rewritten, or changed while
//! their changes did not come.
//!
//! The snapshot rule as everywhere: under the snapshot of a temporary slot, whose consistent point becomes the table's own;
//! what commits before it is left out of the stream. A table is copied only when the snapshot has it, and every type, in
//! the very form that the stream has brought it to; otherwise the stream goes on to the snapshot's point first. It waits
//! during the copy, and the source keeps its WAL for as long. A form that the stream has passed and not told (there is no event
//! trigger of ours, and no row of the table came) is taken from the catalog.
use std::collections::{HashMap, HashSet};

use whimbrel_proto::Lsn;

use super::{CopyIn, can_be_replica, copy_in, parents_first};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{
        apply::{bring, bring_what_goes},
        bring_needs::{differing_kin, has_moved, parents, who_has_their_places},
        ddl::{self, Around, relation_of},
        ledger::Ledger,
        receive::Receiver,
        structure::{self, Forms},
        untold::is_same,
    },
    wire::{Answer, Ask, ColumnStructure, Relation, RelationKind, Structure, unexpected_answer},
};

/// `typtype` of a type that is only named yet.
const SHELL: &str = "p";

/// OID of `pg_class`.
const CLASSES: u32 = 1259;

/// What a snapshot had in another form than the one that is here, and where the first that had it was.
#[derive(Debug, Default)]
pub(in crate::target) struct Unlike {
    point: Lsn,
    forms: Vec<Structure>,
    /// What it did not have at all.
    gone: Vec<Structure>,
}

impl Unlike {
    /// Why tables wait, for a person.
    pub(in crate::target) fn label(&self) -> String {
        let first = self.forms.iter().chain(&self.gone).next();
        first.map_or_else(|| "a table that waits for its rows".to_owned(), Structure::label)
    }
}

/// When tables that wait are looked at again.
#[derive(Debug, Clone, Copy)]
pub(in crate::target) enum Later {
    /// When the stream has come to there.
    At(Lsn),
    /// After a while: somebody's transaction has a lock on the source that publishing them needs.
    Unlocked,
}

/// Copies what waits; `Some`: not yet. `from`: where it stands, `at_end`: at a cutover's
/// marker, and comes no further. `last`: what was found the last time.
pub(in crate::target) async fn copy_waiting(
    receiver: &Receiver,
    ledger: Ledger,
    (from, at_end): (Lsn, bool),
    last: &mut Unlike,
) -> Result<Option<Later>, Fault> {
    let mut session = receiver.session("copy again").await?;
    // First the publications, then the snapshot: every transaction that commits behind its point began after them.
    let published = receiver.publish(&mut session, ledger).await;
    let mut waiting = waiting(&session).await?;
    match published {
        // Somebody's lock must not keep all others' changes waiting: it is tried again, and the cutover looks again.
        Err(fault) if fault.policy == Policy::Retry && (waiting.is_empty() || !at_end) => {
            tracing::warn!(%fault, "the publications are as they were");
            return Ok((!waiting.is_empty()).then_some(Later::Unlocked));
        }
        other => other?,
    }
    if waiting.is_empty() {
        return Ok(None);
    }
    receiver.progress.operation("copying tables again");
    if can_be_replica(&session).await {
        session
            .batch_execute("set session_replication_role = replica")
            .await
            .doing("setting session_replication_role on the target")?;
    }
    let point = receiver.renew_snapshot(&mut session, ledger).await?.point;
    let (mut relations, mut unlike) = match as_here(receiver, &session, &waiting).await {
        // What the snapshot has and the catalog no more has no definition: another snapshot.
        Err(fault) if fault.code == "CatalogChanges" && !at_end => {
            receiver.caller.ask(Ask::Release).await?;
            return Ok(Some(Later::At(point)));
        }
        other => other?,
    };
    let mut gone = gone(receiver, &session, &waiting, &relations).await?;
    let same = last.forms == unlike && last.gone == gone;
    let first = if same { last.point } else { point };
    let is_unlike = !(unlike.is_empty() && gone.is_empty());
    // The stream has been there, and has not told it; or nothing will.
    if is_unlike && (first <= from || at_end && !receiver.is_followed().await?) {
        let (forms, gone) = (std::mem::take(&mut unlike), std::mem::take(&mut gone));
        bring_kin(receiver, ledger, &session, forms, &gone).await?;
        waiting = self::waiting(&session).await?;
        (relations, unlike) = as_here(receiver, &session, &waiting).await?;
    }
    *last = Unlike { point: first, forms: unlike, gone };
    if !last.forms.is_empty() {
        receiver.caller.ask(Ask::Release).await?;
        return Ok(Some(Later::At(point)));
    }
    let copied: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    bring_defaults(receiver, ledger, &session, (&copied, Rows::Copied)).await?;
    for relation in &relations {
        let copy = CopyIn { relation, pages: None, replace: true, point: Some(point) };
        copy_in(&copy, &mut session, &receiver.caller, ledger, &receiver.progress).await?;
    }
    receiver.caller.ask(Ask::Release).await?;
    // One that is gone in the snapshot waits for the stream to tell so.
    Ok((relations.len() < waiting.len()).then_some(Later::At(point)))
}

/// Brings the forms, with the families of the tables among them: a parent without rows is told by none. All of these tables are
/// copied.
async fn bring_kin(
    receiver: &Receiver,
    ledger: Ledger,
    session: &Client,
    mut forms: Vec<Structure>,
    gone: &[Structure],
) -> Result<(), Fault> {
    let mut copied: Vec<u32> = forms.iter().filter_map(with_rows).collect();
    let now = structure::fetch(&receiver.caller, Vec::new(), true).await?;
    // What the new forms are made of is in no row either.
    receiver.bring_needs(ledger).await?;
    let (kin, rewritten) = differing_kin(session, &copied, &now).await?;
    forms.retain(|form| kin.iter().all(|it| it.id() != form.id()));
    forms.extend(kin);
    let left = who_has_their_places(session, &copied, &forms, &now).await?;
    forms.extend(left.forms);
    copied.extend(rewritten.into_iter().chain(left.rewritten));
    // What is no longer chosen is not to be told from what is gone.
    let is_all = receiver.spec.selected.is_everything();
    let others =
        left.gone.into_iter().filter(|it| is_all && gone.iter().all(|of| of.id() != it.id()));
    let gone: Vec<Structure> = gone.iter().cloned().chain(others).collect();
    // Types and sequences first: columns and defaults name them.
    forms.sort_by_key(|form| form.id().0 == CLASSES && !form.is_type() && !is_sequence(form));
    bring(receiver, ledger, parents_first(forms), &gone, &copied).await
}

/// Tables that the snapshot does not have, with the sequences that went with them. What is no longer chosen is still there.
async fn gone(
    receiver: &Receiver,
    session: &Client,
    waiting: &[u32],
    relations: &[Relation],
) -> Result<Vec<Structure>, Fault> {
    let mut missing: Vec<u32> = waiting.to_vec();
    missing.retain(|oid| !relations.iter().any(|there| there.oid == *oid));
    if !(missing.is_empty() || receiver.spec.selected.is_everything()) {
        let Answer::Files(files) = receiver.caller.ask(Ask::Files { under_snapshot: true }).await?
        else {
            return Err(unexpected_answer());
        };
        missing.retain(|oid| files.iter().all(|(there, _)| there != oid));
    }
    let mut gone = Vec::new();
    for oid in missing {
        gone.extend(structure::owned(&**session, oid).await?);
        gone.extend(structure::known(&**session, (CLASSES, oid)).await?);
    }
    if gone.iter().any(is_sequence) {
        let now = structure::fetch(&receiver.caller, Vec::new(), true).await?;
        gone.retain(|form| !is_sequence(form) || now.iter().all(|there| there.id() != form.id()));
    }
    Ok(gone)
}

/// The tables that the snapshot has; and those of them, and the types, that it has in another form than is here.
async fn as_here(
    receiver: &Receiver,
    session: &Client,
    waiting: &[u32],
) -> Result<(Vec<Relation>, Vec<Structure>), Fault> {
    let (mut relations, mut unlike) = (Vec::new(), Vec::new());
    let known = structure::all(&**session).await?;
    let wanted: HashSet<u32> = waiting.iter().copied().collect();
    let forms = structure::fetch(&receiver.caller, Vec::new(), true).await?;
    let tables = forms.iter().filter(|form| form.id().0 == CLASSES);
    let by_oid: HashMap<u32, &Structure> = tables.map(|form| (form.id().1, form)).collect();
    for form in &forms {
        let matters = match form {
            Structure::Relation(of) => wanted.contains(&of.oid) || form.is_type(),
            // A shell is no column's type; one that `create function` made by the way is in no message either.
            Structure::Type(of) => of.typtype != SHELL,
            _ => false,
        };
        if !matters {
            continue;
        }
        if let Structure::Relation(table) = form
            && table.relkind.is_table()
        {
            relations.extend(relation_of(table));
        }
        let moved = moved_above(form, &known, &by_oid);
        let is_alike = known.get(&form.id()).is_some_and(|known| takes_rows_alike(known, form));
        if !is_alike || !moved.is_empty() {
            unlike.push(form.clone());
        }
        for parent in moved {
            if !unlike.contains(parent) {
                unlike.push(parent.clone());
            }
        }
    }
    Ok((relations, unlike))
}

/// The parents of the table, and theirs, that have another place than here: rows of that place do not fit here, and the table's own
/// form says nothing of it.
fn moved_above<'a>(
    table: &Structure,
    known: &Forms,
    by_oid: &HashMap<u32, &'a Structure>,
) -> Vec<&'a Structure> {
    let (mut moved, mut up) = (Vec::new(), parents(table));
    while let Some(oid) = up.pop() {
        let Some(form) = by_oid.get(&oid) else { continue };
        up.extend(parents(form));
        if known.get(&form.id()).is_some_and(|known| has_moved(known, form)) {
            moved.push(*form);
        }
    }
    moved
}

/// Rows of one can be copied into the other.
fn takes_rows_alike(known: &Structure, form: &Structure) -> bool {
    let known = &with_names_of_types(known, form);
    let (old, new) = (without_defaults(known), without_defaults(form));
    columns(known) == columns(form)
        && ddl::statements(Some(&old), &new, Around::default()) == Ok(Vec::new())
}

/// A column's type that was renamed is the same one, and no command has told its tables.
fn with_names_of_types(known: &Structure, form: &Structure) -> Structure {
    let mut known = known.clone();
    let (Structure::Relation(old), Structure::Relation(new)) = (&mut known, form) else {
        return known;
    };
    for column in &mut old.columns {
        let of_type =
            |it: &&ColumnStructure| (it.type_oid, it.typmod) == (column.type_oid, column.typmod);
        if let Some(now) = new.columns.iter().filter(of_type).find(|it| it.num == column.num) {
            column.type_name.clone_from(&now.type_name);
        }
    }
    known
}

/// Rows that are copied take none; and one calls a sequence by its name, which may be a new one: the table is not told then.
fn without_defaults(form: &Structure) -> Structure {
    let mut form = form.clone();
    if let Structure::Relation(of) = &mut form {
        of.columns.iter_mut().filter(|column| column.generated.is_empty()).for_each(|column| {
            column.default = None;
        });
    }
    form
}

/// What rows are copied by, and what the stream's later messages know them by. A partition's and an heir's come with the parent's:
/// there are no statements for them.
fn columns(form: &Structure) -> Vec<(i16, &str, &str)> {
    match form {
        Structure::Relation(of) => {
            let columns = of.columns.iter();
            columns.map(|column| (column.num, &*column.name, &*column.type_name)).collect()
        }
        _ => Vec::new(),
    }
}

/// What becomes of the rows of tables that get defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// All are copied under the held snapshot.
    Copied,
    /// Those that are here stay: if the source has rewritten them since, nothing but the file that is known of the table tells.
    Kept,
}

/// Gives these tables the defaults that they have in the held snapshot, as far as that goes: they hinder no copy, and when the stream
/// comes to the command that set one, the table's copy is newer than that.
pub(crate) async fn bring_defaults(
    receiver: &Receiver,
    ledger: Ledger,
    session: &Client,
    (tables, rows): (&[u32], Rows),
) -> Result<(), Fault> {
    if tables.is_empty() {
        return Ok(());
    }
    let wanted: HashSet<u32> = tables.iter().copied().collect();
    let known = structure::all(&**session).await?;
    let mut others = structure::fetch(&receiver.caller, tables.to_vec(), true).await?;
    others.retain(|form| {
        let known = known.get(&form.id()).filter(|_| wanted.contains(&form.id().1));
        known.is_some_and(|known| takes_rows_alike(known, form) && !is_same(Some(known), form))
    });
    if rows == Rows::Kept {
        others.iter_mut().for_each(|form| keep_file(known.get(&form.id()), form));
    }
    match others.is_empty() {
        true => Ok(()),
        false => bring_what_goes(receiver, ledger, others, &[]).await.map(drop),
    }
}

fn keep_file(known: Option<&Structure>, form: &mut Structure) {
    if let (Some(Structure::Relation(known)), Structure::Relation(form)) = (known, form) {
        form.file = known.file;
    }
}

/// Which of these tables the held snapshot does not have in the form that they have here; all of them, where a type is another.
pub(crate) async fn not_as_here(
    receiver: &Receiver,
    session: &Client,
    tables: &[u32],
) -> Result<Vec<u32>, Fault> {
    let (relations, unlike) = as_here(receiver, session, tables).await?;
    if unlike.iter().any(Structure::is_type) {
        return Ok(tables.to_vec());
    }
    let unlike: HashSet<u32> = unlike.iter().map(|form| form.id().1).collect();
    let there: HashSet<u32> = relations.iter().map(|relation| relation.oid).collect();
    let same = |oid: u32| there.contains(&oid) && !unlike.contains(&oid);
    Ok(tables.iter().copied().filter(|oid| !same(*oid)).collect())
}

/// A parent of a table has none.
fn with_rows(form: &Structure) -> Option<u32> {
    match form {
        Structure::Relation(of) if of.relkind == RelationKind::Table => Some(of.oid),
        _ => None,
    }
}

fn is_sequence(form: &Structure) -> bool {
    matches!(form, Structure::Sequence(_))
}

async fn waiting(session: &Client) -> Result<Vec<u32>, Fault> {
    let rows = session
        .query("select source_oid from whimbrel.relation where point is null order by 1", &[])
        .await
        .doing("looking for tables that are to be copied again")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

impl Receiver {
    /// Whether changes of the source's schema are told in the stream.
    pub(crate) async fn is_followed(&self) -> Result<bool, Fault> {
        match self.caller.ask(Ask::Followed).await? {
            Answer::Followed(followed) => Ok(followed),
            _ => Err(unexpected_answer()),
        }
    }

    /// The tables that are still to be copied again.
    pub(crate) async fn waiting_tables(&self, session: &Client) -> Result<Vec<Relation>, Fault> {
        let waiting = waiting(session).await?;
        let catalog = self.catalog(session).await?;
        let relations = catalog.relations.iter();
        Ok(relations.filter(|relation| waiting.contains(&relation.oid)).cloned().collect())
    }

    /// Whether tables are still to be copied again.
    pub(crate) async fn tables_wait(&self, session: &Client) -> Result<bool, Fault> {
        Ok(self.spec.online && !waiting(session).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RelationStructure;

    /// With columns that came with its parent's.
    fn partition(columns: &[(i16, &str)], default: Option<&str>) -> Structure {
        let mut of = RelationStructure::of_columns(columns);
        for column in &mut of.columns {
            (column.inherited, column.default) = (true, default.map(str::to_owned));
        }
        Structure::Relation(Box::new(of))
    }

    #[test]
    fn a_partition_that_has_another_column_by_now_is_unlike() {
        let known = partition(&[(1, "id")], None);
        assert!(takes_rows_alike(&known, &known));
        assert!(!takes_rows_alike(&known, &partition(&[(1, "id"), (2, "added")], None)));
        assert!(takes_rows_alike(&known, &partition(&[(1, "id")], Some("nextval('s')"))));
    }
}
