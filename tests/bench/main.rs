//! `tests/bench/run`: Whimbrel beside its peers on the same two servers, in one run, alternating. Prints ratios.
mod copy;
mod cutover;
mod fleet;
mod follow;
mod impact;
mod latency;
mod meter;
mod scene;
mod table;

use std::{env, fs, process::ExitCode};

use whimbrel_tests::{Context, Outcome, installation::stdout};

use crate::scene::Scene;

const USAGE: &str = "usage: tests/bench/run [--quick] [--rounds N] [--write] [--list] [CASE]…";

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    quick: bool,
    rounds: usize,
}

impl Size {
    fn pick(self, quick: u32, full: u32) -> u32 {
        if self.quick { quick } else { full }
    }

    fn rounds(self) -> usize {
        self.rounds
    }
}

/// What was asked for.
struct Wanted {
    size: Size,
    write: bool,
    list: bool,
    cases: Vec<String>,
}

impl Wanted {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let size = Size { quick: false, rounds: 0 };
        let mut wanted = Self { size, write: false, list: false, cases: Vec::new() };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => wanted.size.quick = true,
                "--rounds" => wanted.size.rounds = words.next()?.parse().ok()?,
                "--write" => wanted.write = true,
                "--list" => wanted.list = true,
                option if option.starts_with('-') => return None,
                _ => wanted.cases.push(word),
            }
        }
        if wanted.size.rounds == 0 {
            wanted.size.rounds = if wanted.size.quick { 1 } else { 3 };
        }
        Some(wanted)
    }

    fn has(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| case.starts_with(wanted.as_str()))
    }
}

fn main() -> ExitCode {
    let Some(wanted) = Wanted::read(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if wanted.list {
        all_cases().iter().for_each(|case| println!("{case}"));
        return ExitCode::SUCCESS;
    }
    match measure(&wanted).and_then(|report| publish(&report, wanted.write)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn all_cases() -> Vec<String> {
    let mut cases: Vec<String> =
        copy::WORKLOADS.iter().map(|workload| format!("copy-{workload}")).collect();
    cases.extend(follow::WORKLOADS.iter().map(|(name, ..)| format!("follow-{name}")));
    cases.extend(["latency", "cutover", "fleet", "impact"].map(str::to_owned));
    cases
}

fn measure(wanted: &Wanted) -> Outcome<String> {
    let mut scene = Scene::set_up()?;
    let mut report = heading(&scene, wanted.size)?;
    for workload in copy::WORKLOADS {
        if wanted.has(&format!("copy-{workload}")) {
            report += &format!("\n{}", copy::run(&mut scene, workload, wanted.size)?.render());
        }
    }
    let follow: Vec<&str> = follow::WORKLOADS
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| wanted.has(&format!("follow-{name}")))
        .collect();
    if !follow.is_empty() {
        for case in follow::run(&mut scene, &follow, wanted.size)? {
            report += &format!("\n{}", case.render());
        }
    }
    if wanted.has("latency") {
        let lines = latency::run(&mut scene, wanted.size)?;
        report += &format!(
            "\n### latency\n\nFrom commit on the source to sight on the target.\n\n{lines}"
        );
    }
    if wanted.has("cutover") {
        report += &format!("\n### cutover\n\n{}", cutover::run(&mut scene, wanted.size)?);
    }
    if wanted.has("fleet") {
        report += &format!("\n### fleet\n\nThe controller alone. {}", fleet::run(wanted.size)?);
    }
    if wanted.has("impact") {
        let lines = impact::run(&mut scene, wanted.size)?;
        report += &format!(
            "\n### impact\n\nThe application's throughput (pgbench -N, 4 connections, as fast as it can) while its database is copied and followed.\n\n{lines}"
        );
    }
    Ok(report)
}

/// The machine and the versions.
fn heading(scene: &Scene, size: Size) -> Outcome<String> {
    let sh = |script: &str| -> Outcome<String> {
        let mut command = scene.client_command("sh")?;
        Ok(stdout(command.args(["-c", script]))?.trim().to_owned())
    };
    let cores = sh("nproc")?;
    let model = sh("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1")?;
    let memory = sh("sed -n 's/^MemTotal: *//p' /proc/meminfo")?;
    let server = scene.stage.source.psql("postgres", "show server_version")?;
    let pgcopydb = sh(
        "command -v pgcopydb >/dev/null && pgcopydb --version 2>/dev/null | head -n 1 || echo 'no pgcopydb'",
    )?;
    let date = sh("date -u +%F")?;
    let (kind, rounds) = (if size.quick { "quick" } else { "full" }, size.rounds);
    Ok(format!(
        "# Results\n\n{date}; {cores} cores ({model}), {memory}; PostgreSQL {server} on both sides; {pgcopydb}. \
         {kind}, {rounds} round(s), contenders alternating.\n\n`ratio` is Whimbrel's median by the contender's: below 1, Whimbrel is \
         faster. Whimbrel's times include the CLI, the controller and its checks.\n"
    ))
}

fn publish(report: &str, write: bool) -> Outcome {
    println!("{report}");
    if write {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/RESULTS.md");
        fs::write(path, report).context(|| format!("write {path}"))?;
    }
    Ok(())
}
