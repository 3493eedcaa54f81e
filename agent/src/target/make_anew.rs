//! Makes an entry of a newer dump: an object that is new, or one that is here as it was before it was altered.
//!
//! An altered one (an aggregate, an operator) is dropped and made again, never with what depends on it: then a person must do
//! it. A text search configuration or dictionary, and the options of what is foreign, are altered as they stand. One that is new on the source and in use here already is a person's, who made
//! it because the stream could not go on without it: it is taken as it is, and that is told.
use tokio_postgres::{GenericClient, error::SqlState};

use super::{
    foreign_options::{alter_in_use, alter_options},
    schema::Entry,
    text_search::alter_in_place,
};
use crate::fault::{Doing, Fault};

/// Before an entry.
const BEFORE: &str = "whimbrel_entry";

/// What the older dump had in an entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    /// That very object, in the same words.
    Known,
    /// That very object, in the same words but for its owner's.
    Owned,
    /// Another object, in the same words.
    Alike,
    /// One of that name, in other words.
    Another,
    /// Nothing.
    Missing,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// There was nothing of that name.
    New,
    /// It was here in the same words, and is left.
    AsItWas,
    /// It took the place of an older form.
    Anew,
    /// It was here, and was altered as it stands.
    Altered,
    /// It was here and in use, made by a person: it is as that person made it, which nobody has compared.
    ByHand,
}

/// Runs the entry in the caller's transaction. `older`: that very object, as the older dump had it.
///
/// # Errors
/// The server's; `SchemaChangeNotCarried` when the older form can't be dropped.
pub(super) async fn make_anew(
    client: &impl GenericClient,
    entry: &Entry,
    (was, older): (Was, Option<&Entry>),
    doing: &str,
) -> Result<Made, Fault> {
    let name = format!("{} {}", entry.kind.to_lowercase(), entry.tag);
    let doing = format!("{doing}: {name}");
    client.batch_execute(&format!("savepoint {BEFORE}")).await.doing(&doing)?;
    let Err(error) = client.batch_execute(&entry.sql).await else {
        return release(client, Made::New, &doing).await;
    };
    // The last one is of a catalog's own index: some kinds of objects are not looked for before.
    let duplicates = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_TABLE,
        SqlState::UNIQUE_VIOLATION,
    ];
    if !error.code().is_some_and(|code| duplicates.contains(code)) {
        return Err(Fault::sql(&doing, &error));
    }
    client.batch_execute(&format!("rollback to {BEFORE}")).await.doing(&doing)?;
    // One of these words may have been made early, from a dump of a moment when it had no mappings yet.
    let altered = alter_in_place(client, entry, &doing).await?;
    if was == Was::Alike && !altered {
        return release(client, Made::AsItWas, &doing).await;
    }
    let altered = altered
        || match older {
            Some(older) => alter_options(client, entry, older, &doing).await?,
            None => false,
        };
    if altered {
        return release(client, Made::Altered, &doing).await;
    }
    let object = owned_object(&entry.sql);
    let in_use = SqlState::DEPENDENT_OBJECTS_STILL_EXIST;
    let again = object.map(|object| format!("drop {object};\n{}", entry.sql));
    let fault = match again {
        // An access method, a cast, a transform: DROP can't be told from the entry.
        None if was == Was::Missing => return take_as_it_is(client, entry, &doing).await,
        None => Fault::sql(&doing, &error),
        Some(sql) => match client.batch_execute(&sql).await {
            Ok(()) => {
                return release(client, Made::Anew, &doing).await;
            }
            Err(error) if was == Was::Missing && error.code() == Some(&in_use) => {
                return take_as_it_is(client, entry, &doing).await;
            }
            Err(error) => {
                let fault = Fault::sql(&doing, &error);
                if error.code() == Some(&in_use) && leave(client, entry, older, &doing).await? {
                    return Ok(Made::Altered);
                }
                fault
            }
        },
    };
    let object = object.unwrap_or(&name);
    Err(Fault::hold(
        "SchemaChangeNotCarried",
        format!("{name} was altered on the source, and can't be made anew on the target: {}", fault.message),
    )
    .remedy(format!(
        "on the target: drop {object} cascade; -- note what goes with it: the next cutover makes the object itself, and what \
         depends on it is made by hand; then order the cutover again"
    )))
}

async fn release(client: &impl GenericClient, made: Made, doing: &str) -> Result<Made, Fault> {
    client.batch_execute(&format!("release {BEFORE}")).await.doing(doing)?;
    Ok(made)
}

/// What something uses is altered as far as it can be; whether the rest is as on the source is told later.
async fn leave(
    client: &impl GenericClient,
    entry: &Entry,
    older: Option<&Entry>,
    doing: &str,
) -> Result<bool, Fault> {
    let Some(older) = older else { return Ok(false) };
    client.batch_execute(&format!("rollback to {BEFORE}")).await.doing(doing)?;
    if !alter_in_use(client, entry, older, doing).await? {
        return Ok(false);
    }
    client.batch_execute(&format!("release {BEFORE}")).await.doing(doing)?;
    Ok(true)
}

/// A person's object gets the source's owner, and comments.
async fn take_as_it_is(
    client: &impl GenericClient,
    entry: &Entry,
    doing: &str,
) -> Result<Made, Fault> {
    let owner = owner_line(&entry.sql).unwrap_or_default();
    let sql = format!("rollback to {BEFORE}; {owner} release {BEFORE}");
    client.batch_execute(&sql).await.doing(doing)?;
    Ok(Made::ByHand)
}

pub(super) fn owner_line(sql: &str) -> Option<&str> {
    sql.lines().rev().find(|line| line.starts_with("ALTER ") && line.contains(" OWNER TO "))
}

/// The words by which DROP knows the object: those by which the entry gives it its owner. A user mapping has none.
pub(super) fn owned_object(sql: &str) -> Option<&str> {
    if let Some(mapping) = sql.trim_start().strip_prefix("CREATE ")
        && mapping.starts_with("USER MAPPING ")
    {
        return mapping
            .split([';', '('])
            .next()
            .map(|words| words.trim_end_matches("OPTIONS ").trim());
    }
    let line = owner_line(sql)?;
    let (object, _) = line.strip_prefix("ALTER ")?.rsplit_once(" OWNER TO ")?;
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_its_owners_line() {
        let sql = "CREATE AGGREGATE a.total(integer) (\n    SFUNC = x\n);\n\n\nALTER AGGREGATE a.total(integer) OWNER TO app;\n";
        assert_eq!(owned_object(sql), Some("AGGREGATE a.total(integer)"));
        let sql = "\nCREATE USER MAPPING FOR \"a b\" SERVER far OPTIONS (\n    name 'y'\n);\n";
        assert_eq!(owned_object(sql), Some("USER MAPPING FOR \"a b\" SERVER far"));
        assert_eq!(
            owned_object("CREATE USER MAPPING FOR app SERVER far;"),
            Some("USER MAPPING FOR app SERVER far")
        );
        assert_eq!(owned_object("CREATE CAST (a.b AS text) WITH FUNCTION a.f(a.b);"), None);
    }
}
