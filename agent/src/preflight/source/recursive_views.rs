//! Views that CREATE OR REPLACE VIEW has made read themselves. Nobody can select from one, and no dump of one can be restored.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RecursiveViewsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Recursive {
    view: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for views of database {} that read themselves", source.database);
    let sql = source.chosen(include_str!("../sql/recursive_views.sql"));
    let found: Vec<Recursive> = ask(source.client, &doing, &sql, &[]).await?;
    Ok(found.iter().map(finding).collect())
}

fn finding(Recursive { view }: &Recursive) -> Found {
    let message = format!(
        "view {view} reads itself: nobody can select from it, and it can't be made on the target"
    );
    Found::failed("ViewReadsItself", message).object(view).remedy(format!("drop view {view};"))
}
