//! Catch-up: a backlog of changes lies in the source's WAL; how long until its last one is visible on the target?

use whimbrel_tests::{Context, Outcome, ensure, fail, installation::output};

use crate::{
    Size,
    meter::Cost,
    scene::{DATABASE, Scene},
    table::{Case, Series, median},
};

/// The backlogs: a name, what it is, and the script of pgbench (or pgbench's own word for one).
pub(crate) const WORKLOADS: [(&str, &str, Script); 8] = [
    (
        "simple",
        "pgbench -N: one UPDATE, one INSERT a transaction",
        Script::Builtin("simple-update"),
    ),
    (
        "tpcb",
        "pgbench's TPC-B: three UPDATEs, one INSERT a transaction",
        Script::Builtin("tpcb-like"),
    ),
    ("insert", "one INSERT a transaction", Script::Text(include_str!("sql/insert.pgbench"))),
    ("hot", "100 rows that take all the UPDATEs", Script::Text(include_str!("sql/hot.pgbench"))),
    ("wide", "UPDATEs of rows of 40 columns", Script::Text(include_str!("sql/wide.pgbench"))),
    (
        "delete",
        "one DELETE and one INSERT a transaction",
        Script::Text(include_str!("sql/delete.pgbench")),
    ),
    (
        "full",
        "UPDATEs of a table without a key, REPLICA IDENTITY FULL",
        Script::Text(include_str!("sql/full.pgbench")),
    ),
    (
        "large",
        "one transaction of many rows, again and again",
        Script::Text(include_str!("sql/large.pgbench")),
    ),
];

