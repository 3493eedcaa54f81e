//! A schema that is not among what is moved, and that a table has been moved to which is: the stream goes on with the table as long
//! as it is there (the cutover says `TableLeftSelection`), and the schema goes again when it comes back.
use super::change::Changes;
use crate::{
    fault::{Doing, Fault},
    postgres::{identifier, literal},
    wire::{Note, Structure},
};

/// By which it is known as ours.
const MADE: &str = "holds a table that has left what Whimbrel moves";

impl Changes {
    /// Makes the schema that the relation has come to, if it is not chosen and not here. One that is chosen comes as it is there.
    pub(super) async fn make_unchosen_schema(
        &mut self,
        (old, new): (Option<&Structure>, &Structure),
        note: &Note,
    ) -> Result<(), Fault> {
        let Some((_, to)) = schemas(old, new) else { return Ok(()) };
        if self.selected.is_everything() {
            return Ok(());
        }
        let sql = "select to_regnamespace(quote_ident($1)) is null and not {schema $1::text}";
        let row = self
            .session()
            .query_one(&*self.selected.sql(sql), &[&to])
            .await
            .doing(format!("looking for schema {to:?} on the target"))?;
        if !row.get::<_, bool>(0) {
            return Ok(());
        }
        let name = identifier(to);
        let sql = format!("create schema {name}; comment on schema {name} is {}", literal(MADE));
        self.local(&sql, note).await
    }

    /// Drops the schema that the relation has left, if it was made by that and nothing is in it.
    pub(super) async fn drop_unchosen_schema(
        &mut self,
        (old, new): (Option<&Structure>, &Structure),
    ) -> Result<(), Fault> {
        let Some((from, _)) = schemas(old, new) else { return Ok(()) };
        let doing =
            format!("dropping schema {from:?}, which was made for a table that has left it");
        let sql = "select obj_description(to_regnamespace(quote_ident($1)), 'pg_namespace') = $2";
        let row = self.session().query_one(sql, &[&from, &MADE]).await.doing(&doing)?;
        if row.get::<_, Option<bool>>(0) == Some(true) {
            self.attempt(&[format!("drop schema {}", identifier(from))], &doing).await?;
        }
        Ok(())
    }
}

/// Where a relation was and is, if these are two.
fn schemas<'a>(old: Option<&'a Structure>, new: &'a Structure) -> Option<(&'a str, &'a str)> {
    match (old, new) {
        (Some(Structure::Relation(old)), Structure::Relation(new)) if old.schema != new.schema => {
            Some((&old.schema, &new.schema))
        }
        _ => None,
    }
}
