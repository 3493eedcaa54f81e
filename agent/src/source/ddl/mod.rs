//! What becomes of the source's schema while the stream runs.
//!
//! Where our role may, an event trigger tells each command's result in the stream, at its place among the rows
//! ([`install`]): not the command's text, which is unreliable (several statements in one, functions, `search_path`), but
//! what the catalog holds of the touched objects inside that very transaction (`verify/structure.sql`). In the same transaction it
//! keeps our publications as the tables are: rows of a new table flow from its first one, and a table that loses its key
//! leaves the publication of updates before the application's next UPDATE fails.
//!
//! Law 5 holds it: every error inside is swallowed, no lock is waited for longer than 10 ms, and what it could not tell is
//! found by the receiver's comparison with the catalog. It goes with the slot, however the migration ends.
mod linger;
mod structures;

use whimbrel_proto::agent::v1::SourceObjects;

use super::sender::{Sender, SenderSpec};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, literal, qualified},
    selection::Selected,
    verify,
};

/// Where its function is. Every look at the database leaves this schema out, as the ledger's on the target.
const SCHEMA: &str = "whimbrel";

/// Servers before it send no messages in the stream.
const MESSAGES_SINCE: u32 = 140_000;

/// The moments at which the trigger fires, with the end of each one's name.
const EVENTS: [&str; 3] = ["ddl_command_end", "sql_drop", "table_rewrite"];

impl Sender {
    /// Before the slot is made: every transaction that commits behind its point began with the triggers there, for making a
    /// slot waits for those that are under way.
    pub(super) async fn watch_schema(&self) -> Result<(), Fault> {
        if self.spec.follow_schema_changes {
            install(&*self.control().await?, &self.spec).await?;
        }
        Ok(())
    }
}

impl Sender {
    /// Whether all of the triggers are there and fire.
    pub(super) async fn is_followed(&self) -> Result<bool, Fault> {
        let names: Vec<String> =
            EVENTS.iter().map(|event| format!("{}_{event}", self.spec.objects.slot)).collect();
        let row = self
            .control()
            .await?
            .query_one(
                "select count(*) = cardinality($1::text[]) from pg_event_trigger \
                 where evtname = any($1) and evtenabled = 'A'",
                &[&names],
            )
            .await
            .doing("looking at the event triggers on the source")?;
        Ok(row.get(0))
    }
}

/// Makes the event triggers, anew if they are there; `false` when the server or our role can't have them.
///
/// # Errors
/// The server's, of another kind.
async fn install(client: &Client, spec: &SenderSpec) -> Result<bool, Fault> {
    if client.server_version_num() < MESSAGES_SINCE {
        return Ok(false);
    }
    match client.batch_execute(&client.sql(&statements(&spec.objects, &spec.selected))).await {
        Ok(()) => Ok(true),
        // 42501: no superuser; 42704, 42883: the database has no PL/pgSQL; 0A000: the server refuses it.
        Err(error)
            if error.code().is_some_and(|code| {
                ["42501", "42704", "42883", "0A000"].contains(&code.code())
            }) =>
        {
            // The session goes on to other things, and a failed transaction would take none of them.
            client.batch_execute("rollback").await.doing("giving up the event trigger")?;
            tracing::info!(%error, "no event trigger on the source: catalogs are compared instead");
            Ok(false)
        }
        Err(error) => Err(Fault::sql("making the event trigger on the source", &error)),
    }
}

/// One transaction: it is all there, or nothing is.
fn statements(objects: &SourceObjects, selected: &Selected) -> String {
    let function = qualified(SCHEMA, &objects.slot);
    let mut sql = format!("begin; create schema if not exists {SCHEMA};\n");
    let (publication, keyless) =
        (literal(&objects.publication), literal(&objects.keyless_publication));
    let followed = include_str!("followed.sql")
        .replace("{publication}", &publication)
        .replace("{keyless}", &keyless);
    let text = include_str!("function.sql")
        .replace("{structure}", &verify::structure_sql(selected, &followed))
        .replace("{followed}", &followed)
        .replace("{function}", &function)
        .replace("{slot}", &literal(&objects.slot))
        .replace("{publication}", &publication)
        .replace("{keyless}", &keyless);
    sql.push_str(&selected.sql(&text));
    for event in EVENTS {
        let name = trigger(objects, event);
        // ALWAYS: a command under session_replication_role = replica is one too.
        sql.push_str(&format!(
            "drop event trigger if exists {name}; \
             create event trigger {name} on {event} execute function {function}(); \
             alter event trigger {name} enable always;\n"
        ));
    }
    sql.push_str("commit");
    sql
}

fn trigger(objects: &SourceObjects, event: &str) -> String {
    identifier(&format!("{}_{event}", objects.slot))
}

/// Takes triggers, function and schema away. Done already is done.
pub(super) async fn remove(client: &Client, objects: &SourceObjects) -> Result<(), Fault> {
    let doing = "removing the event trigger from the source";
    let names: Vec<String> = EVENTS.iter().map(|e| format!("{}_{e}", objects.slot)).collect();
    let there = client
        .query("select evtname::text from pg_event_trigger where evtname = any($1)", &[&names])
        .await
        .doing(doing)?;
    for row in &there {
        let name = identifier(row.get(0));
        client.batch_execute(&format!("drop event trigger if exists {name}")).await.doing(doing)?;
    }
    if !there.is_empty() {
        linger::linger(client).await?;
    }
    let function = client
        .query_opt(
            "select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
             where n.nspname = $1 and p.proname = $2",
            &[&SCHEMA, &objects.slot],
        )
        .await
        .doing(doing)?;
    if function.is_none() {
        return Ok(());
    }
    let drop = format!("drop function if exists {}()", qualified(SCHEMA, &objects.slot));
    // Together: by the function we know that the schema is ours.
    let both = format!("begin; {drop}; drop schema if exists {SCHEMA}; commit");
    match client.batch_execute(&both).await {
        Ok(()) => Ok(()),
        // Another migration of the same database has its function there.
        Err(error) if error.code().is_some_and(|code| code.code() == "2BP01") => {
            client.batch_execute(&format!("rollback; {drop}")).await.doing(doing)
        }
        Err(error) => {
            client.batch_execute("rollback").await.doing(doing)?;
            Err(Fault::sql(doing, &error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let objects = SourceObjects {
            slot: "s".into(),
            publication: "p".into(),
            keyless_publication: "k".into(),
        };
        let sql = statements(&objects, &Selected::default());
        for left in [
            "{structure}",
            "{function}",
            "{slot}",
            "{publication}",
            "{keyless}",
            "{followed}",
            "{relation ",
            "{schema ",
        ] {
            assert!(!sql.contains(left), "{left}");
        }
    }
}
