//! What is set on objects and comes neither with the stream nor as an entry of a dump.
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    selection::Selected,
    wire::Trait,
};

/// Everything of that kind that is not as the server gives it by itself.
///
/// # Errors
/// The server's.
pub async fn traits_of(client: &Client, selected: &Selected) -> Result<Vec<Trait>, Fault> {
    let sql = selected.sql(include_str!("traits.sql"));
    let rows = client
        .query(&*client.sql(&sql), &[])
        .await
        .doing("reading what is set on the database's objects")?;
    let of =
        |row: &tokio_postgres::Row| Trait { item: row.get(0), off: row.get(1), given: row.get(2) };
    Ok(rows.iter().map(of).collect())
}
