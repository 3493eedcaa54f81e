//! What a change of the schema means for a table's rows: they are in the stream, or they are copied again.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::{change::Changes, find_out::TAG};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::qualified,
    target::ddl::relation_of,
    wire::{Note, Publish, Relation, RelationStructure},
};

/// A savepoint, before statements that rows may stand in the way of.
const BEFORE_ROWS: &str = "whimbrel_carry";

/// A savepoint, before what may be refused.
const BEFORE_ATTEMPT: &str = "whimbrel_attempt";

impl Changes {
    /// Runs what makes an object. A key or a check can fail over rows that the stream has told in part only (no identity,
    /// unlogged), or that are older than a form which no message has told, where the source's own rows agree with it: the table
    /// that the server blames is emptied then, and its rows come again. So can one over the rows of a table that is held, which are
    /// old. No table is blamed twice, so that it ends.
    pub(super) async fn execute_over_rows(
        &mut self,
        statements: &[String],
        doing: &str,
        note: &Note,
    ) -> Result<(), Fault> {
        let untold = note.tag == TAG;
        let held = self.tables.held().clone();
        let is_in_part =
            |table: &Relation| untold || table.publish != Publish::All || held.contains(&table.oid);
        if !self.tables.catalog().relations.iter().any(is_in_part) {
            return self.execute(statements, doing).await.map_err(|(fault, _)| fault);
        }
        let savepoint = |sql: &str| vec![format!("{sql} {BEFORE_ROWS}")];
        let mut emptied = HashSet::new();
        loop {
            self.execute(&savepoint("savepoint"), doing).await.map_err(|(fault, _)| fault)?;
            let Err((fault, blamed)) = self.execute(statements, doing).await else {
                return self
                    .execute(&savepoint("release"), doing)
                    .await
                    .map_err(|(fault, _)| fault);
            };
            let known = self.tables.catalog().relations.iter();
            let mut table =
                known.filter(|t| blamed.as_deref() == Some(&*t.label()) && is_in_part(t));
            let Some(oid) = table.next().map(|table| table.oid) else { return Err(fault) };
            if !emptied.insert(oid) {
                return Err(fault);
            }
            self.execute(&savepoint("rollback to"), doing).await.map_err(|(fault, _)| fault)?;
            self.empty(oid, note).await?;
        }
    }

    /// `false`: the target refuses them, and they are undone.
    ///
    /// # Errors
    /// What is no refusal: a lost connection, a newer epoch.
    pub(super) async fn attempt(
        &mut self,
        statements: &[String],
        doing: &str,
    ) -> Result<bool, Fault> {
        let savepoint = |sql: &str| [format!("{sql} {BEFORE_ATTEMPT}")];
        self.execute(&savepoint("savepoint"), doing).await.map_err(|(fault, _)| fault)?;
        let refused = self.execute(statements, doing).await.map_err(|(fault, _)| fault).err();
        match &refused {
            Some(fault) if fault.policy != Policy::Hold => return Err(fault.clone()),
            Some(fault) => {
                tracing::debug!(code = %fault.code, doing, "the target refuses it");
                self.execute(&savepoint("rollback to"), doing).await.map_err(|(fault, _)| fault)?;
            }
            None => {}
        }
        self.execute(&savepoint("release"), doing).await.map_err(|(fault, _)| fault)?;
        Ok(refused.is_none())
    }

    /// Gives with an error the table whose rows are in the way, as its label.
    pub(super) async fn execute(
        &mut self,
        statements: &[String],
        doing: &str,
    ) -> Result<(), (Fault, Option<String>)> {
        for sql in statements {
            self.session().batch_execute(sql).await.map_err(|error| {
                let of = error.as_db_error().filter(|db| db.code().code().starts_with("23"));
                let blamed = of.and_then(|db| Some(format!("{}.{}", db.schema()?, db.table()?)));
                (Fault::sql(doing, &error), blamed)
            })?;
        }
        Ok(())
    }

    /// The table's rows come again. Until then none is kept.
    pub(super) async fn carry_rewrite(
        &mut self,
        table: u32,
        note: &Note,
        commit: Lsn,
    ) -> Result<(), Fault> {
        if self.tables.is_ahead(table, commit) {
            return Ok(());
        }
        self.empty(table, note).await
    }

