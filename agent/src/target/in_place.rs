//! The database `postgres`: every server has it and programs rely on it, so that it is never dropped nor renamed. What is
//! in it goes, and our ledger comes, in one transaction; from then on it is a target like any other.
use tokio_postgres::GenericClient;

use super::{
    ledger::Ledger,
    prepare::{exists, set_properties},
    receive::Receiver,
};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, connect},
    wire::DatabaseProperties,
};

const DOING: &str = "replacing what is in the target's database";

/// Two epochs must not both find it without a ledger. The number means nothing.
const ONE_AT_A_TIME: &str =
    "set local lock_timeout = '60s'; select pg_advisory_xact_lock(7735265010411463)";

impl Receiver {
    /// The database's OID; it is empty but for our ledger.
    pub(super) async fn prepare_in_place(&self) -> Result<u32, Fault> {
        let name = &self.spec.database;
        let mut client = connect(&self.spec.endpoint, name, "prepare").await?;
        let row = client
            .query_one("select oid from pg_database where datname = current_database()", &[])
            .await
            .doing(DOING)?;
        let oid: u32 = row.get(0);
        if Ledger::owner(&client).await? == Some(self.spec.migration) {
            return Ok(oid);
        }
        // It was made empty before: a ledger that is gone is told by who takes it over.
        if self.spec.target_oid == oid {
            return Ok(oid);
        }
        if self.spec.overwrite_oid != oid {
            return Err(exists(name, oid));
        }
        let properties = self.database_properties().await?;
        check_alike(&client, &properties).await?;
        // Whoever sleeps from here on finds another state when it wakes, or a lease that is over.
        let state = state(&*client).await?;
        self.lease.require()?;
        self.replace_contents(&mut client, &properties, &state).await?;
        Ok(oid)
    }

    async fn replace_contents(
        &self,
        client: &mut Client,
        properties: &DatabaseProperties,
        before: &str,
    ) -> Result<(), Fault> {
        let public = client.sql(include_str!("sql/public_schema.sql")).into_owned();
        let tx = client.transaction().await.doing(DOING)?;
        tx.batch_execute(ONE_AT_A_TIME).await.doing(DOING)?;
        if state(&tx).await? != before {
            return Err(Fault::fenced(DOING));
        }
        let rows = tx.query(include_str!("sql/empty_database.sql"), &[]).await.doing(DOING)?;
        for row in &rows {
            tx.batch_execute(row.get(0)).await.doing(DOING)?;
        }
        tx.batch_execute(&public).await.doing(DOING)?;
        set_properties(&tx, &self.spec.database, properties).await?;
        Ledger::create_in(&tx, self.spec.claim()).await?;
        tx.commit().await.doing(DOING)
    }
}

/// Changes whenever the contents are replaced: the schemas are others then, and the database's own row.
async fn state(client: &impl GenericClient) -> Result<String, Fault> {
    let row = client
        .query_one(
            "select concat_ws(' ', (select xmin::text from pg_database where datname = current_database()), \
             (select string_agg(oid::text, ',' order by oid) from pg_namespace where oid >= 2200))",
            &[],
        )
        .await
        .doing(DOING)?;
    Ok(row.get(0))
}

/// Encoding and locale are a database's for its life.
async fn check_alike(client: &Client, properties: &DatabaseProperties) -> Result<(), Fault> {
    let row = client.query_one(include_str!("sql/own_locale.sql"), &[]).await.doing(DOING)?;
    let here: Vec<String> = row.get(0);
    let DatabaseProperties { encoding, collate, ctype, provider, locale, icu_rules, .. } =
        properties;
    let mut there = vec![encoding.clone(), collate.clone(), ctype.clone(), provider.clone()];
    there.extend([locale, icu_rules].into_iter().flatten().cloned());
    if here == there {
        return Ok(());
    }
    Err(Fault::new(
        Policy::Fail,
        "DatabaseNotAlike",
        format!(
            "{DOING}: it is of encoding, collation, character classes and locale provider {}, the source's of {}; they can't be changed",
            here.join(", "),
            there.join(", ")
        ),
    )
    .remedy("make the target's server with the source's encoding and locale (initdb), or move into another database"))
}
