//! A copy that was cut, of a source that has changed its schema since: the change is still in the stream, and a table that it
//! changes can't be copied in the form that the target has.
use std::collections::HashMap;

use whimbrel_proto::Lsn;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{fact::Fact, ledger::Ledger, receive::Receiver},
    wire::{Catalog, Relation},
};

/// So many are named; the rest is counted.
const NAMED: usize = 5;

impl Receiver {
    /// Leaves those of the tables that are not copied to the stream ([`super::again`]): it brings them to their new form, and
    /// then they are copied. What a part of them brought goes, and keys and indexes are made now, of nothing.
    pub(super) async fn leave_to_stream(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        tables: &[u32],
    ) -> Result<(), Fault> {
        let doing =
            "recording in the ledger that tables are copied when the stream has come so far";
        let rows = client
            .query(
                "select source_oid from whimbrel.relation where not copied and source_oid = any($1)",
                &[&tables],
            )
            .await
            .doing(doing)?;
        let left: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
        let tables: Vec<&Relation> =
            catalog.relations.iter().filter(|table| left.contains(&table.oid)).collect();
        if tables.is_empty() {
            return Ok(());
        }
        // They get their point with their rows.
        self.empty(client, ledger, &tables, Lsn(0), &HashMap::new()).await?;
        let tx = client.transaction().await.doing(doing)?;
        tx.execute(
            "update whimbrel.relation set point = null, copied = true, stale = false where source_oid = any($1)",
            &[&left],
        )
        .await
        .doing(doing)?;
        ledger.commit(tx, doing).await?;
        self.tell(Fact::Milestone("CopyLeftToStream", told(&tables))).await;
        Ok(())
    }
}

fn told(tables: &[&Relation]) -> String {
    let names: Vec<String> = tables.iter().map(|table| table.label()).collect();
    format!(
        "the source has changed its schema since it was dumped; once the stream has brought that change, these are \
         copied: {}",
        named(&names)
    )
}

/// "a, b, c, d, e and 3 more".
pub(super) fn named(names: &[String]) -> String {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    format!("{}{more}", names.join(", "))
}
