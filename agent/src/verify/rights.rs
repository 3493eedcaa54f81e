//! Who may do what with a database's objects.
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    selection::Selected,
};

/// Every right on the chosen objects, as the statement that grants it.
///
/// # Errors
/// The server's.
pub async fn rights_of(client: &Client, selected: &Selected) -> Result<Vec<String>, Fault> {
    let sql = selected.sql(include_str!("rights.sql"));
    let rows = client
        .query(&*client.sql(&sql), &[])
        .await
        .doing("reading the rights on the database's objects")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
