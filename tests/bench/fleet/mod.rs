//! The controller alone, with thousands of agents that do nothing but speak, and a store with a long past.
mod agent;
mod host;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet, time::sleep};
use whimbrel_proto::v1::{self, list_migrations_request::Filter};
use whimbrel_tests::{Context, Failure, Outcome, ensure};

use self::{
    agent::{Agent, Seen},
    host::Host,
};
use crate::{
    Size,
    meter::{memory, seconds_of},
};

/// Agents that join or dial at the same time: each costs a handshake on both sides.
const DIALLING: usize = 64;

/// Migrations that are created at the same time.
const CREATING: usize = 16;

/// Three heartbeats: what connecting has left behind is over.
const SETTLE: Duration = Duration::from_secs(15);

/// How long the controller's processor time is watched.
const WATCH: Duration = Duration::from_secs(30);

/// Commands whose delivery is timed, one every so often.
const TIMED: usize = 300;
const TIMED_EVERY: Duration = Duration::from_millis(50);

/// For anything that is waited for.
const BOUND: Duration = Duration::from_secs(900);

/// Pages of a list that are timed, from the newest on.
const PAGES: usize = 20;

/// Measures all of it; one line for each question.
pub(crate) fn run(size: Size) -> Outcome<String> {
    let runtime = Runtime::new().context(|| "start the runtime of the agents".to_owned())?;
    runtime.block_on(measure(size))
}

async fn measure(size: Size) -> Outcome<String> {
    let agents = size.pick(1_000, 10_000) as usize;
    let active = size.pick(100, 1_000) as usize;
    let past = size.pick(100_000, 1_000_000);
    let mut host = Host::start()?;
    let begun = Instant::now();
    let seen = Arc::new(Seen::default());
    let crew = join(&host, agents, &seen).await?;
    let mut report = format!("{agents} agents joined in {:.1} s.", begun.elapsed().as_secs_f64());
    remember_past(&mut host, &crew[0], past).await?;

    let begun = Instant::now();
    let mut sessions = open(&host, crew, &seen).await?;
    report += &format!(" All have sessions after {:.1} s.\n\n", begun.elapsed().as_secs_f64());
    sleep(SETTLE).await;
    report += &format!("| | |\n|---|---|\n| {agents} idle agents | {} |\n", watch(&host).await?);

    create_all(&host, active, &seen).await?;
    report +=
        &format!("| with {active} active migrations that report | {} |\n", watch(&host).await?);
    report +=
        &format!("| delivery of {TIMED} commands meanwhile | {} |\n", deliver(&host, &seen).await?);
    for (what, parent, filter) in [
        ("all", "targets/-", Filter::All),
        ("active", "targets/-", Filter::Active),
        ("another target's", "targets/other", Filter::All),
    ] {
        let took = list(&host, parent, filter).await?;
        report += &format!("| pages of 100 of {what} migrations, {past} past | {took} |\n");
    }
    if let Some(ended) = sessions.try_join_next() {
        return Err(Failure::new(format!("an agent's session ended: {ended:?}")));
    }
    sessions.shutdown().await;
    Ok(report)
}

/// Agents with certificates of their own.
async fn join(host: &Host, agents: usize, seen: &Arc<Seen>) -> Outcome<Vec<Agent>> {
    let line = host.line();
    let channel = line.dial(None).await?;
    let (turns, mut joining) = (Arc::new(Semaphore::new(DIALLING)), JoinSet::new());
    for number in 0..agents {
        let (turns, channel, line) = (Arc::clone(&turns), channel.clone(), line.clone());
        let seen = Arc::clone(seen);
        joining.spawn(async move {
            let _turn = turns.acquire_owned().await;
            Agent::join(number, &line, channel, seen).await
        });
    }
    let mut crew = Vec::with_capacity(agents);
    while let Some(joined) = joining.join_next().await {
        crew.push(joined.context(|| "join an agent".to_owned())??);
    }
    Ok(crew)
}

/// One migration that is over, so many times.
async fn remember_past(host: &mut Host, agent: &Agent, past: u32) -> Outcome {
    let line = host.line();
    let session = tokio::spawn(agent.clone().serve(line.clone(), Arc::new(Semaphore::new(1))));
    let mut clients = line.clients(line.dial(None).await?);
    clients.create_targets(&agent.name()).await?;
    clients.create("first", &agent.name(), v1::MigrationOption::Validate).await?;
    clients.until_over("first", BOUND).await?;
    session.abort();
    host.multiply(past)
}

