//! The newest known form of every object of the source, in the ledger: what a later form is compared with.
use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;
use tokio_postgres::{GenericClient, Row, types::PgLsn};
use whimbrel_proto::Lsn;

use crate::{
    fault::{Doing, Fault},
    wire::{Ask, Caller, Frame, Structure, unexpected},
};

/// Documents of one statement: a few megabytes.
const BATCH: usize = 1000;

/// By catalog and OID on the source.
pub(super) type Forms = HashMap<StructureId, Structure>;

/// A catalog and an OID in it, on the source.
pub(super) type StructureId = (u32, u32);

const DOING: &str = "keeping the source's structure in the ledger";

/// How often the source's catalog is read anew because an object went while it was read, which has no definition then.
const TRIES: u32 = 8;
/// Between two of them, at first; then twice as long each time: whoever changes so much comes to an end of it.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Asks the source. `relations`: none means every object. Under a snapshot it is asked once: what is gone stays gone for that.
pub(super) async fn fetch(
    caller: &Caller,
    relations: Vec<u32>,
    under_snapshot: bool,
) -> Result<Vec<Structure>, Fault> {
    for tried in 0..TRIES - 1 {
        match fetch_once(caller, relations.clone(), under_snapshot).await {
            Err(fault) if fault.code == "CatalogChanges" && !under_snapshot => {}
            other => return other,
        }
        sleep(BETWEEN_TRIES * 2_u32.pow(tried)).await;
    }
    fetch_once(caller, relations, under_snapshot).await
}

async fn fetch_once(
    caller: &Caller,
    relations: Vec<u32>,
    under_snapshot: bool,
) -> Result<Vec<Structure>, Fault> {
    let mut frames = caller.open(Ask::Structures { relations, under_snapshot }).await?;
    let mut structures = Vec::new();
    loop {
        match frames.next().await {
            Some(Frame::Bytes(document)) => structures.push(told(&document)?),
            Some(Frame::End) => return Ok(structures),
            Some(Frame::Failed(fault)) => return Err(gone_meanwhile(fault)),
            Some(other) => return Err(unexpected(&other)),
            None => {
                return Err(Fault::retry("PeerGone", "the source's structure was cut"));
            }
        }
    }
}

/// The server's own words for an object that went while its definition was asked for.
fn gone_meanwhile(fault: Fault) -> Fault {
    let words = ["cache lookup failed for ", "could not open relation with OID "];
    if words.iter().any(|words| fault.message.contains(words)) {
        return catalog_changes("an object", &fault.message);
    }
    fault
}

/// `error`: what the server, or the reading, says of it: nothing to an operator.
fn catalog_changes(what: &str, error: &str) -> Fault {
    tracing::debug!(object = what, error, "an object of the source could not be read");
    let message = format!(
        "reading from the source's catalog what its objects are made of: {what} was dropped or changed at that moment, \
         several times one after the other"
    );
    Fault::retry("CatalogChanges", message).remedy(
        "nothing: it is tried again; if that does not end, look for what makes and drops objects on the source all the time \
         (a job, a pool of tests) and stop it for a while",
    )
}

/// Reads a document of the source's catalogs as they are now. What is dropped at that moment has no definition any more: that
/// passes.
fn told(document: &[u8]) -> Result<Structure, Fault> {
    parse(document).map_err(|fault| catalog_changes(&label_of(document), &fault.message))
}

/// What of its label can be read.
fn label_of(document: &[u8]) -> String {
    let read: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let word = |key: &str| read.get(key).and_then(serde_json::Value::as_str);
    let name: Vec<&str> = ["schema", "name"].into_iter().filter_map(word).collect();
    match word("kind") {
        Some(kind) if !name.is_empty() => format!("{kind} {}", name.join(".")),
        _ => "an object".into(),
    }
}

/// Reads a document.
pub(super) fn parse(document: &[u8]) -> Result<Structure, Fault> {
    serde_json::from_slice(document).map_err(|error| {
        Fault::hold("CatalogUnreadable", format!("reading what an object is made of: {error}"))
            .remedy("run the same version of the agent at both ends")
    })
}

