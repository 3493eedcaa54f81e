//! Rows of a table, or of a range of its pages, as COPY gives them.
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, pin_mut};
use tokio_postgres::SimpleQueryMessage;

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, literal, qualified},
    wire::{CopyFormat, CopyOf, Frame, FrameSender, PageRange},
};

/// Frames are filled to this: large enough that a frame's cost vanishes, small enough that eight streams stay far below
/// the agent's memory bound. A row that is larger travels whole.
const FRAME_BYTES: usize = 256 << 10;

/// How long the lock may be waited for. Our wait queues in front of nobody (ACCESS SHARE), it only waits for DDL.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '60s'";

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
        let client = self.session_in_snapshot("copy").await?;
        lock_and_compare(&client, copy, &doing).await?;
        send_rows(&client, statement, reply, &doing).await?;
        // The lock goes with the savepoint, and DDL need not wait for the end of the whole copy.
        client.batch_execute(LEAVE).await.doing(&doing)?;
        held.keep(client);
        Ok(())
    }
}

async fn send_rows(
    client: &Client,
    statement: &str,
    reply: &FrameSender,
    doing: &str,
) -> Result<(), Fault> {
    let rows = client.copy_out(statement).await.doing(doing)?;
    pin_mut!(rows);
    let mut frame = BytesMut::new();
    while let Some(row) = rows.next().await {
        let row: Bytes = row.doing(doing)?;
        if frame.len() + row.len() > FRAME_BYTES && !frame.is_empty() {
            let full = std::mem::replace(&mut frame, BytesMut::with_capacity(FRAME_BYTES));
            reply.send(Frame::Bytes(full.freeze())).await?;
        }
        // A large row goes on as it came: it may have hundreds of megabytes.
        if row.len() > FRAME_BYTES {
            reply.send(Frame::Bytes(row)).await?;
        } else {
            frame.extend_from_slice(&row);
        }
    }
    if !frame.is_empty() {
        reply.send(Frame::Bytes(frame.freeze())).await?;
    }
    Ok(())
}

/// A TRUNCATE or a rewrite since the snapshot gives the table a new file, and the snapshot then sees no rows in it
/// (measured); and a renamed table's name may be another one's by now. So: lock the name, then it must be this table's,
/// and the file that the snapshot knows must be the one of now. All in one round trip.
async fn lock_and_compare(client: &Client, copy: &CopyOf, doing: &str) -> Result<(), Fault> {
    let table = qualified(&copy.name.0, &copy.name.1);
    let enter = format!(
        "savepoint part; {LOCK_TIMEOUT}; lock table only {table} in access share mode; \
         select relfilenode = pg_relation_filenode(oid) and oid = to_regclass({}) from pg_class where oid = {}",
        literal(&table),
        copy.table
    );
    let answers = client.simple_query(&enter).await.doing(format!("{doing}: locking it"))?;
    let same = answers
        .iter()
        .any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")));
    if same {
        return Ok(());
    }
    Err(Fault::retry(
        "TableRewritten",
        format!("{doing}: it was truncated, rewritten or renamed after the snapshot was taken"),
    )
    .remedy("it is copied again under a new snapshot"))
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
