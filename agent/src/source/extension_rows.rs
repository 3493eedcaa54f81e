//! Rows in tables of extensions that the extension declares to be the user's.
use futures_util::{StreamExt as _, pin_mut};

use super::{catalog::parse, sender::Sender};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    verify,
    wire::{ExtensionTable, Frame, FrameSender, TableChecksum},
};

impl Sender {
    pub(super) async fn extension_tables(
        &self,
        under_snapshot: bool,
    ) -> Result<Vec<ExtensionTable>, Fault> {
        let client = self.session_for_rows(under_snapshot).await?;
        let sql = self.spec.selected.sql(include_str!("sql/extension_rows.sql"));
        let rows = client
            .query(&*client.sql(&sql), &[])
            .await
            .doing("looking for rows of yours in tables of extensions")?;
        rows.iter().map(|row| parse(row.get(0))).collect()
    }

    pub(super) async fn extension_checksum(
        &self,
        table: &ExtensionTable,
        under_snapshot: bool,
    ) -> Result<TableChecksum, Fault> {
        let client = self.session_for_rows(under_snapshot).await?;
        let version = client.server_version_num();
        let ExtensionTable { schema, name, columns, condition } = table;
        verify::checksum_where(&client, (schema, name), columns, condition, version).await
    }

    pub(super) async fn extension_rows(
        &self,
        table: &ExtensionTable,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let doing = format!("copying rows of {}", table.label());
        let client = self.session_for_rows(true).await?;
        let columns: Vec<String> = table.columns.iter().map(|name| identifier(name)).collect();
        let statement = format!(
            "copy (select {} from only {} {}) to stdout",
            columns.join(", "),
            qualified(&table.schema, &table.name),
            table.condition
        );
        let rows = client.copy_out(&statement).await.doing(&doing)?;
        pin_mut!(rows);
        // Settings, not data: a few rows, each a frame.
        while let Some(row) = rows.next().await {
            reply.send(Frame::Bytes(row.doing(&doing)?)).await?;
        }
        Ok(())
    }

    async fn session_for_rows(&self, under_snapshot: bool) -> Result<Client, Fault> {
        let purpose = "extension rows";
        match under_snapshot {
            true => self.session_in_snapshot(purpose).await,
            false => self.session(purpose).await,
        }
    }
}
