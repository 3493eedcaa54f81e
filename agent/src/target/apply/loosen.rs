//! What hangs here on an object that is gone on the source, where no event trigger tells how it got loose there.
//!
//! A sequence or a function can be gone whose name another one has by now, and what used it uses that other one in the same words:
//! no form of it tells. Here it hangs on the older one still, and CASCADE would take it along: of a domain, the columns with all
//! their values. So it gets loose here too, and is made anew with the forms of now; and where a column of a table would go along
//! nevertheless that the source has, nothing is dropped.
use super::change::Changes;
use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, qualified},
    target::structure,
    wire::{Dropped, Note, RelationKind, RelationStructure, Structure},
};

/// What an object here is found by: kind, schema, name, arguments.
type Found = [String; 4];

impl Changes {
    /// Takes from what is gone the defaults, checks and indexes that hang on it; their tables and domains are in the note from
    /// then on.
    pub(super) async fn loosen(&mut self, note: &mut Note) -> Result<(), Fault> {
        let mut all = note.dropped.clone();
        all.extend(self.identities_of(&note.dropped).await?);
        for gone in all {
            let Some(found) = self.found(&gone).await? else { continue };
            let [kind, schema, name, arguments] = &found;
            let rows = self
                .session()
                .query(include_str!("loosen.sql"), &[kind, schema, name, arguments])
                .await
                .doing(format!("looking for what uses {} on the target", gone.identity))?;
            for row in rows {
                let (part, schema, name, part_name): (String, String, String, String) =
                    (row.get(0), row.get(1), row.get(2), row.get(3));
                self.loosen_part(note, &part, (&schema, &name), &part_name).await?;
            }
        }
        Ok(())
    }

    async fn loosen_part(
        &mut self,
        note: &mut Note,
        part: &str,
        (schema, name): (&str, &str),
        part_name: &str,
    ) -> Result<(), Fault> {
        let known = match part.starts_with("domain") {
            true => structure::type_named(self.session(), schema, name).await?,
            false => structure::named(self.session(), schema, name).await?,
        };
        let Some(known) = known else { return Ok(()) };
        // Gone itself: it goes with what hangs on it.
        if note.dropped.iter().any(|gone| (gone.class, gone.oid) == known.id()) {
            return Ok(());
        }
        let (of, quoted) = (qualified(schema, name), identifier(part_name));
        let sql = match part {
            "default" => format!("alter table only {of} alter column {quoted} drop default"),
            "domain default" => format!("alter domain {of} drop default"),
            "constraint" => format!("alter table {of} drop constraint if exists {quoted}"),
            "domain constraint" => format!("alter domain {of} drop constraint if exists {quoted}"),
            _ => format!("drop index if exists {}", qualified(schema, part_name)),
        };
        self.local(&sql, note).await?;
        let form = without(known.clone(), part, part_name);
        structure::save(self.session(), &[form]).await?;
        if note.objects.iter().all(|object| object.id() != known.id()) {
            note.objects.push(known);
        }
        Ok(())
    }

    /// Before `dropped` goes with all that hangs on it. `objects`: which get another form afterwards; of a table that is copied again
    /// a column may go before that, but not behind it. `tag`: what the source has done; `all_gone`:
    /// all that it dropped with that.
    ///
    /// # Errors
    /// A hold, if a table's column would go that the source has.
    pub(super) async fn keep_values(
        &mut self,
        dropped: &[Dropped],
        objects: &[Structure],
        (tag, all_gone): (&str, &[Dropped]),
    ) -> Result<(), Fault> {
        for gone in dropped {
            let Some(found) = self.found(gone).await? else { continue };
            let [kind, schema, name, arguments] = &found;
            let rows = self
                .session()
                .query(include_str!("goes_along.sql"), &[kind, schema, name, arguments])
                .await
                .doing(format!("looking for what goes with {} on the target", gone.identity))?;
            for row in rows {
                let (schema, name): (String, String) = (row.get(0), row.get(1));
                let Some(Structure::Relation(known)) =
                    structure::named(self.session(), &schema, &name).await?
                else {
                    continue;
                };
                let column: Option<String> = row.get(2);
                if all_gone.iter().any(|it| it.oid == known.oid)
                    || self.comes_again(&known, objects)
                    || !is_kept(&known, column.as_deref(), objects)
                {
                    continue;
                }
                return Err(kept_by_source(tag, gone, &known, column.as_deref()));
            }
        }
        Ok(())
    }

