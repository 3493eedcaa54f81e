//! Tables that are half copied, under a newer snapshot: the parts that are here are brought to it, and the rest goes on.
//!
//! The parts here are pages D of a table as the snapshot of point L1 had them; the snapshot of now has point L2. What the
//! new one has on D is, row by row:
//!
//! - A row whose key no transaction touched that began to commit at L1 or later and before L2 is the same tuple under
//!   both: only an insert, an update or a delete moves a row, and all of them are in the change stream with its key. (VACUUM
//!   moves none; what rewrites a table, or empties it, gives it another file, and it begins anew.) If it lies on D it is here.
//! - Every other row has its key among those that the stream tells of that window. All rows here with such a key are
//!   deleted, and those that the new snapshot has with such a key *on D* are fetched from it. The rest of them, on other pages,
//!   come with the parts that are still to be copied.
//!
//! So D is then as if it had been copied under the new snapshot, in one transaction with the table's new point: all parts of a
//! table always share one point, its unique indexes can be built before the stream, and no value that the stream leaves out (an
//! unchanged TOASTed one) is missed. It makes no difference which agent copied D. More keys than were touched do no harm.
//!
//! It needs a key that the stream tells, and the slot's WAL of the window, which is read once more than by the stream itself.
use std::collections::HashMap;

use bytes::Bytes;
use futures_util::pin_mut;
use tokio_postgres::{Transaction, types::PgLsn};
use whimbrel_proto::Lsn;

use super::{
    copy_in::{CopyIn, pour, signed},
    parts::Here,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified, same_to_index},
    target::{
        apply::Elements, fact::Fact, ledger::Ledger, own_casts::OwnCasts, receive::Receiver,
        snapshot::known,
    },
    wire::{Ask, ChangedTable, Column, PageRange, Publish, Relation},
};

/// Keys of one question: some hundred kilobytes of statement, and enough that the round trip does not count.
const KEYS: i32 = 5_000;

/// With more changed rows than half of those that are here it is less work to copy the table from its start; but never
/// for less than this.
const KEYS_MIN: u64 = 10_000;

/// What became of one table.
enum Outcome {
    /// So many rows were fetched again.
    Forward(u64),
    /// The stream does not tell by keys what changed, or too much did.
    Anew,
}

impl Receiver {
    /// Brings what is here of `tables` to the snapshot of `point`. Those with which that can't be are given back.
    pub(super) async fn bring_forward<'a>(
        &self,
        client: &mut Client,
        ledger: Ledger,
        tables: &[&'a Relation],
        here: &HashMap<u32, Here>,
        point: Lsn,
    ) -> Result<Vec<&'a Relation>, Fault> {
        let (keyed, mut anew): (Vec<&Relation>, Vec<&Relation>) =
            tables.iter().copied().partition(|relation| has_key(relation));
        if keyed.is_empty() {
            return Ok(anew);
        }
        self.progress.operation("looking for rows that changed since they were copied");
        self.fetch_changed(client, ledger, &keyed, here, point).await?;
        let (mut parts, mut rows) = (0, 0);
        for relation in &keyed {
            let Some(table) = here.get(&relation.oid) else { continue };
            match Box::pin(self.forward(client, ledger, relation, table, point)).await? {
                Outcome::Forward(fetched) => {
                    parts += table.count;
                    rows += fetched;
                    self.progress.table_begun(relation.oid, table.rows, table.bytes);
                }
                Outcome::Anew => anew.push(relation),
            }
        }
        let text = format!(
            "{} tables go on where they were, with {parts} parts; {rows} of their rows had changed since; {} begin anew",
            tables.len() - anew.len(),
            anew.len()
        );
        self.tell(Fact::Milestone("CopyContinued", text)).await;
        Ok(anew)
    }

    /// Writes down the keys of the rows that changed since.
    async fn fetch_changed(
        &self,
        client: &mut Client,
        ledger: Ledger,
        tables: &[&Relation],
        here: &HashMap<u32, Here>,
        to: Lsn,
    ) -> Result<(), Fault> {
        let doing = "recording in the ledger which rows changed since they were copied";
        let Some(known) = known(client).await? else { return Ok(()) };
        let tables = tables
            .iter()
            .filter_map(|relation| {
                let table = here.get(&relation.oid)?;
                Some(ChangedTable {
                    oid: relation.oid,
                    key: key(relation).map(|column| column.name.clone()).collect(),
                    from: table.point?,
                    limit: (table.rows / 2).max(KEYS_MIN),
                })
            })
            .collect();
        let ask = Ask::ChangedKeys { tables, to, known };
        let frames = self.caller.open(ask).await?;
        let tx = client.transaction().await.doing(doing)?;
        tx.batch_execute("truncate whimbrel.changed").await.doing(doing)?;
        let sink = tx
            .copy_in::<_, Bytes>("copy whimbrel.changed (source_oid, key) from stdin")
            .await
            .doing(doing)?;
        pin_mut!(sink);
        pour(frames, sink, None, doing).await?;
        tx.batch_execute("analyze whimbrel.changed").await.doing(doing)?;
        ledger.commit(tx, doing).await
    }

    async fn forward(
        &self,
        client: &mut Client,
        ledger: Ledger,
        relation: &Relation,
        table: &Here,
        point: Lsn,
    ) -> Result<Outcome, Fault> {
        let doing = format!("bringing {} to the new snapshot", relation.label());
        let tx = client.transaction().await.doing(&doing)?;
        let lost =
            "select exists (select from whimbrel.changed where source_oid = $1 and key is null)";
        let lost = tx.query_one(lost, &[&relation.oid]).await.doing(&doing)?;
        if lost.get(0) {
            return Ok(Outcome::Anew);
        }
        // By another value than the text's own a row would not be found.
        let casts = OwnCasts::here(&tx).await?;
        let Some(values) = values(relation, &casts) else { return Ok(Outcome::Anew) };
        let gone = tx.execute(&delete(relation, &values), &[&relation.oid]).await.doing(&doing)?;
        let keys = keys(relation, &values);
        let (rows, bytes) = self.fetch_rows(&tx, (relation, &keys), &table.parts, &doing).await?;
        // The sum over the parts is the table's: one of them takes the difference.
        tx.execute(
            include_str!("../sql/forward.sql"),
            &[&relation.oid, &PgLsn::from(point.0), &(signed(rows) - signed(gone)), &signed(bytes)],
        )
        .await
        .doing(&doing)?;
        ledger.commit(tx, &doing).await?;
        Ok(Outcome::Forward(rows))
    }

    /// Rows and bytes of the changed keys that the snapshot has on `pages`. `keys` asks for those here.
    async fn fetch_rows(
        &self,
        tx: &Transaction<'_>,
        (relation, keys): (&Relation, &str),
        pages: &[PageRange],
        doing: &str,
    ) -> Result<(u64, u64), Fault> {
        tx.execute(&format!("declare changed no scroll cursor for {keys}"), &[&relation.oid])
            .await
            .doing(doing)?;
        let copy = CopyIn { relation, pages: None, replace: false, point: None };
        let (mut rows, mut bytes) = (0, 0);
        loop {
            let fetched =
                tx.query(&format!("fetch {KEYS} from changed"), &[]).await.doing(doing)?;
            if fetched.is_empty() {
                break;
            }
            let ask = Ask::CopyKeys {
                copy: copy.of(),
                key: key(relation).cloned().collect(),
                keys: fetched.iter().map(|row| row.get(0)).collect(),
                pages: pages.to_vec(),
            };
            let frames = self.caller.open(ask).await?;
            let sink = tx.copy_in::<_, Bytes>(&copy.statement(false)).await.doing(doing)?;
            pin_mut!(sink);
            let (more, weight) = pour(frames, sink, None, doing).await?;
            rows += more;
            bytes += weight;
        }
        tx.batch_execute("close changed").await.doing(doing)?;
        Ok((rows, bytes))
    }
}

