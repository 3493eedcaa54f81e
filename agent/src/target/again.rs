//! Tables that are copied again: one that was held, or all whose rows are not the source's any more after the slot was lost.
//!
//! A request is taken up in one transaction of the ledger, once, by its number. From then on the ledger says what is to be
//! done: a table that is not `copied` is emptied and filled under a fresh snapshot, whose point it gets; by the snapshot rule
//! the stream's earlier changes of it are left out. The stream stands still meanwhile, so that nothing is applied twice.
use std::collections::HashSet;

use whimbrel_proto::{Lsn, agent::v1::CopyAgain};

use super::{
    drop_foreign_keys,
    fact::Fact,
    ledger::{self, Ledger, Phase},
    load::{Others, Rows, bring_defaults, check_server, not_as_here},
    receive::{Receiver, current},
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    verify::table_checksum,
    wire::{Answer, Ask, Catalog, Publish, Relation, unexpected_answer},
};

/// Names told of tables to be copied again; the rest are counted.
const NAMED: usize = 10;

impl Receiver {
    /// Takes up what was asked for and was not taken up yet; the ledger afterwards.
    pub(super) async fn take_up_requests(
        &self,
        client: &mut Client,
        ledger: Ledger,
        state: ledger::State,
    ) -> Result<ledger::State, Fault> {
        // Before the schema is there, everything is going to be copied anyway.
        if state.source_system.is_none() || state.phase == Phase::Live {
            return Ok(state);
        }
        for request in &self.spec.copy_again {
            if request.number > state.copied_again {
                self.take_up(client, ledger, request).await?;
            }
        }
        current(client).await
    }

    async fn take_up(
        &self,
        client: &mut Client,
        ledger: Ledger,
        request: &CopyAgain,
    ) -> Result<(), Fault> {
        let doing = "recording in the ledger which tables are copied again";
        let catalog = self.catalog(client).await?;
        let oids = find_tables(&catalog, &request.tables);
        let named = !request.tables.is_empty();
        let number = i32::try_from(request.number).unwrap_or(i32::MAX);
        let tx = client.transaction().await.doing(doing)?;
        tx.execute("update whimbrel.ledger set copied_again = $1", &[&number])
            .await
            .doing(doing)?;
        if let Err(unknown) = oids {
            // Taken up all the same: it would be asked for without end.
            ledger.commit(tx, doing).await?;
            return Err(unknown);
        }
        let oids = oids?;
        if request.new_slot {
            tx.batch_execute(include_str!("sql/begin_again.sql")).await.doing(doing)?;
        } else {
            tx.execute(
                "update whimbrel.relation set copied = false, done = false, held = null, anew = true \
                 where source_oid = any($1) or $2 and held is not null",
                &[&oids, &!named],
            )
            .await
            .doing(doing)?;
        }
        ledger.commit(tx, doing).await
    }

    /// Beside a stream that is not open yet: copies what the ledger says is not copied.
    pub(super) async fn refill(&self, client: &mut Client, ledger: Ledger) -> Result<(), Fault> {
        let doing = "looking for tables to be copied again";
        let rows = client
            .query("select source_oid from whimbrel.relation where not done", &[])
            .await
            .doing(doing)?;
        let left: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.progress.operation("taking a snapshot of the source");
        let snapshot = self.renew_snapshot(client, ledger).await?;
        let state = current(client).await?;
        check_server(&snapshot, state.source_system)?;
        if !not_as_here(self, client, &left).await?.is_empty() {
            self.caller.ask(Ask::Release).await?;
            return copy_in_stream(client, ledger, &left).await;
        }
        bring_defaults(self, ledger, client, (&left, Rows::Copied)).await?;
        let catalog = self.catalog(client).await?;
        let plan = self.plan(client, &catalog).await?;
        self.progress.tables(&catalog);
        self.progress.operation("copying tables again");
        // They would refuse an emptied table; they come back once the stream has passed all points.
        drop_foreign_keys(client, ledger, &plan).await?;
        self.fill(client, ledger, &catalog, &plan, snapshot.point, Others::default()).await?;
        self.caller.ask(Ask::Release).await.map(drop)
    }

    /// An offline migration's unlogged tables that PostgreSQL has emptied since they were copied, as it does when the target crashes
    /// ("CREATE TABLE", UNLOGGED): nothing else tells. They are copied again, under a snapshot of now.
    pub(super) async fn refill_emptied(
        &self,
        client: &mut Client,
        ledger: Ledger,
    ) -> Result<(), Fault> {
        let catalog = self.catalog(client).await?;
        let emptied = emptied(client, &catalog).await?;
        if emptied.is_empty() {
            return Ok(());
        }
        let doing = "recording in the ledger that unlogged tables are copied again";
        let oids: Vec<u32> = emptied.iter().map(|relation| relation.oid).collect();
        let tx = client.transaction().await.doing(doing)?;
        tx.execute(
            "update whimbrel.relation set copied = false, done = false, anew = true where source_oid = any($1)",
            &[&oids],
        )
        .await
        .doing(doing)?;
        tx.execute("update whimbrel.ledger set phase = 'copy'", &[]).await.doing(doing)?;
        ledger.commit(tx, doing).await?;
        let labels: Vec<String> = emptied.iter().map(Relation::label).collect();
        let text =
            format!("the target has crashed, which empties unlogged tables; {}", names(&labels));
        self.tell(Fact::Milestone("TablesCopiedAgain", text)).await;
        Box::pin(self.load(client, ledger, None)).await
    }

