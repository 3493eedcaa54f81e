//! Carries large objects: makes those that are missing or differ, removes those that are gone.
//!
//! They are in no change stream. An online migration copies them with its base copy, compares them again in the cutover and
//! carries what has changed. Each batch is one fenced transaction; one that was cut is found missing the next time.
use std::collections::HashMap;

use bytes::Bytes;
use tokio_postgres::Transaction;

use super::{ledger::Ledger, receive::Receiver};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, literal},
    verify::{self, LARGE_OBJECTS},
    wire::{Answer, Ask, Frame, LargeObject, LargeObjectGrant, unexpected, unexpected_answer},
};

const DOING: &str = "carrying large objects to the target";

/// Objects that are made in one transaction: what is lost when it is cut.
const BATCH: usize = 200;

/// Bytes of contents that are written by one statement.
const WRITE_BYTES: usize = 1 << 20;

/// Pieces that are written by one statement: many small ones must not grow it without limit.
const WRITE_PIECES: usize = 1000;

/// What was carried.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Made, or made anew.
    pub(crate) made: u64,
    /// Removed.
    pub(crate) removed: u64,
    /// Bytes of contents.
    pub(crate) bytes: u64,
}

/// A page of both sides.
struct Page {
    source: Vec<LargeObject>,
    target: HashMap<u32, LargeObject>,
    /// There is no other after it.
    last: bool,
}

impl Receiver {
    /// Makes the target's large objects what the held snapshot of the source shows. `compared`: those that are on both sides
    /// too, which reads all their contents, here and there.
    pub(crate) async fn carry_large_objects(
        &self,
        session: &mut Client,
        ledger: Ledger,
        compared: bool,
    ) -> Result<Carried, Fault> {
        let mut carried = Carried::default();
        let mut after = 0;
        loop {
            let page = self.large_objects(session, after, compared, true).await?;
            let wanted: Vec<&LargeObject> = page.missing_or_differing().collect();
            for batch in wanted.chunks(BATCH) {
                carried.bytes += self.make_large_objects(session, ledger, batch).await?;
                carried.made += batch.len() as u64;
                self.progress.operation(&format!("copying large objects: {}", carried.made));
            }
            let gone = page.gone();
            carried.removed += gone.len() as u64;
            for batch in gone.chunks(BATCH) {
                let tx = session.transaction().await.doing(DOING)?;
                unlink(&tx, batch).await?;
                ledger.commit(tx, DOING).await?;
            }
            match page.source.last() {
                Some(last) if !page.last => after = last.oid,
                _ => return Ok(carried),
            }
        }
    }

    /// The first large object that differs now, without a snapshot.
    pub(crate) async fn differing_large_object(
        &self,
        session: &Client,
    ) -> Result<Option<u32>, Fault> {
        let mut after = 0;
        loop {
            let page = self.large_objects(session, after, true, false).await?;
            let differing = page.missing_or_differing().map(|object| object.oid).next();
            if let Some(oid) = differing.or_else(|| page.gone().first().copied()) {
                return Ok(Some(oid));
            }
            match page.source.last() {
                Some(last) if !page.last => after = last.oid,
                _ => return Ok(None),
            }
        }
    }

    async fn large_objects(
        &self,
        session: &Client,
        after: u32,
        digests: bool,
        under_snapshot: bool,
    ) -> Result<Page, Fault> {
        let ask = Ask::LargeObjects { after, digests, under_snapshot };
        let Answer::LargeObjects(source) = self.caller.ask(ask).await? else {
            return Err(unexpected_answer());
        };
        let last = source.len() < LARGE_OBJECTS;
        let to = source.last().filter(|_| !last).map_or(u32::MAX, |object| object.oid);
        let mut target = HashMap::new();
        let mut from = after;
        loop {
            let found = verify::large_objects(session, from, to, digests).await?;
            let more = found.len() == LARGE_OBJECTS;
            from = found.last().map_or(from, |object| object.oid);
            target.extend(found.into_iter().map(|object| (object.oid, object)));
            if !more {
                return Ok(Page { source, target, last });
            }
        }
    }

    /// Makes them, or makes them anew; bytes of their contents.
    async fn make_large_objects(
        &self,
        session: &mut Client,
        ledger: Ledger,
        objects: &[&LargeObject],
    ) -> Result<u64, Fault> {
        let oids: Vec<u32> = objects.iter().map(|object| object.oid).collect();
        let tx = session.transaction().await.doing(DOING)?;
        unlink(&tx, &oids).await?;
        tx.execute("select lo_create(o) from unnest($1::oid[]) o", &[&oids]).await.doing(DOING)?;
        let bytes = self.write_contents(&tx, oids).await?;
        let statements: String = objects.iter().map(|object| describe(object)).collect();
        tx.batch_execute(&statements).await.doing(format!("{DOING}: giving them their owners"))?;
        ledger.commit(tx, DOING).await?;
        Ok(bytes)
    }

