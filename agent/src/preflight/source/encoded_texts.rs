//! Names and definitions that are no UTF-8, in a database that takes whatever bytes it is given.
use crate::{
    fault::{Doing, Fault},
    preflight::{
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "EncodedTextsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for texts that are no UTF-8 in database {}", source.database);
    let encoding = source.client.query_one("show server_encoding", &[]).await.doing(&doing)?;
    if encoding.try_get::<_, &str>(0).doing(&doing)? != "SQL_ASCII" {
        return Ok(Vec::new());
    }
    let sql = source.chosen(include_str!("../sql/encoded_texts.sql"));
    // As bytes: a text that is no UTF-8 can't be read as one.
    let rows = source.client.query(&*source.client.sql(&sql), &[]).await.doing(&doing)?;
    let mut names = Vec::new();
    for row in &rows {
        let (of, text): (&[u8], &[u8]) =
            (row.try_get(0).doing(&doing)?, row.try_get(1).doing(&doing)?);
        if std::str::from_utf8(text).is_err() {
            names.push(String::from_utf8_lossy(of).into_owned());
        }
    }
    names.dedup();
    Ok(names.into_iter().map(finding).collect())
}

fn finding(name: String) -> Found {
    let message = format!(
        "the name or the definition of {name} has bytes that are no UTF-8, and the database has no encoding (SQL_ASCII): rows are \
         carried as they are, definitions can't be read"
    );
    Found::failed("DefinitionNotUtf8", message).object(name).remedy(
        "-- rename it, or make it anew on the source in UTF-8 (set client_encoding = 'SQL_ASCII' to name it by its bytes)",
    )
}
