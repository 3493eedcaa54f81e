//! Constraints of the source that the stream leaves to the cutover: foreign keys, which must not get in the way of rows that
//! still come, and checks that no message tells.
use std::collections::HashMap;

use super::{
    ddl::late_constraints,
    in_runs::{Statement, in_runs},
    ledger::Ledger,
    receive::Receiver,
    structure,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    wire::Structure,
};

/// Schema, table and constraint.
type Name = (String, String, String);

impl Receiver {
    /// Makes those of the source that are not here, and makes of foreign keys what they are there by now; the form of each of
    /// the source's objects.
    pub(crate) async fn make_late_constraints(
        &self,
        session: &mut Client,
        ledger: Ledger,
    ) -> Result<Vec<Structure>, Fault> {
        let doing = "making the source's constraints";
        let forms = structure::fetch(&self.caller, Vec::new(), false).await?;
        let here = here(session).await?;
        let mut statements = Vec::new();
        for form in &forms {
            let Structure::Relation(relation) = form else { continue };
            let table = qualified(&relation.schema, &relation.name);
            let known = |name: &str| {
                let name = (relation.schema.clone(), relation.name.clone(), name.to_owned());
                here.get(&name).map(String::as_str)
            };
            for (name, sql) in late_constraints(relation, known) {
                statements.push(Statement { about: format!("{name} of {table}"), sql });
            }
        }
        in_runs(session, ledger, &statements, doing).await?;
        Ok(forms)
    }
}

/// The definitions of the target's.
async fn here(client: &Client) -> Result<HashMap<Name, String>, Fault> {
    let rows = client
        .query(
            "select n.nspname::text, c.relname::text, k.conname::text, pg_get_constraintdef(k.oid) from pg_constraint k \
             join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace \
             where k.contype in ('c', 'f')",
            &[],
        )
        .await
        .doing("reading the target's constraints")?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3))).collect())
}