    async fn write_contents(&self, tx: &Transaction<'_>, oids: Vec<u32>) -> Result<u64, Fault> {
        let mut frames = self.caller.open(Ask::LargeObjectContents { oids }).await?;
        let mut pieces = Pieces::default();
        let mut written = 0;
        loop {
            match frames.next().await {
                Some(Frame::LargeObject { oid, offset, data }) => {
                    written += data.len() as u64;
                    pieces.push(oid, offset, data);
                    if pieces.bytes >= WRITE_BYTES || pieces.oids.len() >= WRITE_PIECES {
                        pieces.write(tx).await?;
                    }
                }
                Some(Frame::End) => {
                    pieces.write(tx).await?;
                    return Ok(written);
                }
                Some(Frame::Failed(fault)) => return Err(fault),
                Some(other) => return Err(unexpected(&other)),
                None => {
                    return Err(Fault::retry("PeerGone", "the contents of large objects were cut"));
                }
            }
        }
    }
}

impl Page {
    /// Without digests only those that are not there: a content that was not read is equal to another one.
    fn missing_or_differing(&self) -> impl Iterator<Item = &LargeObject> {
        self.source.iter().filter(|object| self.target.get(&object.oid) != Some(*object))
    }

    fn gone(&self) -> Vec<u32> {
        let there: std::collections::HashSet<u32> =
            self.source.iter().map(|object| object.oid).collect();
        self.target.keys().copied().filter(|oid| !there.contains(oid)).collect()
    }
}

/// What the next statement writes.
#[derive(Default)]
struct Pieces {
    oids: Vec<u32>,
    offsets: Vec<i64>,
    data: Vec<Bytes>,
    bytes: usize,
}

impl Pieces {
    fn push(&mut self, oid: u32, offset: i64, data: Bytes) {
        self.oids.push(oid);
        self.offsets.push(offset);
        self.bytes += data.len();
        self.data.push(data);
    }

    async fn write(&mut self, tx: &Transaction<'_>) -> Result<(), Fault> {
        let Self { oids, offsets, data, .. } = std::mem::take(self);
        if oids.is_empty() {
            return Ok(());
        }
        let data: Vec<&[u8]> = data.iter().map(|bytes| &bytes[..]).collect();
        let sql = "select lo_put(p.oid, p.at, p.data) \
                   from unnest($1::oid[], $2::int8[], $3::bytea[]) as p(oid, at, data)";
        tx.execute(sql, &[&oids, &offsets, &data]).await.doing(DOING)?;
        Ok(())
    }
}

async fn unlink(tx: &Transaction<'_>, oids: &[u32]) -> Result<(), Fault> {
    let sql = "select lo_unlink(oid) from pg_largeobject_metadata where oid = any ($1::oid[])";
    tx.execute(sql, &[&oids]).await.doing(DOING)?;
    Ok(())
}

/// Owner, rights and comment of one that is new.
fn describe(object: &LargeObject) -> String {
    let LargeObject { oid, owner, .. } = object;
    let mut sql = format!("alter large object {oid} owner to {};\n", identifier(owner));
    if !object.has_default_rights() {
        let owner = identifier(owner);
        sql.push_str(&format!("revoke all on large object {oid} from public, {owner};\n"));
        for grant in &object.grants {
            sql.push_str(&give(object, grant));
        }
    }
    if let Some(comment) = &object.comment {
        sql.push_str(&format!("comment on large object {oid} is {};\n", literal(comment)));
    }
    sql
}

/// A right that another than the owner gave is given by that one.
fn give(object: &LargeObject, grant: &LargeObjectGrant) -> String {
    let to = grant.grantee.as_deref().map_or_else(|| "public".to_owned(), identifier);
    let with = if grant.grantable { " with grant option" } else { "" };
    let sql = format!("grant {} on large object {} to {to}{with};\n", grant.privilege, object.oid);
    if grant.grantor == object.owner {
        return sql;
    }
    format!("set local role {};\n{sql}reset role;\n", identifier(&grant.grantor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(grantor: &str, grantee: Option<&str>, grantable: bool) -> LargeObjectGrant {
        LargeObjectGrant {
            grantor: grantor.into(),
            grantee: grantee.map(str::to_owned),
            privilege: "SELECT".into(),
            grantable,
        }
    }

    #[test]
    fn rights_are_given_as_they_were() {
        let mut object = LargeObject {
            oid: 7,
            owner: "o".into(),
            grants: vec![grant("o", Some("o"), false), grant("o", Some("o"), false)],
            comment: None,
            digest: String::new(),
        };
        assert_eq!(describe(&object), "alter large object 7 owner to \"o\";\n");
        object.grants = vec![grant("o", Some("g"), true), grant("g", None, false)];
        object.comment = Some("it's".into());
        assert_eq!(
            describe(&object),
            "alter large object 7 owner to \"o\";\nrevoke all on large object 7 from public, \"o\";\n\
             grant SELECT on large object 7 to \"g\" with grant option;\n\
             set local role \"g\";\ngrant SELECT on large object 7 to public;\nreset role;\n\
             comment on large object 7 is 'it''s';\n"
        );
    }
}