/// Whether the stream tells its rows apart by a key.
pub(super) fn has_key(relation: &Relation) -> bool {
    relation.publish == Publish::All && key(relation).next().is_some()
}

fn key(relation: &Relation) -> impl Iterator<Item = &Column> {
    relation.columns.iter().filter(|column| column.key.is_some())
}

/// The keys that changed, each as one text.
const TEXTS: &str = "select distinct key from whimbrel.changed where source_oid = $1";

/// The columns' values of a row of `c`; `None`: a text of one can't be made one here.
fn values(relation: &Relation, casts: &OwnCasts) -> Option<Vec<String>> {
    let value = |(column, at): (&Column, i32)| {
        let text = format!("c.key[{at}]");
        Some(match casts.string(column)? {
            Elements::Text => format!("{text}::{}", column.type_name),
            other => format!("{text}::{}::{}", other.type_name(), column.type_name),
        })
    };
    key(relation).zip(1..).map(value).collect()
}

/// The keys that changed, each once to its index. Texts that differ can be the same to it (1.0 and 1.00, a letter of either
/// case): fetched by each of them, in questions of their own, a row would be here as many times.
fn keys(relation: &Relation, values: &[String]) -> String {
    let own_collation =
        |column: &Column| column.key.as_ref().is_some_and(|key| key.collation.is_some());
    if key(relation).all(|column| column.exact_equality && !own_collation(column)) {
        return TEXTS.to_owned();
    }
    let columns = || key(relation).zip(1..);
    // Of no row: they give the values the columns' types and collations.
    let like: Vec<String> =
        columns().map(|(column, at)| format!("t.{} as k{at}", identifier(&column.name))).collect();
    let terms: Vec<String> = columns()
        .map(|(column, at)| same(column, &format!("a.k{at}"), &format!("b.k{at}")))
        .collect();
    format!(
        "with k as (select {}, null::text[] as key from only {} t where false \
         union all select {}, c.key from ({TEXTS}) c) \
         select a.key from k a where not exists (select from k b where {} and b.key < a.key)",
        like.join(", "),
        qualified(&relation.schema, &relation.name),
        values.join(", "),
        terms.join(" and ")
    )
}

/// All rows with a key that changed, in one pass over the table: it may have no index yet.
fn delete(relation: &Relation, values: &[String]) -> String {
    let terms: Vec<String> = key(relation)
        .zip(values)
        .map(|(column, value)| same(column, &format!("t.{}", identifier(&column.name)), value))
        .collect();
    format!(
        "delete from only {} t using ({TEXTS}) c where {}",
        qualified(&relation.schema, &relation.name),
        terms.join(" and ")
    )
}

fn same(column: &Column, left: &str, right: &str) -> String {
    let (operator, collation) = column
        .key
        .as_ref()
        .map_or(("=", None), |key| (key.operator.as_str(), key.collation.as_deref()));
    same_to_index(left, operator, right, collation)
}
