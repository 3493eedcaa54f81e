//! Whether what is here is what the source says, in other words.
//!
//! PostgreSQL writes an expression as it has read it, not as it was given: `status in ('a', 'b')` of a varchar is
//! `ANY ((ARRAY['a'::character varying, …])::text[])` where it was first made, and `ANY (ARRAY[('a'::character varying)::text, …])`
//! where it was made of that text. Another version writes still otherwise. Two texts that one server has read alike, and writes
//! alike, mean the same; so the source's is read here too, beside the object that it is compared with. Nothing is left out: what
//! this server then writes must be equal to the last letter.
use std::collections::HashSet;

use super::{receive::Receiver, schema::RESTORE_SETTINGS};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{RelationKind, RelationStructure, Structure},
};

/// Makes the functions that read; in the session's own schema, so that they go with the transaction.
const READ_BACK: &str = include_str!("sql/read_back.sql");

/// The source's words for an object that an item of the shape speaks of.
#[derive(Debug, Default)]
struct Words<'a> {
    kinds: Vec<&'a str>,
    schemas: Vec<&'a str>,
    relations: Vec<&'a str>,
    names: Vec<&'a str>,
    definitions: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn say(
        &mut self,
        kind: &'a str,
        (schema, of): (&'a str, &'a str),
        name: &'a str,
        definition: &'a str,
    ) {
        self.kinds.push(kind);
        self.schemas.push(schema);
        self.relations.push(of);
        self.names.push(name);
        self.definitions.push(definition);
    }

    fn of(forms: &'a [Structure]) -> Self {
        let mut words = Self::default();
        for form in forms {
            match form {
                Structure::Relation(relation) => words.of_relation(relation),
                Structure::Function(function) => {
                    let place = (function.schema.as_str(), function.arguments.as_str());
                    words.say("function", place, &function.name, &function.definition);
                }
                Structure::Type(of) => {
                    for check in &of.constraints {
                        words.say("domain", (&of.schema, &of.name), &check.name, &check.definition);
                    }
                }
                _ => {}
            }
        }
        words
    }

    fn of_relation(&mut self, relation: &'a RelationStructure) {
        let of = (relation.schema.as_str(), relation.name.as_str());
        if let Some(definition) = &relation.definition {
            self.say("view", of, "", definition.trim_end().trim_end_matches(';'));
        }
        for column in &relation.columns {
            let kind = if column.generated.is_empty() { "default" } else { "generated" };
            if let Some(expression) = &column.default {
                self.say(kind, of, &column.name, expression);
            }
        }
        for constraint in &relation.constraints {
            self.say("constraint", of, &constraint.name, &constraint.definition);
            // Its index is an item too.
            if constraint.contype == "x" {
                self.say("exclusion", of, &constraint.name, &constraint.definition);
            }
        }
        let counts = |valid: bool| valid || relation.relkind == RelationKind::Partitioned;
        for index in relation.indexes.iter().filter(|index| counts(index.valid)) {
            let kind = if index.unique { "unique index" } else { "index" };
            self.say(kind, of, &index.name, &index.definition);
        }
    }
}

impl Receiver {
    /// Those of `objects`, named as in the shape, that are here what `forms` of the source say.
    pub(crate) async fn reads_alike(
        &self,
        session: &mut Client,
        forms: &[Structure],
        objects: &[&str],
    ) -> Result<HashSet<String>, Fault> {
        let doing = "reading the source's definitions on the target, to compare them";
        let words = Words::of(forms);
        let tx = session.transaction().await.doing(doing)?;
        tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
        tx.batch_execute(READ_BACK).await.doing(doing)?;
        let Words { kinds, schemas, relations, names, definitions } = &words;
        let sql = include_str!("sql/reads_alike.sql");
        let rows = tx
            .query(sql, &[kinds, schemas, relations, names, definitions, &objects])
            .await
            .doing(doing)?;
        let alike = rows.iter().map(|row| row.get(0)).collect();
        tx.rollback().await.doing(doing)?;
        Ok(alike)
    }
}
