//! What can happen to a migration.
use std::thread;

use crate::{
    Outcome,
    chance::Chance,
    cluster::Cluster,
    program::Program,
    proxy::{Proxy, Weather},
    stage::{Stage, TARGET},
};

/// Something bad. Each is over when [`Fault::strike`] returns, but for the weather of a line, which stays until it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a new process, sooner or later.
    KillAgent,
    /// As with the agent.
    KillController,
    /// SIGSTOP, and SIGCONT: seldom later than a lease.
    FreezeAgent,
    /// As with the agent.
    FreezeController,
    /// `pg_ctl stop -m immediate`, and a start.
    CrashSource,
    /// As with the source.
    CrashTarget,
    /// `kill -9` of the postmaster, and a start as soon as its children are gone.
    KillSource,
    /// As with the source.
    KillTarget,
    /// One of our sessions is ended by the server.
    EndSessionOnSource,
    /// One of our sessions is ended by the server.
    EndSessionOnTarget,
    /// Every connection of a line breaks.
    Cut,
    /// Nothing comes through a line for a while; then it goes on, or breaks.
    Hole,
    /// A line is slow from now on, or is not any more.
    Weather,
    /// The operator pauses, and resumes.
    Pause,
}

impl Fault {
    /// All of them; the cheap ones more often.
    pub const ALL: &'static [Self] = &[
        Self::KillAgent,
        Self::KillAgent,
        Self::KillController,
        Self::FreezeAgent,
        Self::FreezeController,
        Self::CrashSource,
        Self::CrashTarget,
        Self::KillSource,
        Self::KillTarget,
        Self::EndSessionOnSource,
        Self::EndSessionOnSource,
        Self::EndSessionOnTarget,
        Self::EndSessionOnTarget,
        Self::Cut,
        Self::Cut,
        Self::Hole,
        Self::Weather,
        Self::Pause,
    ];

    /// Makes it happen.
    ///
    /// # Errors
    /// When it could not be made to happen.
    pub fn strike(self, stage: &mut Stage, name: &str, chance: &mut Chance) -> Outcome {
        match self {
            Self::KillAgent => {
                stage.kill_agent()?;
                thread::sleep(chance.millis(0..1_500));
                stage.launch_agent(&[])
            }
            Self::KillController => {
                stage.kill_controller()?;
                thread::sleep(chance.millis(0..1_500));
                stage.launch_controller()
            }
            Self::FreezeAgent => freeze(stage.agent.as_ref(), chance),
            Self::FreezeController => freeze(stage.controller.as_ref(), chance),
            Self::CrashSource => crash(&stage.source, chance),
            Self::CrashTarget => crash(&stage.target, chance),
            Self::KillSource => kill(&stage.source),
            Self::KillTarget => kill(&stage.target),
            Self::EndSessionOnSource => end_session(&stage.source, chance),
            Self::EndSessionOnTarget => end_session(&stage.target, chance),
            Self::Cut => {
                if let Some(line) = line(stage, chance) {
                    line.cut();
                }
                Ok(())
            }
            Self::Hole => {
                hole(stage, chance);
                Ok(())
            }
            Self::Weather => {
                if let Some(line) = line(stage, chance) {
                    line.set(weather(chance));
                }
                Ok(())
            }
            Self::Pause => pause(stage, name, chance),
        }
    }
}

fn line<'a>(stage: &'a Stage, chance: &mut Chance) -> Option<&'a Proxy> {
    let lines = stage.lines.as_ref()?;
    Some(*chance.pick(&lines.all()))
}

fn weather(chance: &mut Chance) -> Weather {
    match chance.below(3) {
        0 => Weather::Clear,
        1 => Weather::Late(chance.millis(1..80)),
        _ => Weather::Thin(1 << (16 + chance.below(6))),
    }
}

fn hole(stage: &Stage, chance: &mut Chance) {
    let Some(line) = line(stage, chance) else { return };
    line.set(Weather::Hole);
    thread::sleep(chance.millis(100..6_000));
    // A network that forgot the connections meanwhile.
    if chance.once_in(2) {
        line.cut();
    }
    line.set(Weather::Clear);
}

fn freeze(program: Option<&Program>, chance: &mut Chance) -> Outcome {
    let Some(program) = program else { return Ok(()) };
    program.signal("STOP")?;
    // A lease is 15 s.
    let long = chance.once_in(12);
    thread::sleep(if long { chance.millis(16_000..18_000) } else { chance.millis(50..3_000) });
    program.signal("CONT")
}

fn crash(cluster: &Cluster, chance: &mut Chance) -> Outcome {
    cluster.stop("immediate")?;
    thread::sleep(chance.millis(0..1_000));
    cluster.start_again()
}

fn kill(cluster: &Cluster) -> Outcome {
    cluster.kill()?;
    cluster.start_after_kill()
}

/// The server's own random would be another each time.
fn end_session(cluster: &Cluster, chance: &mut Chance) -> Outcome {
    let nth = chance.below(4);
    cluster
        .psql(
            "postgres",
            &format!(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name like 'whimbrel/%' order by backend_start desc offset {nth} limit 1"
            ),
        )
        .map(drop)
}

fn pause(stage: &Stage, name: &str, chance: &mut Chance) -> Outcome {
    // Refused in a cutover, say, or nobody answers: as it is in life.
    stage.cli.run(&["migration", "pause", name, "--target", TARGET])?;
    thread::sleep(chance.millis(0..1_500));
    stage.cli.run(&["migration", "resume", name, "--target", TARGET])?;
    Ok(())
}
