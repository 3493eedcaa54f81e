//! Simple queries: the only ones that a walsender takes.
use bytes::Bytes;
use postgres_protocol::message::frontend;

use super::{
    error::ReplicationError,
    frames::Frames,
    reader::{ReadError, Reader},
    server_error::ServerError,
};

const DOING: &str = "running a replication command";
/// Answers to commands have one row; a query of ours that gets more than this is a mistake.
const ROWS_MAX: usize = 10_000;

/// The rows of all statements of `sql`, values as text.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// Runs `sql` to its end. `doing` stands in the error.
pub(super) async fn run(
    frames: &mut Frames,
    sql: &str,
    doing: &str,
) -> Result<Rows, ReplicationError> {
    frontend::query(sql, frames.outbox())
        .map_err(|error| ReplicationError::Io { doing: DOING, error })?;
    frames.flush(DOING).await?;
    let mut rows = Rows::new();
    let mut refused = None;
    loop {
        let frame = frames.next(DOING).await?;
        match frame.tag {
            b'D' if rows.len() >= ROWS_MAX => {
                let problem = "more rows than any answer has";
                return Err(ReplicationError::Answer { doing: doing.to_owned(), problem });
            }
            b'D' => rows.push(row(frame.body).map_err(malformed)?),
            b'E' => refused = Some(ServerError::read(frame.body).map_err(malformed)?),
            // Row description, command complete, empty query, notice, parameter.
            b'T' | b'C' | b'I' | b'N' | b'S' => {}
            b'Z' => break,
            _ => return Err(frame.refuse(DOING)),
        }
    }
    match refused {
        Some(error) => Err(ReplicationError::Server { doing: doing.to_owned(), error }),
        None => Ok(rows),
    }
}

const fn malformed(cause: ReadError) -> ReplicationError {
    ReplicationError::Malformed { doing: DOING, cause }
}

fn row(body: Bytes) -> Result<Vec<Option<String>>, ReadError> {
    let mut reader = Reader::new(body);
    let count = usize::from(reader.u16("columns")?);
    // A null is its length alone.
    reader.check_count("columns", count, 4)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(value(&mut reader)?);
    }
    Ok(values)
}

fn value(reader: &mut Reader) -> Result<Option<String>, ReadError> {
    const FIELD: &str = "column";
    let length = reader.i32(FIELD)?;
    if length == -1 {
        return Ok(None);
    }
    let count = usize::try_from(length)
        .map_err(|_| ReadError::BadCount { field: FIELD, value: i64::from(length) })?;
    let bytes = reader.take(FIELD, count)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ReadError::NotUtf8 { field: FIELD })?;
    Ok(Some(text.to_owned()))
}
