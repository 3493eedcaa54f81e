//! Whether a server would take something: it is tried, and nothing of it stays.
use tokio_postgres::{Error, GenericClient};

use super::{ConnectError, ConnectProblem, Endpoint, client::connect_with};

/// Libraries of one setting that are tried; a person lists a few.
const LIBRARIES_MAX: usize = 20;

/// Classes of SQLSTATE that are the server's own trouble, and no answer: connection, transaction, resources, operator, internal.
const TROUBLE: [&str; 6] = ["08", "25", "40", "53", "57", "XX"];

/// The names of the settings whose libraries a session loads before it is anybody's: with one that can't be loaded, none begins.
pub(crate) const PRELOADING: [&str; 2] = ["session_preload_libraries", "local_preload_libraries"];

/// What of `statements` the server refuses, each with its place: all are made behind `first` in one transaction, each undone at once,
/// and the whole rolled back.
///
/// # Errors
/// What kept them from being tried.
pub(crate) async fn refused(
    client: &tokio_postgres::Client,
    first: &str,
    statements: &[String],
) -> Result<Vec<(usize, Error)>, Error> {
    client.batch_execute("begin read write").await?;
    let tried = each(client, first, statements).await;
    client.batch_execute("rollback").await?;
    tried
}

async fn each(
    client: &tokio_postgres::Client,
    first: &str,
    statements: &[String],
) -> Result<Vec<(usize, Error)>, Error> {
    client.batch_execute(first).await?;
    load_plpgsql(client, statements).await?;
    let mut refused = Vec::new();
    for (place, statement) in statements.iter().enumerate() {
        let undone = format!(
            "savepoint whimbrel; {statement}; rollback to savepoint whimbrel; release savepoint whimbrel"
        );
        let Err(error) = client.batch_execute(&undone).await else { continue };
        let is_answer = error.code().is_some_and(|code| !TROUBLE.contains(&&code.code()[..2]));
        if !is_answer {
            return Err(error);
        }
        client.batch_execute("rollback to savepoint whimbrel").await?;
        refused.push((place, error));
    }
    Ok(refused)
}

/// If one of `statements` sets something of PL/pgSQL: until the language is loaded, that is a placeholder of any name.
pub(crate) async fn load_plpgsql(
    client: &impl GenericClient,
    statements: &[String],
) -> Result<(), Error> {
    let there = "select from pg_catalog.pg_language where lanname = 'plpgsql'";
    if statements.iter().any(|statement| statement.contains("\"plpgsql\"."))
        && client.query_opt(there, &[]).await?.is_some()
    {
        client.batch_execute("do language plpgsql 'begin end'").await?;
    }
    Ok(())
}

/// The first library with which no session begins, as the setting `name` of [`PRELOADING`], and the server's words. A session with that
/// setting is tried for each: only the server itself can say, and `LOAD` is a superuser's. A role that may not set it learns
/// nothing: it could not carry it either.
///
/// # Errors
/// What kept it from being tried.
pub(crate) async fn unloadable(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
    name: &str,
    libraries: Vec<String>,
) -> Result<Option<(String, ConnectError)>, ConnectError> {
    let libraries = libraries.into_iter().filter(|library| !library.is_empty());
    for library in libraries.take(LIBRARIES_MAX) {
        let option = format!("-c {name}={}", for_options(&library));
        match connect_with(endpoint, database, purpose, &option).await {
            Ok(_) => {}
            Err(error) if error.problem == ConnectProblem::ConnectionRejected => {
                return Ok(Some((library, error)));
            }
            Err(error) if error.problem == ConnectProblem::ConnectionNotPermitted => {
                // Not the setting but the library is what a session may not have: one outside of its folder.
                if name != PRELOADING[0] {
                    return Ok(Some((library, error)));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// As one name of a list, in a startup packet's options: white space ends one there, and a backslash keeps it.
fn for_options(library: &str) -> String {
    let quoted = format!("\"{}\"", library.replace('"', "\"\""));
    let mut text = String::with_capacity(quoted.len());
    for letter in quoted.chars() {
        if letter == '\\' || letter.is_whitespace() {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_one_word_of_the_options() {
        assert_eq!(for_options("$libdir/a b\\\""), "\"$libdir/a\\ b\\\\\"\"\"");
    }
}