/// Where a backlog comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Script {
    Builtin(&'static str),
    Text(&'static str),
}

/// Who takes part. All slots are there before the load; each replays the same WAL.
const CONTENDERS: [&str; 3] = ["whimbrel", "native", "decode only"];

/// The copy that native logical replication writes to, on the same target server.
const NATIVE: &str = "native";

/// Longer than a running stream takes to acknowledge.
const SETTLE_PAUSE: std::time::Duration = std::time::Duration::from_millis(1_500);

/// Tables, slots and a subscription; the migration is following.
fn prepare(scene: &mut Scene, size: Size) -> Outcome<String> {
    let (source, target) = (&scene.stage.source, &scene.stage.target);
    source.psql("postgres", "drop database if exists app with (force)")?;
    source.create_database(DATABASE)?;
    let mut pgbench = source.client("pgbench", DATABASE)?;
    output(pgbench.args(["-i", "-q", "-s", &size.pick(5, 20).to_string()]))?;
    source.psql(DATABASE, include_str!("sql/follow.sql"))?;
    source.psql(DATABASE, "create publication bench for all tables")?;
    for slot in ["bench_native", "bench_decode"] {
        let sql = format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        source.psql(DATABASE, &sql)?;
    }
    target.psql("postgres", "drop database if exists app with (force)")?;
    target.create_database(NATIVE)?;
    let mut command = scene.client_command("bash")?;
    command.args(["-c", "pg_dump -d \"$SOURCE\" | psql -Xq -v ON_ERROR_STOP=1 -d \"$NATIVE\""]);
    output(command.env("NATIVE", scene.stage.target.url(NATIVE)))?;
    let subscribe = format!(
        "create subscription bench connection '{}' publication bench \
         with (slot_name = bench_native, create_slot = false, copy_data = false, enabled = false)",
        scene.stage.source.url(DATABASE)
    );
    scene.stage.target.psql(NATIVE, &subscribe)?;
    let name = scene.create(&["--mode", "online"])?;
    scene.wait_for(&name, "WaitingForCutoverTrigger")?;
    // Each run resumes it, and pauses it again.
    scene.stage.migration("pause", &name, &[])?;
    Ok(name)
}

/// All workloads that are wanted, on one set of slots.
pub(crate) fn run(scene: &mut Scene, wanted: &[&str], size: Size) -> Outcome<Vec<Case>> {
    let migration = prepare(scene, size)?;
    let mut cases = Vec::new();
    for (name, about, script) in WORKLOADS {
        if wanted.contains(&name) {
            cases.push(case(scene, &migration, (name, about, script), size)?);
        }
    }
    check(scene)?;
    scene.cancel(&migration)?;
    tear_down(scene)?;
    Ok(cases)
}

fn case(
    scene: &Scene,
    migration: &str,
    (name, about, script): (&str, &str, Script),
    size: Size,
) -> Outcome<Case> {
    let mut series: Vec<Series> = CONTENDERS
        .iter()
        .map(|contender| Series { contender, runs: Vec::new(), note: String::new() })
        .collect();
    let transactions = transactions(name, size);
    for round in 0..size.rounds() {
        let marker = backlog(scene, script, transactions)?;
        for turn in 0..CONTENDERS.len() {
            let at = (turn + round) % CONTENDERS.len();
            let cost = replay(scene, CONTENDERS[at], migration, &marker)?;
            eprintln!("follow-{name}: {} {:.2} s", CONTENDERS[at], cost.wall);
            series[at].runs.push(cost);
        }
    }
    for one in &mut series {
        let walls: Vec<f64> = one.runs.iter().map(|cost| cost.wall).collect();
        one.note = format!("{:.0} tx/s", f64::from(transactions) / median(&walls));
    }
    let about = format!("A backlog of {transactions} transactions: {about}.");
    Ok(Case { name: format!("follow-{name}"), about, series })
}

fn transactions(name: &str, size: Size) -> u32 {
    match name {
        "large" => 8,
        "full" | "wide" => size.pick(20_000, 100_000),
        _ => size.pick(40_000, 400_000),
    }
}

/// The last commit of a backlog.
struct Marker {
    id: String,
    lsn: String,
}

/// Writes a backlog while nobody reads, and a marker row behind it.
fn backlog(scene: &Scene, script: Script, transactions: u32) -> Outcome<Marker> {
    const CLIENTS: u32 = 4;
    let source = &scene.stage.source;
    let file = tempfile::NamedTempFile::new()?;
    let mut pgbench = source.client("pgbench", DATABASE)?;
    pgbench.env("PGOPTIONS", "-c synchronous_commit=off");
    let each = (transactions / CLIENTS).max(1).to_string();
    pgbench.args(["-n", "-c", &CLIENTS.to_string(), "-t", &each]);
    match script {
        Script::Builtin(name) => pgbench.args(["-b", name]),
        Script::Text(text) => {
            std::fs::write(file.path(), text)?;
            pgbench.arg("-f").arg(file.path())
        }
    };
    output(&mut pgbench)?;
    let id = source.psql(DATABASE, "insert into marker default values returning id")?;
    let lsn = source.psql(DATABASE, "select pg_current_wal_lsn()")?;
    for server in [source, &scene.stage.target] {
        server.psql("postgres", "checkpoint")?;
    }
    Ok(Marker { id, lsn })
}

fn replay(scene: &Scene, contender: &str, migration: &str, marker: &Marker) -> Outcome<Cost> {
    let arrived = format!("select exists (select from marker where id = {})", marker.id);
    let target = &scene.stage.target;
    let meter = scene.meter(contender == "whimbrel")?;
    match contender {
        "whimbrel" => {
            scene.stage.migration("resume", migration, &[])?;
            Scene::until(target, DATABASE, &arrived)?;
        }
        "native" => {
            target.psql(NATIVE, "alter subscription bench enable")?;
            Scene::until(target, NATIVE, &arrived)?;
        }
        _ => decode(scene, &marker.lsn)?,
    }
    let cost = meter.end()?;
    settle(scene, contender, marker)?;
    match contender {
        "whimbrel" => scene.stage.migration("pause", migration, &[]).map(drop)?,
        "native" => quiet_native(scene)?,
        _ => {}
    }
    Ok(cost)
}

/// Where decoding begins again (`restart_lsn`) follows what was acknowledged a record of running transactions at a time, and
/// a reader that is stopped at once leaves it at the begin of what it has read: the next run would decode all of that once
/// more, and time it. So each reader goes on until its slot begins where the next backlog does.
fn settle(scene: &Scene, contender: &str, marker: &Marker) -> Outcome {
    /// A checkpoint writes one such record; a slot needs two of them, or three.
    const TRIES: u32 = 50;
    let source = &scene.stage.source;
    let slot = match contender {
        "native" => "bench_native",
        "whimbrel" => "whimbrel%",
        _ => "bench_decode",
    };
    let settled = format!(
        "select bool_and(restart_lsn >= '{}') from pg_replication_slots \
         where slot_name like '{slot}' and database = '{DATABASE}'",
        marker.lsn
    );
    for _ in 0..TRIES {
        source.psql("postgres", "checkpoint")?;
        source.psql(DATABASE, "select pg_logical_emit_message(true, 'bench', 'settle')")?;
        if slot == "bench_decode" {
            decode(scene, &source.psql(DATABASE, "select pg_current_wal_lsn()")?)?;
        } else {
            std::thread::sleep(SETTLE_PAUSE);
        }
        if source.psql(DATABASE, &settled)? == "t" {
            return Ok(());
        }
    }
    fail!("the slot {slot} does not come to {}", marker.lsn)
}

/// Its slot must be free of it before the next load.
fn quiet_native(scene: &Scene) -> Outcome {
    scene.stage.target.psql(NATIVE, "alter subscription bench disable")?;
    let idle = "select not active from pg_replication_slots where slot_name = 'bench_native'";
    Scene::until(&scene.stage.source, "postgres", idle)
}

/// The same slot's WAL, decoded into nothing: the limit of what any apply can do.
fn decode(scene: &Scene, until: &str) -> Outcome {
    let mut command = scene.stage.source.client("pg_recvlogical", DATABASE)?;
    command.args(["--slot", "bench_decode", "--start", "--no-loop", "-f", "/dev/null"]);
    command.args(["--endpos", until, "-o", "proto_version=1", "-o", "publication_names=bench"]);
    output(&mut command).map(drop).context(|| "pg_recvlogical")
}

/// What was followed must be equal: a fast stream that loses a row is none.
fn check(scene: &Scene) -> Outcome {
    let sql = include_str!("sql/sums.sql");
    let (source, target) = (&scene.stage.source, &scene.stage.target);
    let there = source.psql(DATABASE, sql)?;
    for database in [DATABASE, NATIVE] {
        let here = target.psql(database, sql)?;
        ensure!(there == here, "{database} differs:\n{there}\nthere, here\n{here}");
    }
    Ok(())
}

fn tear_down(scene: &Scene) -> Outcome {
    let drop = "alter subscription bench disable; alter subscription bench set (slot_name = none); drop subscription bench";
    for statement in drop.split("; ") {
        scene.stage.target.psql(NATIVE, statement)?;
    }
    scene.stage.target.psql("postgres", "drop database native with (force)")?;
    let slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like 'bench%'";
    scene.stage.source.psql(DATABASE, slots).map(std::mem::drop)?;
    Ok(())
}
