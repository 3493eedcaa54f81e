//! The source's schema again, when it has changed since it was dumped: for what comes with the switch.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_postgres::GenericClient;

use super::{
    documents,
    drop_gone::drop_gone,
    early,
    foreign_options::{alter_carried, attaches, is_of_foreign},
    ledger::Ledger,
    make_anew::{Made, Was, make_anew, owned_object, owner_line},
    receive::Receiver,
    renamed::Renamed,
    schema::{Entry, Plan, RESTORE_SETTINGS, built_on},
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Catalog, ShapeItem},
};

/// Before a foreign table is attached.
const BEFORE_ATTACH: &str = "whimbrel_attach";

/// What the stream carries, or the switch makes: all other kinds of entries are made from the new dump.
const CARRIED: [&str; 24] = [
    "ACL",
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "DATABASE",
    "DEFAULT",
    "DOMAIN",
    "ENCODING",
    "EXTENSION",
    "FK CONSTRAINT",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "PROCEDURE",
    "SCHEMA",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SHELL TYPE",
    "TABLE",
    "TABLE ATTACH",
    "TYPE",
    "VIEW",
    "RULE",
];

/// Sequences of these foreign tables.
const OF_FOREIGN: &str = "select format('alter sequence %s owned by none', d.objid::regclass)
    from pg_depend d
    join pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'a'
      and d.refobjid in (select to_regclass(name) from unnest($1::text[]) name)";

/// A dump that was taken again.
pub(crate) struct Dumped {
    archive: Vec<u8>,
    plan: Arc<Plan>,
    catalog: Arc<Catalog>,
    /// Objects that a person has made on the target, taken as they are.
    pub(crate) by_hand: Vec<String>,
    /// Statements that drop what is gone on the source, and something on the target uses still.
    pub(crate) in_use: Vec<String>,
    /// Objects that the older dump did not have, as GRANT names them, without quotes ([`bare`]).
    pub(crate) new: HashSet<String>,
    /// Tables with an index or a key that it did not have, in the same way: what was set on one is set anew.
    pub(crate) indexed: HashSet<String>,
}

impl Receiver {
    /// Whether the schema has been dumped again.
    pub(crate) async fn has_changed(&self, session: &Client) -> Result<bool, Fault> {
        documents::is_marked(&**session, documents::CHANGED).await
    }

    /// Whether the stream has changed the schema here since.
    pub(crate) async fn has_carried(&self, session: &Client) -> Result<bool, Fault> {
        documents::is_marked(&**session, documents::CARRIED).await
    }

    /// Whether the stream has dropped objects since the schema was dumped. They may be there again on the source in the same
    /// words; here they came without their foreign keys, comments and the like.
    pub(crate) async fn has_dropped(&self, session: &Client) -> Result<bool, Fault> {
        documents::is_marked(&**session, documents::DROPPED).await
    }

