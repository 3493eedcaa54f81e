//! Types whose values are told by the catalog of now, not the snapshot's.
//!
//! COPY sees rows under its snapshot, but an enum's label and a composite's attributes are looked up when a value is made into text
//! (`enum_out`, `record_out`), in the catalog of that moment. When labels were renamed since, or an attribute dropped, what comes
//! out is not what the snapshot has: two labels that were exchanged are each a label that the target knows, of another value. So
//! the rows of `pg_enum` and `pg_attribute` that are there now must be the snapshot's, before the first row and behind the last.
use std::collections::{HashMap, HashSet};

use super::{copy_out::rewritten, sender::Sender, snapshot::Held};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// What the snapshot has of such types.
#[derive(Debug)]
pub(super) struct Typed {
    /// The types that a table's columns are made of; tables without such are not here.
    types: HashMap<u32, Vec<u32>>,
    /// What each is made of.
    lines: HashMap<u32, HashSet<String>>,
}

impl Sender {
    /// That the types of the table's columns are what the snapshot has.
    ///
    /// # Errors
    /// `TableRewritten`: they are not.
    pub(super) async fn compare_types(
        &self,
        held: &Held,
        table: u32,
        doing: &str,
    ) -> Result<(), Fault> {
        let typed = held.typed.get_or_try_init(|| self.typed()).await?;
        let Some(types) = typed.types.get(&table) else { return Ok(()) };
        let now = lines(&*self.control().await?, types).await?;
        let is_there = |of: &u32| {
            let then = typed.lines.get(of);
            then.is_none_or(|then| now.get(of).is_some_and(|now| then.is_subset(now)))
        };
        match types.iter().all(is_there) {
            true => Ok(()),
            false => Err(rewritten(format!(
                "{doing}: the labels or attributes of a column's type were changed after the snapshot was taken"
            ))),
        }
    }

    async fn typed(&self) -> Result<Typed, Fault> {
        let client = self.session_in_snapshot("types").await?;
        let rows = client.query(&*client.sql(include_str!("sql/told_by_types.sql")), &[]).await;
        let mut types: HashMap<u32, Vec<u32>> = HashMap::new();
        for row in rows.doing("looking for tables with columns of enums and composites")? {
            types.entry(row.get(0)).or_default().push(row.get(1));
        }
        let all: HashSet<u32> = types.values().flatten().copied().collect();
        let lines = match all.is_empty() {
            true => HashMap::new(),
            false => lines(&client, &all.into_iter().collect::<Vec<u32>>()).await?,
        };
        Ok(Typed { types, lines })
    }
}

async fn lines(client: &Client, types: &[u32]) -> Result<HashMap<u32, HashSet<String>>, Fault> {
    let rows = client.query(include_str!("sql/type_rows.sql"), &[&types]).await;
    let mut lines: HashMap<u32, HashSet<String>> = HashMap::new();
    for row in rows.doing("reading the labels and attributes of types")? {
        lines.entry(row.get(0)).or_default().insert(row.get(1));
    }
    Ok(lines)
}
