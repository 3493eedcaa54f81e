//! Carries a change of the source's schema at its place among the rows: in the transaction of the group, between the rows
//! before and those after it, with the ledger's word of it.
use std::{collections::HashSet, sync::Arc};

use whimbrel_proto::Lsn;

use super::{
    change::Changes, needs::goes_with_its_table, not_carried::not_carried, old_places::detached,
};
use crate::{
    fault::{Doing, Fault, Policy},
    target::{
        ddl::{self, Around, numbered},
        documents, structure,
    },
    verify,
    wire::{
        ExtensionStructure, Note, RelationKind, RelationStructure, SequenceStructure, Structure,
    },
};

/// `pg_event_trigger_table_rewrite_reason`'s bits: persistence, a default, a type. Another access method (8) changes no row.
const ROWS_REWRITTEN: u32 = 1 | 2 | 4;

/// No new table is told by it, but one that was not chosen under its older name.
const ALTERED: &str = "ALTER TABLE";

/// The first version with ALTER COLUMN … SET EXPRESSION.
const SET_EXPRESSION: u32 = 170_000;

/// The first major version that keeps NOT NULL as a constraint.
const NAMED_NOT_NULL: u32 = 18;

/// The first that does so for a domain.
const NAMED_DOMAINS_NOT_NULL: u32 = 17;

/// What the group's transaction has changed of the schema so far.
#[derive(Debug, Default)]
pub(super) struct Altered {
    /// The ledger's catalog is to be written again before the commit.
    pub(super) catalog: bool,
    /// The group must be committed with this transaction: a new label of an enum can't be used before.
    pub(super) commit: bool,
    /// Tables wait for their rows.
    pub(super) copy: bool,
    /// Tables that this transaction of the source has rewritten.
    pub(super) rewritten: HashSet<u32>,
    /// What the cutover has taken away here for another object's form, and the source may have still.
    pub(super) cleared: Vec<(u32, u32)>,
}

impl Changes {
    /// What one command did. `commit`: where its transaction commits.
    pub(super) async fn carry(&mut self, note: &Note, commit: Lsn) -> Result<(), Fault> {
        self.write_rows_before().await?;
        self.altered.commit = true;
        if let Some(state) = &note.failed {
            // The rows themselves tell when they no longer fit, and the cutover compares the catalogs.
            tracing::warn!(
                tag = note.tag,
                state,
                "a change of the source's schema could not be told in full"
            );
            documents::mark_untold(self.session()).await?;
            return self.carry_rewritten(note, commit).await;
        }
        self.local("set local check_function_bodies = off", note).await?;
        for dropped in &note.dropped {
            self.carry_drop(dropped, note, commit).await?;
        }
        // What is dropped here can be there again on the source, in the same words: no comparison would tell.
        if !note.dropped.is_empty() {
            documents::mark(self.session(), documents::DROPPED).await?;
        }
        self.carry_rewritten(note, commit).await?;
        self.carry_gaps(note, commit).await?;
        self.carry_cast(note).await?;
        let mut later = Vec::new();
        let objects = self.with_needs_of_come(note).await?;
        for new in self.in_order(&objects).await? {
            let Some(old) = self.carry_object(new, note, commit).await? else { continue };
            later.extend(ddl::afterwards(old.as_ref(), new));
        }
        for sql in later {
            self.local(&sql, note).await?;
        }
        documents::mark(self.session(), documents::CARRIED).await?;
        self.keep_forms(&objects, commit).await?;
        Box::pin(self.learn_casts()).await
    }

    /// A cast may have come, and a type that has one.
    async fn learn_casts(&mut self) -> Result<(), Fault> {
        let client = Arc::clone(&self.client);
        if self.tables.learn_casts(&**client).await? {
            self.resolve_again();
        }
        Ok(())
    }

    async fn carry_rewritten(&mut self, note: &Note, commit: Lsn) -> Result<(), Fault> {
        match note.rewritten.filter(|_| note.reason & ROWS_REWRITTEN != 0) {
            Some(table) => self.carry_rewrite(table, note, commit).await,
            None => Ok(()),
        }
    }

