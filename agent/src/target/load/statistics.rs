//! Statistics of tables whose rows have come.
use tokio_postgres::Transaction;

use crate::{
    fault::{Doing, Fault},
    postgres::qualified,
    wire::Relation,
};

/// Which of these tables have a foreign table among their heirs.
const WITH_FOREIGN_HEIRS: &str = "
    with recursive family(name, oid) as (
        select t.name, t.name::regclass::oid from unnest($1::text[]) t(name)
        union
        select f.name, i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
    )
    select distinct f.name from family f join pg_class c on c.oid = f.oid where c.relkind = 'f'";

/// Since 18 ANALYZE knows ONLY.
const ONLY: u32 = 18;

/// ANALYZE reads the heirs of a table too, and of a foreign one asks its server, which the target may not reach, or not as our
/// role: such a table is analyzed alone, and where the server can't, left without. The report names those.
pub(super) async fn gather(
    tx: &Transaction<'_>,
    server_major: u32,
    tables: &[&Relation],
    doing: &str,
) -> Result<(), Fault> {
    let names: Vec<String> = tables.iter().map(|t| qualified(&t.schema, &t.name)).collect();
    let rows = tx.query(WITH_FOREIGN_HEIRS, &[&names]).await.doing(doing)?;
    let foreign: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let analyzed = names.iter().filter_map(|name| {
        let reads_heirs = foreign.contains(&name.as_str());
        match (reads_heirs, server_major >= ONLY) {
            (false, _) => Some(name.clone()),
            (true, true) => Some(format!("only {name}")),
            (true, false) => None,
        }
    });
    let analyzed: Vec<String> = analyzed.collect();
    if analyzed.is_empty() {
        return Ok(());
    }
    tx.batch_execute(&format!("analyze {}", analyzed.join(", "))).await.doing(doing)
}
