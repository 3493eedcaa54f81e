//! What a run costs: seconds of the clock, seconds of processors, bytes of memory. All of it is read from `/proc`.
use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use whimbrel_tests::{Context, Failure, Outcome};

/// The kernel counts processor time in hundredths of a second (`getconf CLK_TCK`, on Linux always).
const TICKS_PER_SECOND: f64 = 100.0;

/// How often memory is looked at: a peak that is shorter than this is missed.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Processor seconds of the tool's processes.
    pub(crate) tool: f64,
    /// Processor seconds of the source server and of the target server.
    pub(crate) servers: [f64; 2],
    /// The most memory that the tool's processes held together, in bytes (proportional set size).
    pub(crate) memory: u64,
}

/// A running measurement.
pub(crate) struct Meter {
    begun: Instant,
    servers: [u32; 2],
    daemons: Vec<u32>,
    before: (f64, [f64; 2]),
    sampler: Sampler,
}

impl Meter {
    /// Begins. `servers`: the postmasters; `daemons`: the tool's processes that run already. Whatever else we start
    /// counts to the tool as well.
    pub(crate) fn begin(servers: [u32; 2], daemons: &[u32]) -> Outcome<Self> {
        let before = (tool_seconds(daemons)?, each_server(servers)?);
        let sampler = Sampler::begin(daemons);
        Ok(Self { begun: Instant::now(), servers, daemons: daemons.to_vec(), before, sampler })
    }

    /// Ends it.
    pub(crate) fn end(self) -> Outcome<Cost> {
        let wall = self.begun.elapsed().as_secs_f64();
        let memory = self.sampler.end();
        let servers = each_server(self.servers)?;
        Ok(Cost {
            wall,
            tool: tool_seconds(&self.daemons)? - self.before.0,
            servers: [servers[0] - self.before.1[0], servers[1] - self.before.1[1]],
            memory,
        })
    }
}

fn each_server(servers: [u32; 2]) -> Outcome<[f64; 2]> {
    Ok([server_seconds(servers[0])?, server_seconds(servers[1])?])
}

/// Processor seconds of one process.
pub(crate) fn seconds_of(pid: u32) -> Outcome<f64> {
    Ok(Process::read(&pid.to_string())?.seconds)
}

/// The daemons', and of every child of ours that was waited for.
fn tool_seconds(daemons: &[u32]) -> Outcome<f64> {
    let mut seconds = Process::read("self")?.children_seconds;
    for pid in daemons {
        let process = Process::read(&pid.to_string())?;
        seconds += process.seconds + process.children_seconds;
    }
    Ok(seconds)
}

/// The postmaster's, its living children's, and those that it has waited for.
fn server_seconds(postmaster: u32) -> Outcome<f64> {
    let process = Process::read(&postmaster.to_string())?;
    let children: f64 = all_processes()
        .values()
        .filter(|child| child.parent == postmaster)
        .map(|child| child.seconds)
        .sum();
    Ok(process.seconds + process.children_seconds + children)
}

/// One line of `/proc/PID/stat` (proc(5)).
#[derive(Debug, Clone, Copy)]
struct Process {
    parent: u32,
    seconds: f64,
    children_seconds: f64,
}

impl Process {
    fn read(pid: &str) -> Outcome<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).context(|| format!("read {path}"))?;
        Self::parse(&text).ok_or_else(|| Failure::new(format!("{path} is not as proc(5) says")))
    }

    fn parse(text: &str) -> Option<Self> {
        // The name is in parentheses and may hold any character.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| -> Option<f64> { fields.get(at)?.parse().ok() };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            children_seconds: (ticks(13)? + ticks(14)?) / TICKS_PER_SECOND,
        })
    }
}

/// Processes come and go while we look: one that is gone is left out.
fn all_processes() -> HashMap<u32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, Process::read(&pid.to_string()).ok()?))
        })
        .collect()
}

/// Looks at the memory of the tool's processes, in a thread of its own.
struct Sampler {
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Sampler {
    fn begin(daemons: &[u32]) -> Self {
        let (stop, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let shared = (Arc::clone(&stop), Arc::clone(&peak));
        let daemons = daemons.to_vec();
        // What runs beside us already (other servers' guardians, a load) is not the tool's.
        let others = family(std::process::id());
        let thread = thread::spawn(move || {
            while !shared.0.load(Ordering::Relaxed) {
                let mut tool = family(std::process::id());
                let counted = |pid: &u32| others.contains(pid) || daemons.contains(pid);
                tool.retain(|pid| *pid != std::process::id() && !counted(pid));
                let held = tool.into_iter().chain(daemons.iter().copied()).map(memory).sum();
                shared.1.fetch_max(held, Ordering::Relaxed);
                thread::sleep(SAMPLE_EVERY);
            }
        });
        Self { stop, peak, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // A sampler that panicked has seen a peak until then; there is nothing else to say of it.
        self.thread.join().ok();
        self.peak.load(Ordering::Relaxed)
    }
}

/// A process and all that come from it.
fn family(root: u32) -> Vec<u32> {
    let processes = all_processes();
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(processes.iter().filter(|(_, p)| p.parent == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// Proportional set size: what is shared is counted once. 0 for one that is gone.
pub(crate) fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    let kilobytes: Option<u64> = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
