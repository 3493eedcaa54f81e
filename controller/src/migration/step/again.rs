//! Tables that are left out, and that are copied again: one by one, or all that need it under a new slot.
use super::{
    super::{
        event::Failure,
        hold::HoldKind,
        phase::DatabasePhase,
        record::{CopyAgain, HeldTable},
        refusal::Refusal,
    },
    Work,
};

/// Held tables that are remembered by name: past it something is wrong with all of them.
const HELD_MAX: usize = 1_000;

/// Requests that wait for a receiver. Each restarts it, so there is one mostly; past it they become one for all.
const REQUESTS_MAX: usize = 16;

impl Work {
    pub(super) fn table_held(&mut self, index: usize, table: &str, failure: &Failure) {
        let (name, since) = (self.name(index), self.now);
        self.note_failure(&name, "TableHeld", failure);
        let Failure { code, message, .. } = failure.clone();
        let database = self.database(index);
        database.held_tables.retain(|held| held.table != table);
        if database.held_tables.len() < HELD_MAX {
            database.held_tables.push(HeldTable { table: table.to_owned(), code, message, since });
        }
    }

    /// `retry --table`.
    pub(super) fn copy_tables_again(
        &mut self,
        databases: &[String],
        tables: &[String],
    ) -> Result<(), Refusal> {
        let chosen = self.select_live(databases)?;
        let [index] = chosen[..] else {
            let message = "tables are copied again of one database: name it with --database";
            return Err(self.refuse("DatabaseNeeded", message));
        };
        let name = self.name(index);
        let database = &self.migration.databases[index];
        let (code, why) = match database.phase() {
            _ if self.is_held(index, HoldKind::Paused) => {
                ("DatabasePaused", "is paused: resume it first")
            }
            DatabasePhase::CuttingOver(_) => ("CutoverRunning", "is being cut over"),
            DatabasePhase::Streaming | DatabasePhase::Ready => ("", ""),
            // What was asked for before is under way, or held (a name that no table has): this comes behind it.
            DatabasePhase::Copying if !database.copy_again.is_empty() => ("", ""),
            _ => ("NotStreaming", "has no change stream yet, or no more"),
        };
        if !code.is_empty() {
            return Err(self.refuse(code, format!("database {name} {why}")));
        }
        self.note(&name, "CopyAgainRequested", tables.join(", "));
        self.database(index).held_tables.retain(|held| !tables.contains(&held.table));
        self.request(index, tables.to_vec(), false)?;
        self.restart(index);
        Ok(())
    }

    /// What a retry must bring back beside the tasks: the slot that is lost, the tables that are held.
    pub(super) fn ask_for_what_is_held(&mut self, index: usize) -> Result<(), Refusal> {
        if self.is_held(index, HoldKind::NeedsResync) {
            self.database(index).held_tables.clear();
            return self.request(index, Vec::new(), true);
        }
        if !self.migration.databases[index].held_tables.is_empty() {
            self.database(index).held_tables.clear();
            return self.request(index, Vec::new(), false);
        }
        Ok(())
    }

    /// The database is being copied from here on, until its stream flows again.
    fn request(
        &mut self,
        index: usize,
        tables: Vec<String>,
        new_slot: bool,
    ) -> Result<(), Refusal> {
        let phase = self.migration.databases[index].phase();
        if matches!(phase, DatabasePhase::Streaming | DatabasePhase::Ready) {
            self.enter_database(index, DatabasePhase::Copying)?;
            self.database(index).copied = false;
        }
        let database = self.database(index);
        database.copies_again += 1;
        let number = database.copies_again;
        if database.copy_again.len() >= REQUESTS_MAX {
            let new_slot = new_slot || database.copy_again.iter().any(|request| request.new_slot);
            let mut all: Vec<String> =
                database.copy_again.drain(..).flat_map(|request| request.tables).collect();
            all.extend(tables);
            all.sort();
            all.dedup();
            database.copy_again.push(CopyAgain { number, tables: all, new_slot });
            return Ok(());
        }
        database.copy_again.push(CopyAgain { number, tables, new_slot });
        Ok(())
    }
}
