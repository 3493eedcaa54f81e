//! Reads what is in the database.
use tokio_postgres::{Row, types::FromSql};

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, setting_name, setting_value},
    selection::{EXTENSION_SCHEMAS, NOT_MADE},
    verify,
    wire::{Catalog, DatabaseProperties, ShapeItem, Trait},
};

use super::{patient::Patience, publication::check_published, sender::Sender};

/// In the place of the CTE of columns.
const NO_COLUMNS: &str = "columns as (select null::oid as attrelid, null::json as columns, false as binary where false),";

impl Sender {
    pub(super) async fn read_database(&self) -> Result<DatabaseProperties, Fault> {
        let row = self
            .control()
            .await?
            .query_one(include_str!("sql/database.sql"), &[])
            .await
            .doing(format!("reading how database {:?} is made", self.spec.database))?;
        parse(row.get(0))
    }

    pub(super) async fn read_database_settings(&self) -> Result<Vec<String>, Fault> {
        let doing = format!("reading what is set on database {:?}", self.spec.database);
        let sql = include_str!("sql/database_settings.sql");
        let rows = self.control().await?.query(sql, &[]).await.doing(&doing)?;
        let setting = |row: &Row| -> Result<String, Fault> {
            let value = read(row, 2, &doing)?;
            Ok(database_setting(read(row, 0, &doing)?, read(row, 1, &doing)?, value))
        };
        rows.iter().map(setting).collect()
    }

    pub(super) async fn read_catalog(&self) -> Result<Catalog, Fault> {
        let client = self.session_in_snapshot("catalog").await?;
        if self.held().await?.is_of_slot() {
            check_published(&client, &self.spec).await?;
        }
        let doing = format!("reading the catalog of database {:?}", self.spec.database);
        let relations = self.relations_sql();
        let relations = client.query(&*client.sql(&relations), &[]).await.doing(&doing)?;
        let owners = client.query(include_str!("sql/owners.sql"), &[]).await.doing(&doing)?;
        let public = client.query_one(include_str!("sql/public.sql"), &[]).await.doing(&doing)?;
        Ok(Catalog {
            server_version: client.server_version_num(),
            relations: relations
                .iter()
                .map(|row| parse(read(row, 0, &doing)?))
                .collect::<Result<_, _>>()?,
            owners: owners.iter().map(|row| (row.get(0), row.get(1))).collect(),
            not_made: self.pairs(&client, NOT_MADE).await?,
            extension_schemas: self.pairs(&client, EXTENSION_SCHEMAS).await?,
            public: parse(public.get(0))?,
        })
    }

    /// The chosen tables.
    pub(super) fn relations_sql(&self) -> String {
        let text = verify::with_columns(include_str!("sql/relations.sql"), None);
        self.spec.selected.sql(&text)
    }

    /// The same tables, told without their columns: those are what takes time where there are thousands.
    pub(super) fn published_sql(&self) -> String {
        self.spec.selected.sql(&include_str!("sql/relations.sql").replace("{columns}", NO_COLUMNS))
    }

    /// What is told of a selection; nothing of one that leaves nothing out.
    async fn pairs<A, B>(&self, client: &Client, text: &str) -> Result<Vec<(A, B)>, Fault>
    where
        A: for<'a> FromSql<'a>,
        B: for<'a> FromSql<'a>,
    {
        if self.spec.selected.is_everything() {
            return Ok(Vec::new());
        }
        let sql = self.spec.selected.sql(text);
        let rows = client.query(&*client.sql(&sql), &[]).await.doing("asking what is left out")?;
        let doing = "asking what is left out";
        rows.iter().map(|row| Ok((read(row, 0, doing)?, read(row, 1, doing)?))).collect()
    }

    pub(super) async fn read_rights(&self, under_snapshot: bool) -> Result<Vec<String>, Fault> {
        if under_snapshot {
            verify::rights_of(&self.session_in_snapshot("rights").await?, &self.spec.selected).await
        } else {
            verify::rights_of(&*self.control().await?, &self.spec.selected).await
        }
    }

    pub(super) async fn read_traits(&self) -> Result<Vec<Trait>, Fault> {
        verify::traits_of(&*self.control().await?, &self.spec.selected).await
    }

    pub(super) async fn read_shape(&self, under_snapshot: bool) -> Result<Vec<ShapeItem>, Fault> {
        let mut patience = Patience::new();
        loop {
            let client = self.impatient_session("shape", under_snapshot).await?;
            match verify::shape_of(&client, &self.spec.selected).await {
                Ok(shape) => return Ok(shape),
                Err(fault) => patience.bear(fault).await?,
            }
        }
    }
}

/// A statement; of a setting there is only its beginning.
fn database_setting(statement: String, name: Option<&str>, value: Option<&str>) -> String {
    match (name, value) {
        (Some(name), Some(value)) => {
            format!("{statement} set {} to {}", setting_name(name), setting_value(name, value))
        }
        _ => statement,
    }
}

/// A document that the catalog's queries make.
/// A value that has text of the database: one that knows no encoding (SQL_ASCII) gives whatever bytes it was given.
pub(super) fn read<'r, T: FromSql<'r>>(row: &'r Row, at: usize, doing: &str) -> Result<T, Fault> {
    row.try_get(at).map_err(|_| {
        let message = format!("{doing}: a name or a definition has bytes that are no UTF-8");
        Fault::hold("DefinitionNotUtf8", message).remedy(
            "`whimbrel source test` or the preflight of a new migration names it (DefinitionNotUtf8): rename it or make it anew on \
             the source in UTF-8, then `whimbrel migration retry`",
        )
    })
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| {
        Fault::hold("CatalogUnreadable", format!("reading the source's catalog: {error}")).remedy(
            "report it: this version of PostgreSQL has a catalog that the agent does not know",
        )
    })
}
