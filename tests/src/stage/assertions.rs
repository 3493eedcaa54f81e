//! What must be true of the two servers when a migration is over.
use super::Stage;
use crate::{
    Outcome,
    compare::{Comparison, compare, compare_schemas, copy_schema},
    ensure,
};

impl Stage {
    /// Fails unless a database is the same on both sides: rows, sequences, schema.
    ///
    /// # Errors
    /// The differences.
    pub fn assert_same(&self, database: &str) -> Outcome {
        let found = self.compare(database)?;
        ensure!(found.differences.is_empty(), "{}", found.differences.join("\n"));
        Ok(())
    }

    /// As [`Stage::assert_same`], of a source that has crashed since the switch: its sequences may have leapt ahead.
    ///
    /// # Errors
    /// The other differences.
    pub fn assert_same_after_crashes(&self, database: &str) -> Outcome {
        let mut found = self.compare(database)?;
        found.differences.retain(|difference| !found.leaps.contains(difference));
        ensure!(found.differences.is_empty(), "{}", found.differences.join("\n"));
        Ok(())
    }

    fn compare(&self, database: &str) -> Outcome<Comparison> {
        let mut sides = (self.source.connect(database)?, self.target.connect(database)?);
        let mut found = compare(&mut sides.0, &mut sides.1)?;
        found.differences.extend(compare_schemas(
            self.source.client("pg_dump", database)?,
            self.target.client("pg_dump", database)?,
        )?);
        ensure!(found.tables > 0, "{database} has no tables: nothing was compared");
        Ok(found)
    }

    /// As [`Stage::assert_same`], of servers of two versions: the schema must be what pg_dump and psql make of the source's
    /// on the target, since each version describes the same schema in its own words.
    ///
    /// # Errors
    /// The differences.
    pub fn assert_same_across_versions(&self, database: &str) -> Outcome {
        const REFERENCE: &str = "as_it_should_be";
        let mut sides = (self.source.connect(database)?, self.target.connect(database)?);
        let mut found = compare(&mut sides.0, &mut sides.1)?;
        self.target.create_database(REFERENCE)?;
        copy_schema(
            self.source.client("pg_dump", database)?,
            self.target.client("psql", REFERENCE)?,
        )?;
        found.differences.extend(compare_schemas(
            self.target.client("pg_dump", REFERENCE)?,
            self.target.client("pg_dump", database)?,
        )?);
        ensure!(found.tables > 10, "only {} tables were compared", found.tables);
        ensure!(found.differences.is_empty(), "{}", found.differences.join("\n"));
        Ok(())
    }

    /// Fails if the source has a slot, a publication or a session of ours.
    ///
    /// # Errors
    /// What is left.
    pub fn assert_source_clean(&self, database: &str) -> Outcome {
        let left = self.source.psql(
            database,
            "select 'slot ' || slot_name from pg_replication_slots
             union all select 'publication ' || pubname from pg_publication where pubname like 'whimbrel%'
             union all select 'schema ' || nspname from pg_namespace where nspname like 'whimbrel%'
             union all select 'event trigger ' || evtname from pg_event_trigger",
        )?;
        ensure!(left.is_empty(), "left on the source:\n{left}");
        Ok(())
    }
}
