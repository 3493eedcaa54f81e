//! Latency: from a commit on the source to the row's being visible on the target, under a steady load.
use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use whimbrel_tests::{Context, Outcome, ensure, installation::output};

use crate::{
    Size,
    scene::{DATABASE, Scene},
    table::percentile,
};

/// Transactions a second of the load beside the rows that are timed.
pub(crate) const RATES: [u32; 2] = [500, 2_000];

/// A timed row this often; each is awaited before the next, so it is a bound, not a rate.
const EVERY: Duration = Duration::from_millis(20);

/// How often the target is asked for it: an upper bound of what asking adds.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One line of the report for each rate.
pub(crate) fn run(scene: &mut Scene, size: Size) -> Outcome<String> {
    let source = &scene.stage.source;
    source.psql("postgres", "drop database if exists app with (force)")?;
    source.create_database(DATABASE)?;
    output(source.client("pgbench", DATABASE)?.args(["-i", "-q", "-s", "10"]))?;
    source.psql(DATABASE, "create table beat (id bigint primary key)")?;
    source.psql(DATABASE, "alter table pgbench_history add column id bigserial primary key")?;
    scene.level()?;
    let name = scene.create(&["--mode", "online"])?;
    scene.wait_for(&name, "WaitingForCutoverTrigger")?;
    let mut text = String::from(
        "| load tx/s | rows timed | p50 ms | p90 ms | p99 ms | max ms |\n|---|---|---|---|---|---|\n",
    );
    for rate in RATES {
        let waits = at_rate(scene, rate, Duration::from_secs(size.pick(5, 20).into()))?;
        let row: Vec<String> = [0.5, 0.9, 0.99, 1.0]
            .iter()
            .map(|share| format!("{:.1}", percentile(&waits, *share)))
            .collect();
        text += &format!("| {rate} | {} | {} |\n", waits.len(), row.join(" | "));
        eprintln!("latency at {rate} tx/s: p50, p90, p99, max: {} ms", row.join(", "));
    }
    scene.cancel(&name)?;
    Ok(text)
}

/// Milliseconds from commit to sight of each timed row.
fn at_rate(scene: &Scene, rate: u32, window: Duration) -> Outcome<Vec<f64>> {
    let (source, target) = (&scene.stage.source, &scene.stage.target);
    let mut load = source.client("pgbench", DATABASE)?;
    let seconds = (window.as_secs() + 2).to_string();
    load.args(["-n", "-N", "-c", "8", "-R", &rate.to_string(), "-T", &seconds]);
    let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    thread::sleep(Duration::from_secs(1));
    let (mut here, mut there) = (source.connect(DATABASE)?, target.connect(DATABASE)?);
    let first: i64 = here.query_one("select coalesce(max(id), 0) + 1 from beat", &[])?.get(0);
    let insert = here.prepare("insert into beat values ($1)")?;
    let look = there.prepare("select exists (select from beat where id = $1)")?;
    let (begun, mut waits) = (Instant::now(), Vec::new());
    for id in first.. {
        if begun.elapsed() > window {
            break;
        }
        here.execute(&insert, &[&id])?;
        let committed = Instant::now();
        while !there.query_one(&look, &[&id])?.get::<_, bool>(0) {
            ensure!(committed.elapsed() < Duration::from_secs(30), "a row did not arrive in 30 s");
            thread::sleep(LOOK_EVERY);
        }
        waits.push(committed.elapsed().as_secs_f64() * 1e3);
        thread::sleep(EVERY);
    }
    ensure!(load.wait().context(|| "wait for pgbench")?.success(), "pgbench failed");
    Ok(waits)
}
