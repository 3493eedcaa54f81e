//! Can the target read XML?
use tokio_postgres::error::SqlState;

use crate::{
    fault::{Doing, Fault},
    preflight::{
        check::{At, Check, Level, Run, Target},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "XmlValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let columns = &target.source_database()?.xml;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    // Every server has the type; one that was built without libxml can't read a value of it.
    let asked = target.client.query_one("select pg_catalog.xml_is_well_formed_content('a')", &[]);
    match asked.await {
        Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {}
        other => return other.map(|_| Vec::new()).doing("asking whether the target reads XML"),
    }
    let message = format!(
        "columns of XML ({}), which the target can't read: it was built without libxml",
        listed(columns)
    );
    Ok(vec![
        Found::failed("XmlUnsupported", message)
            .object(listed(columns))
            .remedy("-- use a target that was built --with-libxml, or leave these tables out"),
    ])
}