    /// The files of the source's tables, as far as is known: one that has another now was truncated, or rewritten.
    pub(crate) async fn known_files(&self, session: &Client) -> Result<HashMap<u32, u32>, Fault> {
        let rows = session
            .query(
                "select oid, (document ->> 'file')::oid from whimbrel.structure \
                 where document ->> 'relkind' = 'r' and document ->> 'file' is not null",
                &[],
            )
            .await
            .doing("reading the files of the source's tables from the ledger")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The source's major version.
    pub(crate) async fn source_major(&self, session: &Client) -> Result<u32, Fault> {
        Ok(self.catalog(session).await?.server_version / 10_000)
    }

    /// Dumps again, under the held snapshot, and makes what is new and neither carried nor the switch's.
    pub(crate) async fn dump_again(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<Dumped, Fault> {
        let doing = "taking over the source's schema again";
        let catalog = self.catalog(session).await?;
        let old = documents::get(&**session, "dump").await?;
        let target_major = session.server_major();
        let mut before = self.read_dump(target_major, &catalog, &old).await?;
        before.all_tables.extend(early::made(&**session).await?);
        let dump = self.fetch_dump(target_major).await?;
        let catalog = self.left_out_now(catalog).await?;
        let plan = Arc::new(self.read_dump(target_major, &catalog, &dump).await?);
        let tx = session.transaction().await.doing(doing)?;
        tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
        let by_hand = make_entries(&tx, &before, &plan, doing).await?;
        let renamed = Renamed::between(&before, &plan);
        let in_use = drop_gone(&tx, (&before, &plan), &renamed, doing).await?;
        drop_comments(&tx, (&before, &plan), &renamed).await?;
        ledger.commit(tx, doing).await?;
        let (new, indexed) = (new_objects(&before, &plan), indexed(&before, &plan));
        Ok(Dumped { archive: dump, plan, catalog, by_hand, in_use, new, indexed })
    }

    /// A foreign key to a table that is left out may have come since, with its comment: neither is made.
    async fn left_out_now(&self, known: Arc<Catalog>) -> Result<Arc<Catalog>, Fault> {
        if self.spec.selected.is_everything() {
            return Ok(known);
        }
        let now = self.fetch_catalog().await?;
        Ok(Arc::new(Catalog { not_made: now.not_made, ..Catalog::clone(&known) }))
    }

    /// The ledger keeps the new dump in place of the old one. `shape`: what the source is now; it is what the next change
    /// is told by, as are `rights`.
    pub(crate) async fn keep_dump(
        &self,
        session: &mut Client,
        ledger: Ledger,
        dumped: &Dumped,
        shape: &[ShapeItem],
        rights: Option<&[String]>,
    ) -> Result<Arc<Plan>, Fault> {
        let doing = "keeping the source's new dump";
        let plan = Arc::clone(&dumped.plan);
        let tx = session.transaction().await.doing(doing)?;
        documents::put(&tx, "dump", &dumped.archive).await?;
        documents::put(&tx, "shape", &documents::to_json("shape", &shape)?).await?;
        if let Some(rights) = rights {
            documents::put(&tx, "rights", &documents::to_json("rights", &rights)?).await?;
        }
        documents::mark(&tx, documents::CHANGED).await?;
        documents::unmark(&tx, &[documents::CARRIED, documents::DROPPED]).await?;
        if !self.spec.selected.is_everything() {
            let catalog = documents::to_json("catalog", &*dumped.catalog)?;
            documents::put(&tx, "catalog", &catalog).await?;
        }
        let made: Vec<i32> = entries(&plan).chain(&plan.foreign_keys).map(|e| e.dump_id).collect();
        tx.execute("delete from whimbrel.entry", &[]).await.doing(doing)?;
        tx.execute("insert into whimbrel.entry (dump_id) select unnest($1::int4[])", &[&made])
            .await
            .doing(doing)?;
        early::forget(&tx).await?;
        ledger.commit(tx, doing).await?;
        Ok(plan)
    }
}

/// Comments that are no more; those of objects that are gone went with them.
async fn drop_comments(
    client: &impl GenericClient,
    (before, after): (&Plan, &Plan),
    renamed: &Renamed,
) -> Result<(), Fault> {
    let doing = "removing comments";
    // Not the tag, which has no schema.
    let commented = |entry: &'_ Entry| {
        let (object, _) = key(entry).2.split_once(" IS '")?;
        object.trim().strip_prefix("COMMENT ON ").map(str::to_owned)
    };
    let of = |plan| entries(plan).filter(|entry| entry.kind == "COMMENT").filter_map(commented);
    let kept: HashSet<String> = of(after).collect();
    for object in of(before).map(|object| renamed.now(&object)).filter(|it| !kept.contains(it)) {
        // A block of its own: what it is about may be gone.
        client
            .batch_execute(&format!(
                "do {} ",
                crate::postgres::literal(&format!(
                    "begin comment on {object} is null; exception when undefined_table or undefined_column or undefined_function \
                     or undefined_object or invalid_schema_name or wrong_object_type then null; end"
                ))
            ))
            .await
            .doing(doing)?;
    }
    Ok(())
}

/// What the older dump had.
pub(super) struct Older<'a> {
    keys: HashSet<(&'a str, &'a str, &'a str)>,
    names: HashSet<(&'a str, &'a str)>,
    ids: HashMap<(&'a str, u32, u32), &'a Entry>,
}

impl<'a> Older<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let keys: HashSet<_> = entries(plan).map(key).collect();
        let names = keys.iter().map(|&(kind, tag, _)| (kind, tag)).collect();
        // The last one counts: what was made early stands behind what the dump had under its name.
        let ids = entries(plan).map(|entry| (id(entry), entry)).collect();
        Self { keys, names, ids }
    }

