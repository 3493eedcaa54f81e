//! Live bars on a terminal: the migration, each database, and the tables that are being loaded, a bounded number.
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use whimbrel_proto::v1::{TableProgress, WatchMigrationResponse, table_progress::State};

use super::lines::doing;
use crate::{
    render::{bytes, event::Event, migration::Migration, next::next, table::percent},
    screen::safe,
};

/// More table bars than this push the databases off a small screen.
const TABLES_MAX: usize = 8;

/// Bars for as many databases; a page of bars is not read anyway, and `show` has them all.
const DATABASES_MAX: usize = 12;

/// Parts of a bar: a tenth of a percent each.
const BAR_LENGTH: u64 = 1000;

/// Frames a second: bars that move, without filling a slow line.
const FRAMES_PER_SECOND: u8 = 5;

/// The bars that are on the screen.
pub(super) struct Bars {
    multi: MultiProgress,
    head: ProgressBar,
    databases: BTreeMap<String, ProgressBar>,
    tables: BTreeMap<String, ProgressBar>,
    /// Newest progress of each table that is being loaded.
    loading: BTreeMap<String, TableProgress>,
    foot: ProgressBar,
}

impl Default for Bars {
    fn default() -> Self {
        let target = ProgressDrawTarget::stdout_with_hz(FRAMES_PER_SECOND);
        let multi = MultiProgress::with_draw_target(target);
        let head = multi.add(text_line());
        let foot = multi.add(text_line());
        let (databases, tables, loading) = <_>::default();
        Self { multi, head, databases, tables, loading, foot }
    }
}

impl Bars {
    /// Draws what is new.
    pub(super) fn show(
        &mut self,
        response: &WatchMigrationResponse,
        migration: &Migration,
    ) -> io::Result<()> {
        for event in &response.events {
            self.multi.println(safe(&Event::from(event).line()))?;
        }
        self.head.set_message(format!("{}: {}", migration.name, migration.where_it_is()));
        for (name, database) in migration.databases().iter().take(DATABASES_MAX) {
            let (multi, foot) = (&self.multi, &self.foot);
            let bar = self
                .databases
                .entry(name.clone())
                .or_insert_with(|| multi.insert_before(foot, bar(name)));
            bar.set_position(position(database.percent));
            bar.set_message(safe(&doing(database)));
        }
        if migration.databases().values().all(|database| database.streams) {
            // The copy is over; a table's last word may have been coalesced away.
            self.loading.clear();
        }
        self.show_tables(&response.tables);
        let next = next(migration).filter(|next| !next.contains("migration watch"));
        self.foot.set_message(next.map(|next| format!("next: {next}")).unwrap_or_default());
        Ok(())
    }

    /// Only the newest state of a table comes, so those that were loading are kept until they are not.
    fn show_tables(&mut self, tables: &[TableProgress]) {
        for table in tables {
            let name = format!("{}.{}", table.schema, table.table);
            // With one database its name would only push the table's off the screen.
            let name =
                if self.databases.len() > 1 { format!("{}: {name}", table.database) } else { name };
            match table.state() {
                State::Loading | State::Indexing => self.loading.insert(name, table.clone()),
                _ => self.loading.remove(&name),
            };
        }
        let on_screen: BTreeSet<_> = self.loading.keys().take(TABLES_MAX).cloned().collect();
        self.tables.retain(|name, bar| {
            let stays = on_screen.contains(name);
            if !stays {
                self.multi.remove(bar);
            }
            stays
        });
        for name in on_screen {
            let Some(table) = self.loading.get(&name) else { continue };
            let (multi, foot) = (&self.multi, &self.foot);
            let bar = self
                .tables
                .entry(name.clone())
                .or_insert_with(|| multi.insert_before(foot, bar(&format!("  {name}"))));
            bar.set_position(position(percent(table)));
            bar.set_message(describe_table(table));
        }
    }

    /// Takes the bars off the screen.
    pub(super) fn clear(&self) -> io::Result<()> {
        let bars = self.databases.values().chain(self.tables.values());
        // Each by itself too: a bar that is not finished draws itself once more when it is dropped.
        bars.chain([&self.head, &self.foot]).for_each(ProgressBar::finish_and_clear);
        self.multi.clear()
    }
}

fn describe_table(table: &TableProgress) -> String {
    if table.state() == State::Indexing {
        return format!("{} rows, building keys and indexes", table.copied_rows);
    }
    let (copied, total) = (bytes(table.copied_bytes), bytes(table.total_bytes));
    format!("{copied} of {total}, {} rows", table.copied_rows)
}

fn position(percent: f64) -> u64 {
    // Clamped to 0..=1000 first; NaN becomes 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let position = (percent.clamp(0.0, 100.0) * 10.0) as u64;
    position
}

fn bar(name: &str) -> ProgressBar {
    let template = "{prefix:32!} [{bar:24}] {percent:>3} % {wide_msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.progress_chars("=> ");
    let bar = ProgressBar::hidden().with_style(style).with_prefix(safe(name));
    bar.set_length(BAR_LENGTH);
    bar
}

fn text_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::hidden().with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, state: State) -> TableProgress {
        TableProgress { table: name.into(), state: state.into(), ..<_>::default() }
    }

    #[test]
    fn only_so_many_tables_are_on_the_screen_and_done_ones_go() {
        let mut bars = Bars::default();
        let many: Vec<_> = (0..30).map(|n| table(&format!("t{n:02}"), State::Loading)).collect();
        bars.show_tables(&many);
        assert_eq!((bars.tables.len(), bars.loading.len()), (TABLES_MAX, 30));
        let done: Vec<_> = (0..29).map(|n| table(&format!("t{n:02}"), State::Completed)).collect();
        bars.show_tables(&done);
        assert_eq!(bars.tables.keys().collect::<Vec<_>>(), [".t29"]);
    }

    #[test]
    fn the_templates_can_be_drawn() {
        for template in ["{prefix:32!} [{bar:24}] {percent:>3} % {wide_msg}", "{wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn any_percent_has_a_place_on_the_bar() {
        for (percent, expected) in [(0.0, 0), (50.0, 500), (250.0, 1000), (-1.0, 0), (f64::NAN, 0)]
        {
            assert_eq!(position(percent), expected);
        }
    }
}
