//! Rows of a table, or of a range of its pages, as COPY gives them.
use super::sender::Sender;
use crate::{
    fault::{Doing, Fault, GONE},
    postgres::{identifier, literal, qualified},
    replication::{ReplicationError, RowsConnection},
    wire::{CopyFormat, CopyOf, Frame, FrameSender, PageRange},
};

/// How long the lock may be waited for. Our wait queues in front of nobody (ACCESS SHARE), it only waits for DDL.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '60s'";

/// OID of `pg_class`. The function that tells an object's names asks the catalog of now, not the snapshot's.
const CLASSES: u32 = 1259;

/// Leaves the savepoint that a copy is made under, and gives up its locks (PostgreSQL manual, 13.3 Explicit Locking).
const LEAVE: &str = "rollback to savepoint part; release savepoint part";

impl Sender {
    pub(super) async fn copy_out(&self, copy: CopyOf, reply: &FrameSender) -> Result<(), Fault> {
        self.send_copy(&copy, &statement(&copy), reply).await
    }

    /// Sends what a COPY statement of the table gives.
    pub(super) async fn send_copy(
        &self,
        copy: &CopyOf,
        statement: &str,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let doing = format!("copying {}.{}", copy.name.0, copy.name.1);
        let held = self.held().await?;
        let mut session = self.rows_in_snapshot(&held).await?;
        lock_and_compare(&mut session, copy, &doing).await?;
        self.compare_types(&held, copy.table, &doing).await?;
        send_rows(&mut session, statement, reply, &doing).await?;
        self.compare_types(&held, copy.table, &doing).await?;
        // The lock goes with the savepoint, and DDL need not wait for the end of the whole copy.
        session.query(LEAVE, &doing).await.doing(&doing)?;
        held.keep(session);
        Ok(())
    }
}

async fn send_rows(
    session: &mut RowsConnection,
    statement: &str,
    reply: &FrameSender,
    doing: &str,
) -> Result<(), Fault> {
    let mut rows = unless_gone(session.copy_out(statement).await, doing)?;
    while let Some(piece) = rows.next().await.doing(doing)? {
        reply.send(Frame::Bytes(piece)).await?;
    }
    Ok(())
}

/// A TRUNCATE or a rewrite since the snapshot gives the table a new file, and the snapshot then sees no rows in it
/// (measured); and a renamed table's name may be another one's by now. So: lock the name, then it must be this table's,
/// and the file that the snapshot knows must be the one of now. So must the names of its columns: COPY takes them from the
/// catalog of now, where a name can be another column's. All in one round trip.
async fn lock_and_compare(
    session: &mut RowsConnection,
    copy: &CopyOf,
    doing: &str,
) -> Result<(), Fault> {
    let table = qualified(&copy.name.0, &copy.name.1);
    let enter = format!(
        "savepoint part; {LOCK_TIMEOUT}; lock table only {table} in access share mode; \
         select relfilenode = pg_relation_filenode(oid) and oid = to_regclass({}) and not exists (\
         select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         and (pg_identify_object_as_address({CLASSES}, a.attrelid, a.attnum)).object_names[3] is distinct from a.attname::text) \
         from pg_class c where oid = {}",
        literal(&table),
        copy.table
    );
    let answers = unless_gone(session.query(&enter, doing).await, &format!("{doing}: locking it"))?;
    let same = answers.iter().flatten().any(|value| value.as_deref() == Some("t"));
    if same {
        return Ok(());
    }
    Err(rewritten(format!(
        "{doing}: it was truncated, rewritten or renamed after the snapshot was taken, or a column of it was"
    )))
}

/// A table, schema or column that the snapshot has and that is there no more is as little a matter for a person.
fn unless_gone<T>(told: Result<T, ReplicationError>, doing: &str) -> Result<T, Fault> {
    match told {
        Err(ReplicationError::Server { error, .. }) if GONE.contains(&error.sqlstate.as_str()) => {
            Err(rewritten(format!("{doing}: {}", error.message)))
        }
        other => other.doing(doing),
    }
}

pub(super) fn rewritten(message: String) -> Fault {
    Fault::retry("TableRewritten", message).remedy("it is copied again under a new snapshot")
}

fn statement(copy: &CopyOf) -> String {
    let table = qualified(&copy.name.0, &copy.name.1);
    let columns: Vec<String> = copy.columns.iter().map(|name| identifier(name)).collect();
    let columns = columns.join(", ");
    let what = match copy.pages {
        None if columns.is_empty() => table,
        None => format!("{table} ({columns})"),
        Some(range) => {
            format!("(select {columns} from only {table} where {})", on_pages("ctid", range))
        }
    };
    to_stdout(&what, copy.format)
}

/// That a row lies in a range of pages.
pub(super) fn on_pages(ctid: &str, PageRange { from, to }: PageRange) -> String {
    let end = to.map_or_else(String::new, |to| format!(" and {ctid} < '({to},0)'::tid"));
    format!("{ctid} >= '({from},0)'::tid{end}")
}

pub(super) fn to_stdout(what: &str, format: CopyFormat) -> String {
    let format = match format {
        CopyFormat::Binary => "binary",
        CopyFormat::Text => "text",
    };
    format!("copy {what} to stdout (format {format})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(pages: Option<PageRange>) -> CopyOf {
        CopyOf {
            table: 1,
            name: ("a b".into(), "t\"".into()),
            columns: vec!["id".into(), "X".into()],
            pages,
            format: CopyFormat::Text,
        }
    }

    #[test]
    fn the_last_range_is_open() {
        let open = statement(&copy(Some(PageRange { from: 7, to: None })));
        assert_eq!(
            open,
            "copy (select \"id\", \"X\" from only \"a b\".\"t\"\"\" where ctid >= '(7,0)'::tid) to stdout (format text)"
        );
        let closed = statement(&copy(Some(PageRange { from: 0, to: Some(7) })));
        assert!(closed.contains("and ctid < '(7,0)'::tid"));
    }
}
