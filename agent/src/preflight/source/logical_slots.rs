//! Logical slots of others: who reads them (a replica, a change-data capture) has to be pointed at the target.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::literal,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "LogicalSlotsValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Slot {
    name: String,
    plugin: String,
    active: bool,
    /// Of another migration.
    ours: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for logical slots of database {}", source.database);
    let sql = include_str!("../sql/logical_slots.sql");
    let slots: Vec<Slot> = ask(source.client, &doing, sql, &[&source.database]).await?;
    Ok(slots.iter().map(finding).collect())
}

fn finding(slot: &Slot) -> Found {
    let Slot { name, plugin, active, ours } = slot;
    if *ours {
        let message = format!(
            "replication slot {name} is of another migration, which does not read it now: the source keeps its WAL until somebody does"
        );
        let drop = format!("select pg_drop_replication_slot({});", literal(name).trim_start());
        let remedy = format!("{drop} -- if none of `whimbrel migration list` has it any more");
        return Found::warning("SlotLeftBehind", message).object(name).remedy(remedy);
    }
    let used = if *active { "somebody reads it now" } else { "nobody reads it now" };
    let message = format!(
        "logical replication slot {name} (plugin {plugin}; {used}) is not carried: who reads it must read a slot of the \
         target's after the cutover"
    );
    let drop = format!("select pg_drop_replication_slot({});", literal(name).trim_start());
    let remedy = if *active {
        format!(
            "-- end its reader before the cutover, make a slot on the target for it, then, on the source: {drop}"
        )
    } else {
        format!("{drop} -- if nobody needs it any more")
    };
    Found::warning("LogicalSlotNotCarried", message).object(name).remedy(remedy)
}