    /// None of its rows is kept, and no value of theirs counts in what is made of its columns.
    pub(super) async fn empty(&mut self, table: u32, note: &Note) -> Result<(), Fault> {
        self.altered.rewritten.insert(table);
        let Some(relation) = self.tables.relation(table).cloned() else { return Ok(()) };
        let name = qualified(&relation.schema, &relation.name);
        let row = self
            .session()
            .query_one(
                "select exists (select from pg_constraint where contype = 'f' and confrelid = to_regclass($1))",
                &[&name],
            )
            .await
            .doing("looking at the foreign keys of a table that was rewritten")?;
        let how = if row.get(0) { "delete from only" } else { "truncate only" };
        self.local(&format!("{how} {name}"), note).await?;
        self.hold(table).await
    }

    /// Changes of these tables are in no stream: their rows come again. A copy has what was missed before it, and not what is missed
    /// from a moment on whose end nobody tells.
    pub(super) async fn carry_gaps(&mut self, note: &Note, commit: Lsn) -> Result<(), Fault> {
        let ended = note.published.iter().filter(|table| !self.tables.is_ahead(**table, commit));
        let gaps: Vec<u32> = note.taken_out.iter().chain(ended).copied().collect();
        for table in gaps {
            if self.tables.relation(table).is_some() {
                self.hold(table).await?;
            }
        }
        Ok(())
    }

    /// The table's changes are left out until its rows have been copied again. One that is held waits for a person.
    pub(super) async fn hold(&mut self, table: u32) -> Result<(), Fault> {
        if self.tables.held().contains(&table) {
            return Ok(());
        }
        self.session()
            .execute("update whimbrel.relation set point = null where source_oid = $1", &[&table])
            .await
            .doing("recording in the ledger that a table is to be copied again")?;
        self.tables.set_point(table, None);
        self.altered.copy = true;
        self.resolve_again();
        Ok(())
    }

    pub(super) async fn know_table(
        &mut self,
        before: Option<&RelationStructure>,
        new: &RelationStructure,
        note: &Note,
        commit: Lsn,
    ) -> Result<(), Fault> {
        if !new.relkind.is_table() {
            return self.forget_table(new.oid).await;
        }
        let Some(mut relation) = relation_of(new) else { return Ok(()) };
        let known = self.tables.relation(new.oid).cloned();
        if let Some(known) = &known {
            (relation.pages, relation.bytes) = (known.pages, known.bytes);
        }
        self.tables.put(relation.clone());
        self.altered.catalog = true;
        match known {
            None => {
                // Its rows are in the stream from the first one on, unless it was made with rows.
                let from_here = before.is_none()
                    && !note.filled.contains(&new.oid)
                    && ["CREATE TABLE", "CREATE SCHEMA"].contains(&note.tag.as_str());
                self.begin_table(&relation, from_here.then_some(commit)).await?;
                if !from_here || note.unpublished.is_some() {
                    self.hold(new.oid).await?;
                }
            }
            Some(known) if note.unpublished.is_some() && known.publish != relation.publish => {
                self.hold(new.oid).await?;
            }
            // What was changed before its changes came is not here.
            Some(known)
                if known.publish != Publish::All
                    && relation.publish == Publish::All
                    && (known.publish == Publish::Nothing || self.has_rows(&relation).await?) =>
            {
                self.hold(new.oid).await?;
            }
            Some(_) => {}
        }
        self.resolve_again();
        Ok(())
    }

    async fn has_rows(&mut self, relation: &Relation) -> Result<bool, Fault> {
        let name = qualified(&relation.schema, &relation.name);
        let row = self
            .session()
            .query_one(&format!("select exists (select from only {name})"), &[])
            .await
            .doing(format!("looking for rows of {} on the target", relation.label()))?;
        Ok(row.get(0))
    }

    async fn begin_table(&mut self, relation: &Relation, point: Option<Lsn>) -> Result<(), Fault> {
        let lsn = point.map(|point| tokio_postgres::types::PgLsn::from(point.0));
        self.session()
            .execute(
                "insert into whimbrel.relation (source_oid, point, copied, done) values ($1, $2, true, true) \
                 on conflict (source_oid) do update set point = excluded.point",
                &[&relation.oid, &lsn],
            )
            .await
            .doing(format!("recording in the ledger that {} is new", relation.label()))?;
        self.tables.set_point(relation.oid, point);
        Ok(())
    }
}