    /// That very object, as it was. What a dump has no OID for is in none.
    fn form(&self, entry: &Entry) -> Option<&'a Entry> {
        self.ids.get(&id(entry)).copied().filter(|_| entry.oid != 0)
    }

    /// One that was dropped and made again in the same words is another: the stream has dropped it here as well. And words that
    /// are here may be another object's: one that was made early was in other words than one of before that had its name.
    pub(super) fn was(&self, entry: &Entry) -> Was {
        let is_here = match self.form(entry) {
            Some(form) if key(form) == key(entry) => return Was::Known,
            Some(form) if body(form) == body(entry) => return Was::Owned,
            Some(_) => false,
            None => self.keys.contains(&key(entry)),
        };
        match is_here {
            // A user mapping has no OID in a dump, as rights and comments have none.
            true if entry.oid == 0 && entry.kind != "USER MAPPING" => Was::Known,
            true => Was::Alike,
            false if self.names.contains(&(&*entry.kind, &*entry.tag)) => Was::Another,
            false => Was::Missing,
        }
    }
}

/// Makes what the stream does not carry, and the older dump did not have; what a person has made before is named.
async fn make_entries(
    client: &impl GenericClient,
    before: &Plan,
    after: &Plan,
    doing: &str,
) -> Result<Vec<String>, Fault> {
    let older = Older::of(before);
    let (mut anew, mut by_hand): (Vec<&Entry>, _) = (Vec::new(), Vec::new());
    let foreign: Vec<&str> = entries(after)
        .filter_map(|entry| owned_object(&entry.sql)?.strip_prefix("FOREIGN TABLE "))
        .collect();
    disown(client, &foreign, doing).await?;
    for entry in entries(after).filter(|entry| !is_said(entry)) {
        if is_of_foreign(entry, &foreign) {
            client.batch_execute(&entry.sql).await.doing(format!("{doing}: {}", entry.tag))?;
            continue;
        }
        if entry.kind == "TABLE ATTACH" {
            if let Some(child) = attaches(entry, &foreign) {
                attach(client, entry, child, doing).await?;
            }
            continue;
        }
        let was = older.was(entry);
        let is_known = CARRIED.contains(&entry.kind.as_str()) || was == Was::Known;
        if is_known && !anew.iter().any(|object| goes_with(object, entry)) {
            continue;
        }
        if let (Was::Owned, Some(line)) = (was, owner_line(&entry.sql)) {
            client.batch_execute(line).await.doing(format!("{doing}: {line}"))?;
            continue;
        }
        if let Some(form) = older.form(entry)
            && alter_carried(client, entry, form, doing).await?
        {
            continue;
        }
        match make_anew(client, entry, (was, older.form(entry)), doing).await? {
            Made::AsItWas | Made::Altered => continue,
            Made::New | Made::Anew => {}
            Made::ByHand => {
                by_hand.push(owned_object(&entry.sql).unwrap_or(&entry.tag).to_owned());
            }
        }
        anew.push(entry);
    }
    // Whatever was made again has lost its comments, whoever made it; giving all of them does no harm.
    let said: Vec<&str> = entries(after).filter(|e| is_said(e)).map(|e| &*e.sql).collect();
    client.batch_execute(&said.concat()).await.doing(format!("{doing}: comments and labels"))?;
    Ok(by_hand)
}