fn document(row: &Row) -> Result<Structure, Fault> {
    parse(row.get::<_, &str>(0).as_bytes())
}

/// Keeps the newest forms.
pub(super) async fn save(
    client: &impl GenericClient,
    structures: &[Structure],
) -> Result<(), Fault> {
    for some in structures.chunks(BATCH) {
        let (classes, oids): (Vec<u32>, Vec<u32>) = some.iter().map(Structure::id).unzip();
        let documents: Vec<String> = some
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::hold("LedgerUnwritable", format!("{DOING}: {error}")))?;
        client
            .execute(
                "insert into whimbrel.structure (class, oid, document) \
                 select class, oid, document::jsonb \
                 from unnest($1::oid[], $2::oid[], $3::text[]) as new(class, oid, document) \
                 on conflict (class, oid) do update set document = excluded.document",
                &[&classes, &oids, &documents],
            )
            .await
            .doing(DOING)?;
    }
    Ok(())
}

/// The last transaction that has changed an object in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastChange {
    /// Where it commits.
    pub(super) commit: Lsn,
    /// Which it is, with its epoch; not known of a change that an older trigger told.
    pub(super) xid: Option<i64>,
}

/// The last known forms of these objects, and who has changed each last.
pub(super) async fn known_of(
    client: &impl GenericClient,
    objects: &[Structure],
) -> Result<HashMap<StructureId, (Structure, Option<LastChange>)>, Fault> {
    let (classes, oids): (Vec<u32>, Vec<u32>) = objects.iter().map(Structure::id).unzip();
    let rows = client
        .query(
            "select document::text, changed, changed_by from whimbrel.structure \
             join unnest($1::oid[], $2::oid[]) as it(class, oid) using (class, oid)",
            &[&classes, &oids],
        )
        .await
        .doing(DOING)?;
    let known = rows.iter().map(|row| {
        let form = document(row)?;
        let commit = row.get::<_, Option<PgLsn>>(1).map(|lsn| Lsn(lsn.into()));
        let last = commit.map(|commit| LastChange { commit, xid: row.get(2) });
        Ok((form.id(), (form, last)))
    });
    known.collect()
}

/// Keeps who has changed these last.
pub(super) async fn tell_when(
    client: &impl GenericClient,
    changed: &[StructureId],
    last: LastChange,
) -> Result<(), Fault> {
    let (classes, oids): (Vec<u32>, Vec<u32>) = changed.iter().copied().unzip();
    client
        .execute(
            "update whimbrel.structure s set changed = $3, changed_by = $4 \
             from unnest($1::oid[], $2::oid[]) as it(class, oid) where (s.class, s.oid) = (it.class, it.oid)",
            &[&classes, &oids, &PgLsn::from(last.commit.0), &last.xid],
        )
        .await
        .doing(DOING)?;
    Ok(())
}

/// The last known form.
pub(super) async fn known(
    client: &impl GenericClient,
    (class, oid): (u32, u32),
) -> Result<Option<Structure>, Fault> {
    let row = client
        .query_opt(
            "select document::text from whimbrel.structure where class = $1 and oid = $2",
            &[&class, &oid],
        )
        .await
        .doing(DOING)?;
    row.as_ref().map(document).transpose()
}

/// All last known forms.
pub(super) async fn all(client: &impl GenericClient) -> Result<Forms, Fault> {
    let rows = client
        .query("select document::text from whimbrel.structure", &[])
        .await
        .doing("reading the source's structure from the ledger")?;
    let forms = rows.iter().map(document);
    forms.map(|form| form.map(|form| (form.id(), form))).collect()
}

/// The relation of that name, as far as is known.
pub(super) async fn named(
    client: &impl GenericClient,
    schema: &str,
    name: &str,
) -> Result<Option<Structure>, Fault> {
    of_name(client, "relation", schema, name).await
}

