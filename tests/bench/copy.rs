//! Base copy: a whole database with its indexes, keys and statistics.
use whimbrel_tests::{Outcome, ensure, installation::output};

use crate::{
    Size,
    meter::Cost,
    scene::{DATABASE, Scene},
    table::{Case, Series},
};

/// What is copied.
pub(crate) const WORKLOADS: [&str; 4] = ["few", "many", "wide", "keys"];

const FLOOR: &str = include_str!("peers/floor.sh");
const PG_DUMP: &str = include_str!("peers/pg_dump.sh");
const PGCOPYDB: &str = include_str!("peers/pgcopydb.sh");

/// Makes a workload's database on the source; says what it is.
fn fill(scene: &Scene, workload: &str, size: Size) -> Outcome<String> {
    let source = &scene.stage.source;
    source.psql("postgres", "drop database if exists app with (force)")?;
    source.create_database(DATABASE)?;
    let about = match workload {
        "few" => {
            let scale = size.pick(10, 100).to_string();
            let mut pgbench = source.client("pgbench", DATABASE)?;
            output(pgbench.args(["-i", "-q", "--foreign-keys", "-s", &scale]))?;
            format!("Few large tables: pgbench, scale {scale}, with foreign keys.")
        }
        "many" => {
            let count = size.pick(500, 2_000);
            let sql = include_str!("sql/many.sql").replace(":count", &count.to_string());
            source.psql(DATABASE, &sql)?;
            format!(
                "{count} tables with a key and an index, nine of ten empty, the rest with 1,000 rows."
            )
        }
        "keys" => {
            let rows = size.pick(200_000, 2_000_000);
            let sql = include_str!("sql/keys.sql").replace(":rows", &rows.to_string());
            source.psql(DATABASE, &sql)?;
            format!("Four tables of {rows} rows each, with seven foreign keys between them.")
        }
        _ => {
            let rows = size.pick(300_000, 3_000_000);
            let sql = include_str!("sql/wide.sql").replace(":rows", &rows.to_string());
            source.psql(DATABASE, &sql)?;
            format!(
                "One table of {rows} rows with text, jsonb, numeric, timestamps and arrays, a key and four indexes."
            )
        }
    };
    source.psql(DATABASE, "vacuum analyze")?;
    Ok(about)
}

/// One case: all contenders, alternating.
pub(crate) fn run(scene: &mut Scene, workload: &str, size: Size) -> Outcome<Case> {
    let about = fill(scene, workload, size)?;
    let mut contenders = vec!["whimbrel (offline)", "whimbrel (online)", "pg_dump", "floor"];
    if Scene::has("pgcopydb") {
        contenders.push("pgcopydb");
    }
    let mut series: Vec<Series> = contenders
        .iter()
        .map(|contender| Series { contender, runs: Vec::new(), note: String::new() })
        .collect();
    // Not measured: the target makes its WAL files the first time, and takes them again later. Whoever came first paid for all.
    scene.level()?;
    scene.peer(PG_DUMP)?;
    let count = series.len();
    for round in 0..size.rounds() {
        for turn in 0..count {
            // Every round begins with another one.
            let at = (turn + round) % count;
            scene.level()?;
            let cost = one(scene, contenders[at])?;
            series[at].runs.push(cost);
            eprintln!("copy-{workload}: {} {:.2} s", contenders[at], cost.wall);
        }
    }
    Ok(Case { name: format!("copy-{workload}"), about, series })
}

fn one(scene: &mut Scene, contender: &str) -> Outcome<Cost> {
    let meter = scene.meter(contender.starts_with("whimbrel"))?;
    let mut online = None;
    match contender {
        "whimbrel (offline)" => {
            let name = scene.create(&["--mode", "offline"])?;
            scene.wait_for(&name, "Succeeded")?;
        }
        "whimbrel (online)" => {
            let name = scene.create(&["--mode", "online"])?;
            scene.wait_for(&name, "WaitingForCutoverTrigger")?;
            online = Some(name);
        }
        "pg_dump" => scene.peer(PG_DUMP)?,
        "floor" => scene.peer(FLOOR)?,
        _ => scene.peer(PGCOPYDB)?,
    }
    let cost = meter.end()?;
    check(scene)?;
    if let Some(name) = online {
        scene.cancel(&name)?;
    }
    Ok(cost)
}

/// Rows and indexes must be there, whoever copied them: a fast copy of half a database is none.
fn check(scene: &Scene) -> Outcome {
    let sql = include_str!("sql/contents.sql");
    let there = scene.stage.source.psql(DATABASE, sql)?;
    let here = scene.stage.target.psql(DATABASE, sql)?;
    ensure!(there == here, "the copy differs:\n{there}\nthere, here\n{here}");
    Ok(())
}
