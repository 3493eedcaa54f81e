//! Can the target compress columns as the source does?
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Target},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "CompressionValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Server {
    lz4: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let columns = &target.source_database()?.compressed;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    // The values that are offered are those that the server was built with.
    let sql = "select exists (select from pg_settings where name = 'default_toast_compression' \
               and 'lz4' = any (enumvals)) as lz4";
    let Server { lz4 } =
        ask_one(target.client, "asking how the target compresses", sql, &[]).await?;
    if lz4 {
        return Ok(Vec::new());
    }
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let remedies: Vec<&str> = columns.iter().map(|column| column.remedy.as_str()).collect();
    let message = format!(
        "columns compressed with lz4 ({}), which the target is too old for, or was built without",
        listed(&names)
    );
    Ok(vec![
        Found::failed("CompressionUnsupported", message)
            .object(listed(&names))
            .remedy(remedies.join(" ")),
    ])
}