    /// After a lost slot: a table whose rows are the source's, as its new snapshot sees them, is not copied again.
    pub(super) async fn keep_what_is_same(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        point: Lsn,
    ) -> Result<(), Fault> {
        let doing = "comparing what is here with the source's new snapshot";
        let rows = client
            .query("select source_oid from whimbrel.relation where stale and not copied", &[])
            .await
            .doing(doing)?;
        let stale: HashSet<u32> = rows.iter().map(|row| row.get(0)).collect();
        if stale.is_empty() {
            return Ok(());
        }
        self.progress.operation("comparing tables with the source");
        let (mut same, mut differing) = (Vec::new(), Vec::new());
        for relation in catalog.relations.iter().filter(|relation| stale.contains(&relation.oid)) {
            let name = (relation.schema.clone(), relation.name.clone());
            let columns: Vec<String> =
                relation.columns.iter().map(|column| column.name.clone()).collect();
            let known = (relation.schema.as_str(), relation.name.as_str());
            let here = table_checksum(client, known, &columns, catalog.server_version).await?;
            let ask = Ask::Checksum { name, columns, under_snapshot: true };
            let Answer::Checksum(source) = self.caller.ask(ask).await? else {
                return Err(unexpected_answer());
            };
            if source == here {
                same.push(relation.oid);
            } else {
                differing.push(relation.label());
            }
        }
        let tx = client.transaction().await.doing(doing)?;
        tx.execute(
            "update whimbrel.relation set point = $1, copied = true, held = null where source_oid = any($2)",
            &[&tokio_postgres::types::PgLsn::from(point.0), &same],
        )
        .await
        .doing(doing)?;
        tx.batch_execute("update whimbrel.relation set stale = false").await.doing(doing)?;
        ledger.commit(tx, doing).await?;
        let text = format!("{} as they are; {}", same.len(), names(&differing));
        self.tell(Fact::Milestone("TablesCompared", text)).await;
        Ok(())
    }
}

/// The tables of these names; all of them, or none.
fn find_tables(catalog: &Catalog, names: &[String]) -> Result<Vec<u32>, Fault> {
    let find = |name: &String| {
        let found = catalog.relations.iter().find(|relation| relation.label() == *name);
        found.map(|relation| relation.oid).ok_or_else(|| {
            Fault::hold("TableUnknown", format!("copying tables again: no table {name} is in this migration"))
                .remedy("nothing is copied again: `whimbrel migration retry` goes on without; `migration show --tables` has the names")
        })
    };
    names.iter().map(find).collect()
}

/// A change of the source's schema is still in the stream: it is carried first, and then the tables are copied.
async fn copy_in_stream(client: &mut Client, ledger: Ledger, tables: &[u32]) -> Result<(), Fault> {
    let doing = "recording in the ledger that tables are copied when the stream has come so far";
    let tx = client.transaction().await.doing(doing)?;
    tx.execute(
        "update whimbrel.relation set point = null, copied = true, done = true where source_oid = any($1)",
        &[&tables],
    )
    .await
    .doing(doing)?;
    ledger.commit(tx, doing).await
}

/// "to be copied again: a, b and 3 more".
fn names(tables: &[String]) -> String {
    if tables.is_empty() {
        return "none to be copied again".to_owned();
    }
    let more = tables.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let named: Vec<&str> = tables.iter().take(NAMED).map(String::as_str).collect();
    format!("to be copied again: {}{more}", named.join(", "))
}

/// Unlogged tables with nothing in them that had rows when they were copied.
pub(crate) async fn emptied(client: &Client, catalog: &Catalog) -> Result<Vec<Relation>, Fault> {
    let doing = "looking for unlogged tables that a crash has emptied";
    let rows = client
        .query("select source_oid from whimbrel.relation where copied and rows > 0", &[])
        .await
        .doing(doing)?;
    let filled: HashSet<u32> = rows.iter().map(|row| row.get(0)).collect();
    let mut emptied = Vec::new();
    for relation in &catalog.relations {
        if relation.publish != Publish::Nothing || !filled.contains(&relation.oid) {
            continue;
        }
        let name = qualified(&relation.schema, &relation.name);
        let sql = format!("select not exists (select from only {name})");
        if client.query_one(&*sql, &[]).await.doing(doing)?.get(0) {
            emptied.push(relation.clone());
        }
    }
    Ok(emptied)
}