/// Opens all sessions; they are served until the set is dropped.
async fn open(host: &Host, crew: Vec<Agent>, seen: &Seen) -> Outcome<JoinSet<Outcome>> {
    let (turns, mut sessions) = (Arc::new(Semaphore::new(DIALLING)), JoinSet::new());
    let (agents, before) = (crew.len(), seen.welcomes());
    for agent in crew {
        sessions.spawn(agent.serve(host.line(), Arc::clone(&turns)));
    }
    let begun = Instant::now();
    while seen.welcomes() < before + agents {
        ensure!(begun.elapsed() < BOUND, "{} of {agents} are welcome", seen.welcomes() - before);
        if let Some(ended) = sessions.try_join_next() {
            return Err(Failure::new(format!("an agent's session ended: {ended:?}")));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(sessions)
}

/// What the controller costs over a while.
async fn watch(host: &Host) -> Outcome<String> {
    let (id, begun) = (host.id(), Instant::now());
    let before = seconds_of(id)?;
    sleep(WATCH).await;
    let percent = (seconds_of(id)? - before) / begun.elapsed().as_secs_f64() * 100.0;
    let megabytes = memory(id) >> 20;
    Ok(format!("{percent:.1} % of a core, {megabytes} MB"))
}

/// Online migrations, each on an agent of its own, until all of them stream.
async fn create_all(host: &Host, active: usize, seen: &Seen) -> Outcome {
    let line = host.line();
    let channel = line.dial(None).await?;
    let (turns, mut creating) = (Arc::new(Semaphore::new(CREATING)), JoinSet::new());
    for number in 0..active {
        let (turns, mut clients) = (Arc::clone(&turns), line.clients(channel.clone()));
        creating.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let (name, agent) = (format!("active-{number}"), agent::name_of(number));
            clients.create(&name, &agent, v1::MigrationOption::Migrate).await
        });
    }
    while let Some(created) = creating.join_next().await {
        created.context(|| "create a migration".to_owned())??;
    }
    let begun = Instant::now();
    while seen.streams() < active {
        ensure!(begun.elapsed() < BOUND, "{} of {active} migrations stream", seen.streams());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// From an operator's call to the agent's first command: what is recorded, committed and sent lies between.
async fn deliver(host: &Host, seen: &Seen) -> Outcome<String> {
    let line = host.line();
    let mut clients = line.clients(line.dial(None).await?);
    let mut took = Vec::with_capacity(TIMED);
    for number in 0..TIMED {
        let begun = Instant::now();
        // The first agents are busy with what was made before; these are theirs too.
        let (name, agent) = (format!("timed-{number}"), agent::name_of(number));
        let uid = clients.create(&name, &agent, v1::MigrationOption::Validate).await?;
        let commanded = loop {
            if let Some(at) = seen.commanded(&uid) {
                break at;
            }
            ensure!(begun.elapsed() < BOUND, "{agent} was given nothing for {name}");
            sleep(Duration::from_millis(1)).await;
        };
        took.push(commanded.duration_since(begun));
        sleep(TIMED_EVERY).await;
    }
    Ok(spread(took))
}

async fn list(host: &Host, parent: &str, filter: Filter) -> Outcome<String> {
    let line = host.line();
    let mut clients = line.clients(line.dial(None).await?);
    let (mut took, mut page) = (Vec::with_capacity(PAGES), String::new());
    for _ in 0..PAGES {
        let begun = Instant::now();
        page = clients.list(parent, filter, page).await?;
        took.push(begun.elapsed());
        if page.is_empty() {
            break;
        }
    }
    Ok(spread(took))
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: f64| {
        let last = took.len().saturating_sub(1);
        took.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    };
    let milliseconds = |at: Duration| at.as_secs_f64() * 1_000.0;
    let (half, most, longest) = (at(0.5), at(0.99), at(1.0));
    format!(
        "p50 {:.1}, p99 {:.1}, max {:.1} ms",
        milliseconds(half),
        milliseconds(most),
        milliseconds(longest)
    )
}