    /// Whether nothing is lost with a table's column: there are no values, and its new form makes it.
    fn comes_again(&self, known: &RelationStructure, objects: &[Structure]) -> bool {
        let is_told = objects.iter().any(|form| form.id().1 == known.oid);
        is_told
            && (known.relkind == RelationKind::Partitioned
                || self.altered.rewritten.contains(&known.oid))
    }

    /// By the name that the known form says, which is the one that it has here.
    async fn found(&mut self, gone: &Dropped) -> Result<Option<Found>, Fault> {
        let known = structure::known(self.session(), (gone.class, gone.oid)).await?;
        let found = |kind: &str, schema: &str, name: &str, arguments: &str| {
            Some([kind, schema, name, arguments].map(str::to_owned))
        };
        Ok(match known {
            Some(Structure::Relation(of)) => found("relation", &of.schema, &of.name, ""),
            Some(Structure::Sequence(of)) => found("relation", &of.schema, &of.name, ""),
            Some(Structure::Type(of)) => found("type", &of.schema, &of.name, ""),
            Some(Structure::Function(of)) => found("routine", &of.schema, &of.name, &of.arguments),
            Some(Structure::Schema(of)) => found("schema", "", &of.name, ""),
            Some(Structure::Extension(of)) => found("extension", "", &of.name, ""),
            None => None,
        })
    }
}

/// The form as it is here from then on.
fn without(known: Structure, part: &str, part_name: &str) -> Structure {
    let mut form = known;
    match (&mut form, part) {
        (Structure::Relation(of), "default") => {
            for column in of.columns.iter_mut().filter(|column| column.name == part_name) {
                column.default = None;
            }
        }
        (Structure::Relation(of), "constraint") => of.constraints.retain(|it| it.name != part_name),
        (Structure::Relation(of), _) => of.indexes.retain(|it| it.name != part_name),
        (Structure::Type(of), "domain default") => of.default = None,
        (Structure::Type(of), _) => of.constraints.retain(|it| it.name != part_name),
        _ => {}
    }
    form
}

/// Whether the source has the table still, or that column of it: by its number, not by its name.
fn is_kept(known: &RelationStructure, column: Option<&str>, objects: &[Structure]) -> bool {
    let Some(column) = column else { return true };
    let Some(old) = known.columns.iter().find(|it| it.name == column) else { return false };
    let new = objects.iter().find_map(|form| match form {
        Structure::Relation(of) if of.oid == known.oid => Some(&**of),
        _ => None,
    });
    new.unwrap_or(known).columns.iter().any(|it| it.num == old.num)
}

fn kept_by_source(
    tag: &str,
    gone: &Dropped,
    known: &RelationStructure,
    column: Option<&str>,
) -> Fault {
    let (kind, identity) = (&gone.kind, &gone.identity);
    let table = qualified(&known.schema, &known.name);
    let what = match column {
        Some(column) => format!("column {} of table {table}", identifier(column)),
        None => format!("table {table}"),
    };
    let message = format!(
        "{tag} on the source can't be carried: {kind} {identity} is gone there, and {what}, which the source has still, \
         would go with it here"
    );
    Fault::hold("SchemaChangeNotCarried", message).remedy(format!(
        "on the target: `drop {kind} {identity}` (without CASCADE) names what hangs on it; alter that (a column: to another type) \
         until nothing does, then `whimbrel migration retry`; what is not as on the source then is named by the next hold, and \
         is altered back by hand"
    ))
}