/// A foreign table that is made anew would take its sequences along, which come with the stream. Their owners come again.
async fn disown(client: &impl GenericClient, foreign: &[&str], doing: &str) -> Result<(), Fault> {
    if foreign.is_empty() {
        return Ok(());
    }
    let doing = format!("{doing}: foreign tables' sequences");
    for row in client.query(OF_FOREIGN, &[&foreign]).await.doing(&doing)? {
        client.batch_execute(row.get(0)).await.doing(&doing)?;
    }
    Ok(())
}

/// One that a person has attached is left. Another one may have its place here until the parents are set that have changed on
/// the source ([`Receiver::take_traits`]): then this one's are set there too.
async fn attach(
    client: &impl GenericClient,
    entry: &Entry,
    child: &str,
    doing: &str,
) -> Result<(), Fault> {
    let doing = format!("{doing}: attaching {child}");
    let apart = "select from pg_class where oid = to_regclass($1) and not relispartition";
    if client.query_opt(apart, &[&child]).await.doing(&doing)?.is_none() {
        return Ok(());
    }
    client.batch_execute(&format!("savepoint {BEFORE_ATTACH}")).await.doing(&doing)?;
    let mut end = format!("release {BEFORE_ATTACH}");
    if let Err(error) = client.batch_execute(&entry.sql).await {
        tracing::debug!(%error, child, "not attached so far");
        end = format!("rollback to {BEFORE_ATTACH}; {end}");
    }
    client.batch_execute(&end).await.doing(doing)
}

/// What is only said of an object.
fn is_said(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "COMMENT" | "SECURITY LABEL")
}

/// By OID, so that one that was renamed is none, and one that was made again is.
fn new_objects(before: &Plan, after: &Plan) -> HashSet<String> {
    let new = new_entries(before, after);
    new.filter_map(|entry| as_granted(entry, owned_object(&entry.sql)?)).collect()
}

fn indexed(before: &Plan, after: &Plan) -> HashSet<String> {
    let tables = new_entries(before, after).filter_map(built_on);
    tables.map(|(schema, table)| format!("table {}", bare(&format!("{schema}.{table}")))).collect()
}

fn new_entries<'a>(before: &'a Plan, after: &'a Plan) -> impl Iterator<Item = &'a Entry> {
    let older: HashSet<(u32, u32)> =
        entries(before).map(|entry| (entry.class, entry.oid)).collect();
    entries(after).filter(move |entry| entry.oid != 0 && !older.contains(&(entry.class, entry.oid)))
}

/// As GRANT names the object that OWNER TO names, without quotes.
fn as_granted(entry: &Entry, owned: &str) -> Option<String> {
    let kind = entry.kind.as_str();
    let (word, before) = match kind {
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE" => ("table", kind),
        "SEQUENCE" => ("sequence", kind),
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => ("routine", kind),
        "TYPE" | "DOMAIN" => ("type", kind),
        "SCHEMA" => ("schema", kind),
        _ => return None,
    };
    // Before 15 pg_dump says TABLE of every relation.
    let name = owned.strip_prefix(before).or_else(|| owned.strip_prefix("TABLE"))?;
    let name = bare(name.trim_start());
    // OWNER TO says the arguments' names too, the tag their types alone.
    match (word, name.split_once('.')) {
        ("routine", Some((schema, _))) => Some(format!("routine {schema}.{}", bare(&entry.tag))),
        _ => Some(format!("{word} {name}")),
    }
}

/// A name without quotes: whether they are needed is the server's version's matter, and a dump for another one has them all.
pub(crate) fn bare(name: &str) -> String {
    name.replace('"', "")
}

/// Everything that is here before the switch, but for foreign keys.
pub(super) fn entries(plan: &Plan) -> impl Iterator<Item = &Entry> {
    let of_tables =
        plan.by_table.values().flat_map(|table| table.keys.iter().chain(&table.indexes));
    plan.before.iter().chain(of_tables).chain(&plan.all_tables)
}

