//! Rows in tables that extensions own: those that the extension declares to be the user's are carried, as by pg_dump; others
//! are not. Nor is what a person has added to an extension: no dump has it.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::{ask, ask_one},
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ExtensionDataValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    extension: String,
    quoted: String,
    label: String,
    /// Which rows the extension declares to be the user's: a WHERE clause, or nothing. None: none of them.
    condition: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    extension: String,
    kind: String,
    name: String,
}

#[derive(Deserialize)]
struct Rows {
    any: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for tables of extensions in database {}", source.database);
    let tables: Vec<Table> = ask(
        source.client,
        &doing,
        &source.chosen(include_str!("../sql/extension_tables.sql")),
        &[],
    )
    .await?;
    let mut found = Vec::new();
    for table in &tables {
        let doing = format!("looking for rows in {}", table.label);
        let condition = table.condition.as_deref().unwrap_or_default();
        let sql = format!("select exists (select from only {} {condition}) as any", table.quoted);
        match ask_one::<Rows>(source.client, &doing, &sql, &[]).await {
            Ok(Rows { any: false }) => {}
            Ok(Rows { any: true }) => found.extend(not_carried(table)),
            // They would have to be read.
            Err(fault) if table.condition.is_some() => {
                found.push(Found::impossible(fault, At::Prerequisites).object(&table.label));
            }
            Err(fault) => found.push(Found::impossible(fault, At::Preflight).object(&table.label)),
        }
    }
    found.extend(added(source).await?);
    Ok(found)
}

async fn added(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for what was added to extensions in database {}", source.database);
    let sql = source.chosen(include_str!("../sql/extension_members.sql"));
    let members: Vec<Member> = ask(source.client, &doing, &sql, &[]).await?;
    let of_one = members.chunk_by(|one, next| one.extension == next.extension);
    Ok(of_one.map(made_by_hand).collect())
}

/// Of one extension.
fn made_by_hand(members: &[Member]) -> Found {
    let extension = members.first().map_or("", |member| member.extension.as_str());
    let names: Vec<String> =
        members.iter().map(|member| format!("{} {}", member.kind, member.name)).collect();
    let message = format!(
        "these were made before they were added to extension {extension}: {}; pg_dump never carries a member of an \
         extension, nor do we: the target has of them what the extension's own script makes",
        listed(&names)
    );
    let drops: Vec<String> = names
        .iter()
        .map(|name| format!("alter extension {} drop {name};", identifier(extension)))
        .collect();
    let remedy = format!(
        "-- those that are yours: take them out of the extension, and they are carried\n{}",
        drops.join("\n")
    );
    Found::warning("ExtensionMemberNotCarried", message).object(extension).remedy(remedy)
}

fn not_carried(table: &Table) -> Option<Found> {
    let Table { extension, quoted, label, condition } = table;
    if condition.is_some() {
        return None;
    }
    let message = format!(
        "table {label} of extension {extension} has rows that pg_dump never carries, nor do we: on the target it has \
         what the extension puts there when it is made"
    );
    let remedy = format!("-- if any are yours, copy them by hand after the cutover: {quoted}");
    Some(Found::warning("ExtensionTableNotCarried", message).object(label).remedy(remedy))
}
