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
    wire::{Structure, TypeStructure},
};

/// Whether there were any. `now`: all that the source has.
pub(super) async fn set_types_aside(
    client: &impl GenericClient,
    known: &Forms,
    now: &[Structure],
) -> Result<bool, Fault> {
    let is_replaced = |gone: &&TypeStructure| {
        let is_there = |form: &Structure| form.id() == (gone.class, gone.oid);
        let has_name = |form: &Structure| matches!(form, Structure::Type(of) if (&of.schema, &of.name) == (&gone.schema, &gone.name));
        !now.iter().any(is_there) && now.iter().any(has_name)
    };
    let types = known.values().filter_map(|form| match form {
        Structure::Type(of) => Some(of),
        _ => None,
    });
    let replaced: Vec<&TypeStructure> = types.filter(is_replaced).collect();
    for gone in &replaced {
        set_aside(client, gone, known).await?;
    }
    Ok(!replaced.is_empty())
}

async fn set_aside(
    client: &impl GenericClient,
    gone: &TypeStructure,
    known: &Forms,
) -> Result<(), Fault> {
    let name = format!("whimbrel_gone_{}", gone.oid);
    let old = qualified(&gone.schema, &gone.name);
    let sql = format!("alter type {old} rename to {}", identifier(&name));
    client
        .batch_execute(&sql)
        .await
        .doing(format!("making room for the type that has the name of {old} now"))?;
    let was = format!("{}.{}", gone.schema, gone.name);
    let mut forms = columns_of(&was, &qualified(&gone.schema, &name), known);
    forms.push(Structure::Type(TypeStructure { name, ..gone.clone() }));
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