    /// The note's objects, behind what a table needs that has come into what is chosen: it has brought its sequences along, and its
    /// types were there before, of which the command tells nothing.
    async fn with_needs_of_come(&mut self, note: &Note) -> Result<Vec<Structure>, Fault> {
        let mut objects = Vec::new();
        for new in &note.objects {
            if let Structure::Relation(table) = new
                && table.relkind.is_table()
                && note.tag == ALTERED
                && structure::known(self.session(), new.id()).await?.is_none()
            {
                let needs = self.needs_of(table).await?;
                let is_told = |need: &Structure| note.objects.iter().any(|it| it.id() == need.id());
                objects.extend(needs.into_iter().filter(|need| !is_told(need)));
            }
        }
        objects.extend(note.objects.iter().cloned());
        Ok(objects)
    }

    /// What stands before a change of the schema is written in the form that it has there.
    pub(super) async fn write_rows_before(&mut self) -> Result<(), Fault> {
        self.write_chunk().await?;
        self.pipeline.wait(0).await?;
        self.prepared_forget();
        Ok(())
    }

    /// The ledger knows these from here on.
    pub(super) async fn keep_forms(
        &mut self,
        objects: &[Structure],
        commit: Lsn,
    ) -> Result<(), Fault> {
        let carried = objects.iter().filter(|object| !self.tables.is_ahead(object.id().1, commit));
        structure::save(self.session(), &carried.cloned().collect::<Vec<_>>()).await
    }

