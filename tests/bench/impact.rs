//! Impact on the source: an application's throughput while its database is copied and followed, by what it is alone.
use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use whimbrel_tests::{Context, Outcome, installation::output};

use crate::{
    Size,
    scene::{DATABASE, Scene},
    table::median,
};

/// Who is measured, the application alone first.
const CONTENDERS: [&str; 3] = ["alone", "whimbrel", "native"];

/// The application's connections: enough to keep two cores busy, few enough not to wait for each other.
const CLIENTS: &str = "4";

/// Before anything is counted: connections are made and the first pages are read.
const WARM_UP: Duration = Duration::from_secs(2);

/// The load ends when it is stopped; this only bounds one that is forgotten.
const LOAD_SECONDS: &str = "1800";

/// Native replication's copy, on the same target server.
const NATIVE: &str = "native";

/// What one run came to: the application's transactions a second during the copy and behind it, and the copy's seconds.
struct Figures {
    copying: f64,
    following: f64,
    seconds: f64,
}

/// The report's lines.
pub(crate) fn run(scene: &mut Scene, size: Size) -> Outcome<String> {
    prepare(scene, size)?;
    let mut runs: Vec<Vec<Figures>> = CONTENDERS.iter().map(|_| Vec::new()).collect();
    for round in 0..size.rounds() {
        for turn in 0..CONTENDERS.len() {
            let at = (turn + round) % CONTENDERS.len();
            let figures = one(scene, CONTENDERS[at], size)?;
            eprintln!(
                "impact: {} {:.0} tx/s, then {:.0} tx/s",
                CONTENDERS[at], figures.copying, figures.following
            );
            runs[at].push(figures);
        }
    }
    Ok(render(&runs))
}

fn render(runs: &[Vec<Figures>]) -> String {
    let of = |at: usize, what: fn(&Figures) -> f64| -> f64 {
        median(&runs[at].iter().map(what).collect::<Vec<_>>())
    };
    let (copying, following) = (of(0, |f| f.copying), of(0, |f| f.following));
    let mut text = String::from(
        "| | copy s | tx/s while copied | by alone | tx/s while followed | by alone |\n|---|---|---|---|---|---|\n",
    );
    for (at, contender) in CONTENDERS.iter().enumerate() {
        let (copied, followed) = (of(at, |f| f.copying), of(at, |f| f.following));
        text += &format!(
            "| {contender} | {:.1} | {copied:.0} | {:.2} | {followed:.0} | {:.2} |\n",
            of(at, |f| f.seconds),
            copied / copying,
            followed / following
        );
    }
    text
}

fn prepare(scene: &Scene, size: Size) -> Outcome {
    let source = &scene.stage.source;
    source.psql("postgres", "drop database if exists app with (force)")?;
    source.create_database(DATABASE)?;
    let scale = size.pick(10, 100).to_string();
    output(source.client("pgbench", DATABASE)?.args(["-i", "-q", "-s", &scale]))?;
    source.psql(DATABASE, "alter table pgbench_history add column id bigserial primary key")?;
    source.psql(DATABASE, "create publication bench for all tables").map(drop)
}

/// A running application; dropped, it is stopped.
struct Load(Child);

impl Load {
    fn begin(scene: &Scene) -> Outcome<Self> {
        let mut load = scene.stage.source.client("pgbench", DATABASE)?;
        load.args(["-n", "-N", "-c", CLIENTS, "-T", LOAD_SECONDS]);
        let load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let load = Self(load.context(|| "start pgbench")?);
        thread::sleep(WARM_UP);
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // One that has ended by itself can't be killed, and need not be.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn one(scene: &mut Scene, contender: &str, size: Size) -> Outcome<Figures> {
    scene.level()?;
    scene.stage.target.psql("postgres", "drop database if exists native with (force)")?;
    let window = Duration::from_secs(size.pick(5, 20).into());
    if contender == NATIVE {
        native_schema(scene)?;
    }
    let load = Load::begin(scene)?;
    let (begun, before) = (Instant::now(), commits(scene)?);
    let migration = match contender {
        "whimbrel" => Some(copy_ours(scene)?),
        NATIVE => copy_native(scene).map(|()| None)?,
        _ => {
            thread::sleep(window);
            None
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let copying = (commits(scene)? - before) / seconds;
    let (begun, before) = (Instant::now(), commits(scene)?);
    thread::sleep(window);
    let following = (commits(scene)? - before) / begun.elapsed().as_secs_f64();
    drop(load);
    match (migration, contender) {
        (Some(name), _) => scene.cancel(&name)?,
        (None, NATIVE) => {
            scene.stage.target.psql(NATIVE, "drop subscription bench")?;
        }
        _ => {}
    }
    Ok(Figures { copying, following, seconds })
}

/// Transactions of the application so far: each writes a line of history. The server's own statistics come in late.
fn commits(scene: &Scene) -> Outcome<f64> {
    let count =
        scene.stage.source.psql(DATABASE, "select last_value from pgbench_history_id_seq")?;
    count.parse().context(|| format!("read a count from {count:?}"))
}

fn copy_ours(scene: &mut Scene) -> Outcome<String> {
    let name = scene.create(&["--mode", "online"])?;
    // Under this load it need not come close to the source: that it follows is enough.
    let follows = "select exists (select from pg_stat_activity where application_name like 'whimbrel/apply%')";
    Scene::until(&scene.stage.target, "postgres", follows)?;
    Ok(name)
}

fn native_schema(scene: &Scene) -> Outcome {
    scene.stage.target.create_database(NATIVE)?;
    let mut command = scene.client_command("bash")?;
    let script = "pg_dump --schema-only --no-publications -d \"$SOURCE\" | psql -Xq -v ON_ERROR_STOP=1 -d \"$NATIVE\"";
    output(command.args(["-c", script]).env("NATIVE", scene.stage.target.url(NATIVE))).map(drop)
}

fn copy_native(scene: &Scene) -> Outcome {
    let subscribe = format!(
        "create subscription bench connection '{}' publication bench",
        scene.stage.source.url(DATABASE)
    );
    scene.stage.target.psql(NATIVE, &subscribe)?;
    let copied =
        "select not exists (select from pg_subscription_rel where srsubstate in ('i', 'd'))";
    Scene::until(&scene.stage.target, NATIVE, copied)
}
