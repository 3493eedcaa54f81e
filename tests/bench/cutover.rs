//! Cutover without lag: from the command to `Succeeded`, for many tables and sequences.
use std::time::Instant;

use whimbrel_tests::Outcome;

use crate::{
    Size,
    scene::{DATABASE, Scene},
    table::median,
};

/// The report's lines.
pub(crate) fn run(scene: &mut Scene, size: Size) -> Outcome<String> {
    let count = size.pick(200, 1_000);
    let mut seconds = Vec::new();
    for _ in 0..size.rounds() {
        let source = &scene.stage.source;
        source.psql("postgres", "drop database if exists app with (force)")?;
        source.create_database(DATABASE)?;
        let sql = include_str!("sql/sequences.sql").replace(":count", &count.to_string());
        source.psql(DATABASE, &sql)?;
        scene.level()?;
        let name = scene.create(&["--mode", "online"])?;
        scene.wait_for(&name, "WaitingForCutoverTrigger")?;
        scene.stage.source.psql(DATABASE, "insert into t1 (label) values ('the last one')")?;
        let written = Instant::now();
        scene.stage.migration("cutover", &name, &["--wait"])?;
        seconds.push(written.elapsed().as_secs_f64());
        eprintln!("cutover: {:.3} s", written.elapsed().as_secs_f64());
    }
    let most = seconds.iter().copied().fold(0.0, f64::max);
    Ok(format!(
        "{count} tables with {count} sequences: median {:.3} s, at most {most:.3} s from the last write's commit to `Succeeded`, the CLI's start included.\n",
        median(&seconds)
    ))
}