/// Without the session's settings in front, which depend on what was dumped before it.
pub(super) fn key(entry: &Entry) -> (&str, &str, &str) {
    let mut sql = entry.sql.as_str();
    while let Some((line, rest)) = sql.split_once('\n')
        && line.starts_with("SET default_table")
    {
        sql = rest;
    }
    (&entry.kind, &entry.tag, sql)
}

/// Some objects have two entries.
fn id(entry: &Entry) -> (&str, u32, u32) {
    (&entry.kind, entry.class, entry.oid)
}

/// As [`key`], without the line that gives the object its owner.
fn body(entry: &Entry) -> (&str, &str, String) {
    let (kind, tag, sql) = key(entry);
    (kind, tag, owner_line(sql).map_or_else(|| sql.to_owned(), |line| sql.replacen(line, "", 1)))
}

/// Whether an object that was made anew has lost what the entry gives it: of the rights, which may be as they are for a
/// reason, its own.
pub(super) fn goes_with(anew: &Entry, entry: &Entry) -> bool {
    let known_as = match anew.kind.as_str() {
        "SERVER" => "FOREIGN SERVER",
        "AGGREGATE" => "FUNCTION",
        kind => kind,
    };
    entry.kind == "ACL" && entry.tag == format!("{known_as} {}", anew.tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owned_object_is_named_as_it_is_granted() {
        let named = |kind: &str, tag: &str, owned| {
            let (kind, tag, sql) = (kind.into(), tag.into(), String::new());
            as_granted(&Entry { dump_id: 1, class: 0, oid: 0, kind, tag, sql }, owned)
        };
        let is =
            |kind, tag, owned, name| assert_eq!(named(kind, tag, owned).as_deref(), Some(name));
        is("MATERIALIZED VIEW", "V", "MATERIALIZED VIEW s.\"V\"", "table s.V");
        is("SEQUENCE", "q", "TABLE \"s\".\"q\"", "sequence s.q");
        is("PROCEDURE", "p(integer)", "PROCEDURE s.p(IN a integer)", "routine s.p(integer)");
        is("DOMAIN", "d", "DOMAIN s.d", "type s.d");
        assert_eq!(named("SERVER", "far", "SERVER far"), None);
    }

    /// A configuration is dropped and made again; a dump of before its mappings came has made it early.
    #[test]
    fn words_of_an_object_of_before_say_nothing_of_another() {
        let words = |oid, sql: &str| Entry {
            dump_id: 1,
            class: 3602,
            oid,
            kind: "TEXT SEARCH CONFIGURATION".into(),
            tag: "words".into(),
            sql: sql.into(),
        };
        let of_before = words(1, "create; map;\n");
        let early = words(2, "create;\n");
        let plan = |before, all_tables| Plan { before, all_tables, ..Plan::default() };
        let before = plan(vec![of_before.clone()], vec![early.clone()]);
        let older = Older::of(&before);
        assert_eq!(older.was(&words(2, "create; map;\n")), Was::Another);
        assert_eq!(older.was(&words(3, "create; map;\n")), Was::Alike);
        assert_eq!(older.was(&early), Was::Known);
    }

    #[test]
    fn an_entry_is_the_same_behind_other_settings() {
        let entry = |sql: &str| Entry {
            dump_id: 1,
            class: 0,
            oid: 0,
            kind: "OPERATOR FAMILY".into(),
            tag: "f".into(),
            sql: sql.into(),
        };
        let settings = "SET default_tablespace = '';\nSET default_table_access_method = heap;\n";
        let one = entry("\nCREATE OPERATOR FAMILY f USING hash;\n");
        let other = entry(&format!("{settings}\nCREATE OPERATOR FAMILY f USING hash;\n"));
        assert_eq!(key(&one), key(&other));
        assert_ne!(key(&one), key(&entry("\nCREATE OPERATOR FAMILY f USING btree;\n")));
    }
}
