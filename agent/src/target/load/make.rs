//! From the source's schema to tables that wait for their rows.
use std::collections::HashSet;

use super::start::{identity_by_default, identity_types, partitioned_by_default};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier},
    target::{
        fact::Fact,
        ledger::Ledger,
        receive::Receiver,
        roles::told,
        schema::{Entry, Plan},
    },
    verify::lacking_here,
    wire::{Catalog, Public, Relation},
};

/// Tables that are altered in one transaction: so many locks have room in any server.
const RUN_TABLES: usize = 100;

impl Receiver {
    /// Everything before the rows, or what is missing of it.
    pub(super) async fn make_schema(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        plan: &Plan,
    ) -> Result<(), Fault> {
        let doing = "looking for what is made of the schema";
        let row = client
            .query_one("select exists (select from whimbrel.relation), array(select dump_id from whimbrel.entry)", &[])
            .await
            .doing(doing)?;
        if row.get(0) {
            return Ok(());
        }
        self.progress.operation("creating the schema");
        let made: HashSet<i32> = row.get::<_, Vec<i32>>(1).into_iter().collect();
        let missing: Vec<&Entry> =
            plan.before.iter().filter(|entry| !made.contains(&entry.dump_id)).collect();
        if let Some(left) = shape_public(client, ledger, catalog.public).await? {
            self.tell(Fact::Milestone("SchemaPublicLeft", left)).await;
        }
        make_extension_schemas(client, ledger, catalog).await?;
        self.make_entries(client, ledger, &missing).await?;
        begin_tables(client, ledger, &catalog.relations).await?;
        let text = format!("{} objects, {} tables", plan.before.len(), catalog.relations.len());
        self.tell(Fact::Milestone("SchemaCreated", text)).await;
        self.tell_lacking_rights(client).await
    }

    /// Of what is another role's here (the members of a trusted extension, a language) a server grants nothing, and only warns.
    async fn tell_lacking_rights(&self, client: &Client) -> Result<(), Fault> {
        let there = self.dumped_rights(client).await?.unwrap_or_default();
        let lacking = lacking_here(client, &self.spec.selected, &there).await?;
        if !lacking.is_empty() {
            let grants: Vec<String> =
                lacking.iter().map(|right| format!("{};", right.grant())).collect();
            let text = format!(
                "rights that our role may not grant on the target, left to the owner of the object, or a superuser: {}",
                told(&grants, " ")
            );
            self.tell(Fact::Milestone("RightsIncomplete", text)).await;
        }
        Ok(())
    }
}

/// The new database has the schema `public`, with a comment, whether the source's has or not.
///
/// Before 15 the schema is of the superuser who made the server, and who is not that one can't alter it: it stays as it is
/// then, and what is left to do is told.
async fn shape_public(
    client: &mut Client,
    ledger: Ledger,
    public: Public,
) -> Result<Option<String>, Fault> {
    let sql = match public {
        Public::AsDumped => return Ok(None),
        Public::NoComment => "comment on schema public is null",
        Public::Missing => "drop schema public",
    };
    let doing = "shaping the schema public of the target as the source's is";
    let owned = "select pg_has_role(nspowner, 'usage') from pg_namespace where nspname = 'public'";
    let tx = client.transaction().await.doing(doing)?;
    let owned = tx.query_opt(owned, &[]).await.doing(doing)?.map(|row| row.get::<_, bool>(0));
    if owned == Some(true) {
        tx.batch_execute(sql).await.doing(doing)?;
        ledger.commit(tx, doing).await?;
        return Ok(None);
    }
    tx.rollback().await.doing(doing)?;
    // What is not there needs no shape.
    Ok(owned.map(|_| {
        format!(
            "the schema public of the target is another role's and stays as it is; after the cutover, as its owner: {sql};"
        )
    }))
}

/// Schemas that are left out, for the extensions in them.
async fn make_extension_schemas(
    client: &mut Client,
    ledger: Ledger,
    catalog: &Catalog,
) -> Result<(), Fault> {
    if catalog.extension_schemas.is_empty() {
        return Ok(());
    }
    let doing = "creating the schemas of extensions on the target";
    let tx = client.transaction().await.doing(doing)?;
    for (name, owner) in &catalog.extension_schemas {
        let (name, owner) = (identifier(name), identifier(owner));
        tx.batch_execute(&format!(
            "create schema if not exists {name}; alter schema {name} owner to {owner}"
        ))
        .await
        .doing(doing)?;
    }
    ledger.commit(tx, doing).await
}

/// The tables are there, and wait for their rows. The ledger says so last: it is how one knows that all is made.
async fn begin_tables(
    client: &mut Client,
    ledger: Ledger,
    relations: &[Relation],
) -> Result<(), Fault> {
    let doing = "preparing the tables for their rows";
    let mut identities: Vec<String> =
        relations.chunks(RUN_TABLES).map(identity_by_default).collect();
    identities.extend(partitioned_by_default(&**client).await?);
    identities.extend(identity_types(&**client).await?);
    for sql in identities.iter().filter(|sql| !sql.is_empty()) {
        let tx = client.transaction().await.doing(doing)?;
        tx.batch_execute(sql).await.doing(doing)?;
        ledger.commit(tx, doing).await?;
    }
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let tx = client.transaction().await.doing(doing)?;
    tx.execute("insert into whimbrel.relation (source_oid) select unnest($1::oid[])", &[&oids])
        .await
        .doing(doing)?;
    ledger.commit(tx, doing).await
}