/// The type of that name that is not a relation's, as far as is known.
pub(super) async fn type_named(
    client: &impl GenericClient,
    schema: &str,
    name: &str,
) -> Result<Option<Structure>, Fault> {
    of_name(client, "type", schema, name).await
}

async fn of_name(
    client: &impl GenericClient,
    kind: &str,
    schema: &str,
    name: &str,
) -> Result<Option<Structure>, Fault> {
    let row = client
        .query_opt(
            "select document::text from whimbrel.structure where document ->> 'kind' = $1 \
             and document ->> 'schema' = $2 and document ->> 'name' = $3 limit 1",
            &[&kind, &schema, &name],
        )
        .await
        .doing(DOING)?;
    row.as_ref().map(document).transpose()
}

/// The relations that have `parent` among their parents, as far as is known.
pub(super) async fn heirs(
    client: &impl GenericClient,
    parent: u32,
) -> Result<Vec<Structure>, Fault> {
    let rows = client
        .query(
            "select document::text from whimbrel.structure \
             where document -> 'parents' @> jsonb_build_array(jsonb_build_object('oid', $1::int8)) order by oid",
            &[&i64::from(parent)],
        )
        .await
        .doing(DOING)?;
    rows.iter().map(document).collect()
}

/// The sequences that columns of the table own, as far as is known.
pub(super) async fn owned(
    client: &impl GenericClient,
    table: u32,
) -> Result<Vec<Structure>, Fault> {
    let rows = client
        .query(
            "select s.document::text from whimbrel.structure s join whimbrel.structure t on t.oid = $1 \
             where s.document ->> 'kind' = 'sequence' and t.document ->> 'kind' = 'relation' \
               and starts_with(s.document ->> 'owned_by', \
                               format('%I.%I.', t.document ->> 'schema', t.document ->> 'name'))",
            &[&table],
        )
        .await
        .doing(DOING)?;
    rows.iter().map(document).collect()
}

/// An object that is gone.
pub(super) async fn forget(
    client: &impl GenericClient,
    (class, oid): (u32, u32),
) -> Result<(), Fault> {
    client
        .execute("delete from whimbrel.structure where class = $1 and oid = $2", &[&class, &oid])
        .await
        .doing(DOING)?;
    Ok(())
}

/// An index is known with its table, and no command that drops it tells the table: which one, if it was a unique one. `name`: its
/// schema's and its own; REINDEX CONCURRENTLY gives it another OID, which nothing tells before 17.
pub(super) async fn forget_index(
    client: &impl GenericClient,
    oid: u32,
    name: Option<(&str, &str)>,
) -> Result<Option<u32>, Fault> {
    let (schema, index) = name.unzip();
    let row = client
        .query_opt(include_str!("sql/forget_index.sql"), &[&i64::from(oid), &schema, &index])
        .await
        .doing(DOING)?;
    Ok(row.filter(|row| row.get(1)).map(|row| row.get(0)))
}

/// What a schema holds is named by the schema's new name.
pub(super) async fn rename_schema(
    client: &impl GenericClient,
    from: &str,
    to: &str,
) -> Result<(), Fault> {
    client
        .execute(
            "update whimbrel.structure set document = jsonb_set(document, '{schema}', to_jsonb($2::text)) \
             where document ->> 'schema' = $1",
            &[&from, &to],
        )
        .await
        .doing(DOING)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_while_it_is_read_is_read_again() {
        let function = |definition| {
            format!(
                r#"{{"kind": "function", "class": 1255, "oid": 1, "schema": "s", "name": "f", "owner": "o", "arguments": "", "definition": {definition}}}"#
            )
        };
        assert!(told(function("\"create …\"").as_bytes()).is_ok());
        let fault = told(function("null").as_bytes()).unwrap_err();
        assert_eq!(
            (fault.code.as_ref(), fault.policy),
            ("CatalogChanges", crate::fault::Policy::Retry)
        );
        assert!(fault.message.contains(": function s.f was dropped or changed"), "{fault:?}");
        assert!(!fault.message.contains("expected"), "{fault:?}");
    }
}
