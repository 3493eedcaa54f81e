//! Large objects, with digests of their contents.
use std::collections::HashMap;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::LargeObject,
};

/// Large objects that are looked at by one statement: enough that the network's latency vanishes, few enough that the
/// answer is small.
pub const LARGE_OBJECTS: usize = 1000;

/// Bytes of a content that are read at once.
pub const PIECE_BYTES: i32 = 256 << 10;

/// Those with OIDs above `after` and up to `to`, at most [`LARGE_OBJECTS`], in order. `digests`: of their contents too, which
/// reads all of them.
///
/// # Errors
/// The server's.
pub async fn large_objects(
    client: &Client,
    after: u32,
    to: u32,
    digests: bool,
) -> Result<Vec<LargeObject>, Fault> {
    let doing = "reading the large objects";
    let sql = include_str!("large_objects.sql");
    let limit = i64::try_from(LARGE_OBJECTS).unwrap_or(i64::MAX);
    let rows = client.query(sql, &[&after, &to, &limit]).await.doing(doing)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let object: LargeObject = serde_json::from_str(row.get(0)).map_err(|error| {
            Fault::hold("CatalogUnreadable", format!("{doing}: {error}"))
                .remedy("report it, with the server's version")
        })?;
        found.push(object);
    }
    if digests && !found.is_empty() {
        let oids: Vec<u32> = found.iter().map(|object| object.oid).collect();
        let sql = include_str!("large_object_digests.sql");
        let rows = client.query(sql, &[&oids, &PIECE_BYTES]).await.doing(doing)?;
        let mut digests: HashMap<u32, String> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        for object in &mut found {
            object.digest = digests.remove(&object.oid).unwrap_or_default();
        }
    }
    Ok(found)
}
