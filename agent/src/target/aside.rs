//! Types that are gone on the source and whose names others have there by now, where no event trigger tells it, or there was no
//! slot.
//!
//! Were such a type dropped here for its successor, its columns would go along, and their place among their table's columns. So it
//! gets another name, which the known forms of those columns say then: they are no longer what they are on the source, though
//! they may be in the same words. It goes when the cutover drops what is gone.
use tokio_postgres::GenericClient;

use super::{
    redump::bare,
    structure::{self, Forms},
};
use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, qualified},
    wire::{RelationKind, Structure},
};

/// Whether there were any. `now`: all that the source has.
pub(super) async fn set_types_aside(
    client: &impl GenericClient,
    known: &Forms,
    now: &[Structure],
) -> Result<bool, Fault> {
    let is_replaced = |gone: &&Structure| {
        let is_there = |form: &Structure| form.id() == gone.id();
        let has_name =
            |form: &Structure| type_name(form).is_some_and(|of| Some(of) == type_name(gone));
        !now.iter().any(is_there) && now.iter().any(has_name)
    };
    let replaced: Vec<&Structure> = known.values().filter(is_replaced).collect();
    for gone in &replaced {
        set_aside(client, gone, known).await?;
    }
    Ok(!replaced.is_empty())
}

/// Schema and name of a type, a composite one too.
fn type_name(form: &Structure) -> Option<(&str, &str)> {
    match form {
        Structure::Type(of) => Some((&of.schema, &of.name)),
        Structure::Relation(of) if of.relkind == RelationKind::Composite => {
            Some((&of.schema, &of.name))
        }
        _ => None,
    }
}

async fn set_aside(
    client: &impl GenericClient,
    gone: &Structure,
    known: &Forms,
) -> Result<(), Fault> {
    let Some((schema, type_name)) = type_name(gone) else { return Ok(()) };
    let name = format!("whimbrel_gone_{}", gone.id().1);
    let old = qualified(schema, type_name);
    let sql = format!("alter type {old} rename to {}", identifier(&name));
    client
        .batch_execute(&sql)
        .await
        .doing(format!("making room for the type that has the name of {old} now"))?;
    let was = format!("{schema}.{type_name}");
    let mut forms = columns_of(&was, &qualified(schema, &name), known);
    let mut aside = gone.clone();
    match &mut aside {
        Structure::Type(of) => of.name = name,
        Structure::Relation(of) => of.name = name,
        _ => {}
    }
    forms.push(aside);
    structure::save(client, &forms).await
}

/// The known tables with columns of the type, or of arrays of it, which have its new name now.
fn columns_of(was: &str, is: &str, known: &Forms) -> Vec<Structure> {
    let renamed = |type_name: &str| {
        let bare = bare(type_name);
        let rest = bare.strip_prefix(was)?;
        (rest.is_empty() || rest.starts_with('[')).then(|| format!("{is}{rest}"))
    };
    let mut forms = Vec::new();
    for form in known.values() {
        let Structure::Relation(of) = form else { continue };
        if !of.columns.iter().any(|column| renamed(&column.type_name).is_some()) {
            continue;
        }
        let mut table = of.clone();
        for column in &mut table.columns {
            if let Some(name) = renamed(&column.type_name) {
                column.type_name = name;
            }
        }
        forms.push(Structure::Relation(table));
    }
    forms
}
