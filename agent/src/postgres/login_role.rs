//! What is done as the role that we log in as.
//!
//! `ALTER ROLE … SET role` (or a database's) makes our sessions another role's. People do that where only that one has the rights, so
//! it stays; but our own sessions are the login role's, and no other may end them. A superuser loses nothing by staying what it is
//! (`later_settings.sql`).
use tokio_postgres::{Client, Error, SimpleQueryMessage, error::SqlState};

/// Runs a query as the login role, or, where that one may not, as who the session is; how many rows it gave. One message: nothing of
/// others on this session comes between, and the role is back behind it, whatever becomes of it.
pub(crate) async fn as_login_role(client: &Client, query: &str) -> Result<usize, Error> {
    let done = match client.simple_query(&format!("set local role none; {query}")).await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            client.simple_query(query).await
        }
        done => done,
    };
    Ok(done?.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count())
}