    /// New sequences first, and last those that their tables take along to another schema. A table is told where the command
    /// touched it first, which can be before the sequence that a later part of the same command has made for a column of it
    /// (`drop constraint …, add column … bigserial`).
    pub(super) async fn in_order<'a>(
        &mut self,
        told: &'a [Structure],
    ) -> Result<Vec<&'a Structure>, Fault> {
        let (mut first, mut then, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for object in told {
            let place = match object {
                // The schema that it may be in.
                Structure::Schema(_) => &mut first,
                Structure::Sequence(new) => {
                    match structure::known(self.session(), object.id()).await? {
                        None => &mut first,
                        Some(Structure::Sequence(known)) if goes_with_its_table(&known, new) => {
                            &mut last
                        }
                        Some(_) => &mut then,
                    }
                }
                _ => &mut then,
            };
            place.push(object);
        }
        first.append(&mut then);
        first.append(&mut last);
        Ok(first)
    }

    /// The form before, if the object was carried.
    pub(super) async fn carry_object(
        &mut self,
        new: &Structure,
        note: &Note,
        commit: Lsn,
    ) -> Result<Option<Option<Structure>>, Fault> {
        let old = structure::known(self.session(), new.id()).await?;
        if let Structure::Relation(relation) = new
            && self.tables.is_ahead(relation.oid, commit)
        {
            self.carry_defaults(old, relation, note).await?;
            return Ok(None);
        }
        if old.is_none() && new.is_foreign() {
            return Ok(Some(None));
        }
        let here = match new {
            Structure::Relation(relation) => self.here(old.as_ref(), relation, note).await?,
            Structure::Sequence(sequence) => self.sequence_here(old.as_ref(), sequence).await?,
            Structure::Extension(extension) => self.extension_here(extension).await?,
            _ => old.clone(),
        };
        self.run(here.as_ref(), new, note).await?;
        if let Structure::Relation(heir) = new
            && here.is_none()
            && heir.is_heir()
        {
            // It has come with its parents' columns as they are there, whatever it has of its own of them.
            let made = self.here(Some(new), heir, note).await?;
            self.run(made.as_ref(), new, note).await?;
        }
        match (old.as_ref(), new) {
            (before, Structure::Relation(new)) => {
                let before = match before {
                    Some(Structure::Relation(before)) => Some(&**before),
                    _ => None,
                };
                if before.is_some() && new.relkind == RelationKind::Partitioned {
                    self.carry_detached(new, note, commit).await?;
                }
                self.know_table(before, new, note, commit).await?;
            }
            (Some(Structure::Schema(before)), Structure::Schema(after))
                if before.name != after.name =>
            {
                self.know_schema(&before.name, &after.name).await?;
            }
            _ => {}
        }
        Ok(Some(old))
    }

    /// What the schema holds is known by its new name.
    pub(super) async fn know_schema(&mut self, from: &str, to: &str) -> Result<(), Fault> {
        structure::rename_schema(self.session(), from, to).await?;
        self.tables.rename_schema(from, to);
        // The stream does not say it again: the tables themselves have not changed.
        self.rename_told(from, to);
        self.altered.catalog = true;
        self.resolve_again();
        Ok(())
    }

    async fn run(
        &mut self,
        old: Option<&Structure>,
        new: &Structure,
        note: &Note,
    ) -> Result<(), Fault> {
        let emptied = match new {
            Structure::Relation(relation) if relation.relkind == RelationKind::Partitioned => {
                !self.altered.rewritten.is_empty()
            }
            Structure::Relation(relation) => self.altered.rewritten.contains(&relation.oid),
            _ => false,
        };
        let expressions_stay = self.tables.catalog().server_version < SET_EXPRESSION;
        let names_not_null = self.server_major() >= NAMED_NOT_NULL;
        let names_domains_not_null = self.server_major() >= NAMED_DOMAINS_NOT_NULL;
        let told = &note.objects;
        let around =
            Around { emptied, expressions_stay, names_not_null, names_domains_not_null, told };
        if self.is_made(old, new).await? {
            return Ok(());
        }
        let statements = ddl::statements(old, new, around)
            .map_err(|what| not_carried(note, &new.label(), &what, &[]))?;
        if let (true, Some(Structure::Relation(old)), Structure::Relation(new)) =
            (emptied, old, new)
        {
            self.drop_keys_to_retyped(old, new, note).await?;
        }
        self.make_unchosen_schema((old, new), note).await?;
        self.execute_behind_what_it_lacks(statements, (old, new), note).await?;
        self.drop_unchosen_schema((old, new)).await
    }

    /// Whether a person has made a type that could not be carried: its functions could not, or what a domain is made of.
    async fn is_made(&mut self, old: Option<&Structure>, new: &Structure) -> Result<bool, Fault> {
        let new = match (old, new) {
            (None, Structure::Type(new)) => new,
            (Some(Structure::Type(old)), Structure::Type(new)) if old.typtype == "p" => new,
            _ => return Ok(false),
        };
        if !["r", "b", "p", "d"].contains(&new.typtype.as_str()) {
            return Ok(false);
        }
        let sql = "select exists (select from pg_type t join pg_namespace n on n.oid = t.typnamespace \
                   where n.nspname = $1 and t.typname = $2 and ($3 = 'p' or t.typtype::text = $3 and t.typisdefined))";
        let row = self
            .session()
            .query_one(sql, &[&new.schema, &new.name, &new.typtype])
            .await
            .doing(format!("looking for type {}.{} on the target", new.schema, new.name))?;
        Ok(row.get(0))
    }

    /// The target's own form: a parent's change may have brought a part of it, or a person what could not be carried.
    async fn here(
        &mut self,
        known: Option<&Structure>,
        new: &RelationStructure,
        note: &Note,
    ) -> Result<Option<Structure>, Fault> {
        let known = match known {
            Some(Structure::Relation(known)) => Some(&**known),
            _ => None,
        };
        let names = known.map(|known| (known.schema.clone(), known.name.clone()));
        let mut here = None;
        for (schema, name) in names.into_iter().chain([(new.schema.clone(), new.name.clone())]) {
            if let Some(Structure::Relation(found)) = self.form_here(&schema, &name).await? {
                here = Some(found);
                break;
            }
        }
        match here {
            Some(here) => Ok(Some(Structure::Relation(Box::new(numbered(&here, known, new))))),
            // Its rows would be missing.
            None if known.is_some() && new.relkind == RelationKind::Table => {
                let label = format!("table {}.{}", new.schema, new.name);
                Err(not_carried(note, &label, "it is not on the target", &[]))
            }
            None => Ok(None),
        }
    }

    /// The target's own form: a sequence goes with its table to another schema, and that command tells the table alone. It
    /// is looked for under its new name first: the one that is known may be another's by now. Last where its table has taken it.
    async fn sequence_here(
        &mut self,
        known: Option<&Structure>,
        new: &SequenceStructure,
    ) -> Result<Option<Structure>, Fault> {
        let mut names = vec![(&new.schema, &new.name)];
        if let Some(Structure::Sequence(known)) = known {
            names.extend([(&known.schema, &known.name), (&new.schema, &known.name)]);
        }
        for (schema, name) in names {
            let here = self.form_here(schema, name).await?;
            if matches!(here, Some(Structure::Sequence(_))) {
                return Ok(here);
            }
        }
        Ok(known.cloned())
    }

    /// The target's own: it has been made in the version that the target has.
    async fn extension_here(
        &mut self,
        new: &ExtensionStructure,
    ) -> Result<Option<Structure>, Fault> {
        let sql = "select n.nspname, e.extversion from pg_extension e \
                   join pg_namespace n on n.oid = e.extnamespace where e.extname = $1";
        let row = self
            .session()
            .query_opt(sql, &[&new.name])
            .await
            .doing(format!("looking at extension {} on the target", new.name))?;
        Ok(row.map(|row| {
            let (schema, version) = (row.get(0), row.get(1));
            Structure::Extension(ExtensionStructure { schema, version, ..new.clone() })
        }))
    }

    pub(super) async fn form_here(
        &mut self,
        schema: &str,
        name: &str,
    ) -> Result<Option<Structure>, Fault> {
        let text = include_str!("form_here.sql").replace(
            "{structure}",
            &verify::structure_sql(&crate::selection::Selected::default(), "true"),
        );
        let sql = self.chosen(&text);
        let rows = self
            .session()
            .query(&*sql, &[&schema, &name])
            .await
            .doing(format!("looking at {schema}.{name} on the target"))?;
        rows.first().map(|row| structure::parse(row.get::<_, String>(0).as_bytes())).transpose()
    }

    /// Partitions that left their parent: the command names the parent alone. What the ledger knows of the parent's own
    /// partitions is as old as the last command that named it; each partition's form tells whose it is.
    async fn carry_detached(
        &mut self,
        new: &RelationStructure,
        note: &Note,
        commit: Lsn,
    ) -> Result<(), Fault> {
        for known in structure::heirs(self.session(), new.oid).await? {
            let Structure::Relation(before) = known else { continue };
            let told = note.objects.iter().any(|object| object.id().1 == before.oid);
            // A copy that is newer than this has it, and what it was attached by again is not carried either.
            let is_ahead = self.tables.is_ahead(before.oid, commit);
            if told || is_ahead || new.children.contains(&before.oid) {
                continue;
            }
            let after = Box::new(detached((*before).clone(), new.oid));
            // It comes with the switch, as it is then.
            let is_to_come = before.relkind == RelationKind::Foreign
                && self.form_here(&before.schema, &before.name).await?.is_none();
            let (before, after) = (Structure::Relation(before), Structure::Relation(after));
            if !is_to_come {
                self.run(Some(&before), &after, note).await?;
            }
            structure::save(self.session(), std::slice::from_ref(&after)).await?;
        }
        Ok(())
    }

    /// One statement of ours in the group's transaction.
    pub(super) async fn local(&mut self, sql: &str, note: &Note) -> Result<(), Fault> {
        let doing = format!("carrying {}", note.tag);
        self.session().batch_execute(sql).await.doing(doing).map_err(|fault| match fault.policy {
            Policy::Hold => not_carried(note, "an object", &fault.message, &[sql.to_owned()]),
            _ => fault,
        })
    }

    /// Writes the catalog to the ledger, if it is another now. Before the group's commit.
    pub(super) async fn keep_catalog(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.altered.catalog) {
            let body = documents::to_json("catalog", self.tables.catalog())?;
            documents::put(self.session(), "catalog", &body).await?;
        }
        self.altered.rewritten.clear();
        Ok(())
    }
}
