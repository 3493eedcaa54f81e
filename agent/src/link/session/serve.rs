//! The loop of a session.
//!
//! Nothing here waits for the controller while something else is due: what is to be sent waits for a place in the
//! outgoing queue, and the loop goes on reading meanwhile.
use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};
use tonic::Streaming;
use whimbrel_proto::agent::v1::{
    AgentMessage, ControllerMessage, Heartbeat, QueryAnswer, RenewCertificate,
};

use super::{
    End, Kind, Work,
    heartbeat::{self, Heartbeats},
    open::ended,
};
use crate::link::{error::LinkError, outlet::Shared, renew, run::Link};

/// Progress is for eyes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Reports sent and not acknowledged: each costs the controller a write to its store, so more would only wait there.
const REPORTS_UNDER_WAY_MAX: usize = 64;
/// Answers that wait to be sent; while there are more, nothing is read.
const READY_MAX: usize = 64;

pub(super) struct Session<'a> {
    pub(super) link: &'a mut Link,
    pub(super) work: &'a mut Work,
    /// Questions that are being answered.
    pub(super) queries: FuturesUnordered<BoxFuture<'static, QueryAnswer>>,
    /// Answers and refusals to be sent.
    pub(super) ready: VecDeque<Kind>,
    pub(super) heartbeats: Heartbeats,
    /// Sequence of the last report sent in this session.
    reported: u64,
    progress_due: bool,
}

pub(super) const fn message(kind: Kind) -> AgentMessage {
    AgentMessage { kind: Some(kind) }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl<'a> Session<'a> {
    pub(super) fn new(link: &'a mut Link, work: &'a mut Work) -> Self {
        Self {
            link,
            work,
            queries: FuturesUnordered::new(),
            ready: VecDeque::new(),
            heartbeats: Heartbeats::default(),
            reported: 0,
            progress_due: true,
        }
    }

    /// Serves until the session ends.
    pub(super) async fn serve(
        mut self,
        mut inbound: Streaming<ControllerMessage>,
        out: &mpsc::Sender<AgentMessage>,
        period: Duration,
    ) -> End {
        let period = heartbeat::period(period);
        let silence_max = period * heartbeat::UNANSWERED_MAX;
        let mut heartbeat = ticks(period);
        let mut progress = ticks(PROGRESS_INTERVAL);
        let mut renewal = Instant::now();
        let mut silent_until = Instant::now() + silence_max;
        let outlet = self.link.outlet.clone();
        loop {
            let turn = tokio::select! {
                received = inbound.message(), if self.ready.len() < READY_MAX => {
                    silent_until = Instant::now() + silence_max;
                    self.received(received)
                }
                place = out.reserve(), if self.has_outgoing() => self.send(place),
                Some(ack) = self.work.acks.recv(), if self.ready.is_empty() => {
                    self.ready.push_back(Kind::Ack(ack));
                    Ok(())
                }
                Some(answer) = self.queries.next() => {
                    self.ready.push_back(Kind::Answer(answer));
                    Ok(())
                }
                () = outlet.shared.wake.notified() => Ok(()),
                _ = heartbeat.tick() => {
                    self.heartbeats.tick(self.work.tasks.running().is_empty());
                    Ok(())
                }
                _ = progress.tick() => { self.progress_due = true; Ok(()) }
                () = sleep_until(renewal) => self.look_at_certificate().map(|wait| {
                    renewal = Instant::now() + wait;
                }),
                () = sleep_until(silent_until) => {
                    Err(End::Lost("the controller does not answer heartbeats".to_owned()))
                }
            };
            if let Err(end) = turn {
                return end;
            }
        }
    }

    fn received(
        &mut self,
        received: Result<Option<ControllerMessage>, tonic::Status>,
    ) -> Result<(), End> {
        match received {
            Ok(Some(message)) => self.receive(message),
            Ok(None) => Err(End::Lost("the controller closed the session".to_owned())),
            Err(status) => Err(ended(&status)),
        }
    }

    fn shared(&self) -> &Shared {
        &self.link.outlet.shared
    }

    fn has_outgoing(&self) -> bool {
        self.heartbeats.due
            || !self.ready.is_empty()
            || self.may_report()
            || self.shared().progress.has_ahead()
            || (self.progress_due && self.shared().progress.has_unsent())
    }

    fn may_report(&self) -> bool {
        let reports = &self.shared().reports;
        reports.has_after(self.reported) && reports.under_way(self.reported) < REPORTS_UNDER_WAY_MAX
    }

    fn send(
        &mut self,
        place: Result<mpsc::Permit<'_, AgentMessage>, mpsc::error::SendError<()>>,
    ) -> Result<(), End> {
        let lost = |_| End::Lost("the stream to the controller ended".to_owned());
        let place = place.map_err(lost)?;
        if let Some(kind) = self.outgoing() {
            place.send(message(kind));
        }
        Ok(())
    }

    /// The next message: the lease first, progress last, but for what a report speaks of.
    fn outgoing(&mut self) -> Option<Kind> {
        if self.heartbeats.due {
            let running_tasks = self.work.tasks.running().len();
            return Some(Kind::Heartbeat(Heartbeat {
                sequence: self.heartbeats.next(),
                running_tasks: u32::try_from(running_tasks).unwrap_or(u32::MAX),
            }));
        }
        if let Some(kind) = self.ready.pop_front() {
            return Some(kind);
        }
        if self.may_report()
            && !self.shared().progress.has_ahead()
            && let Some(report) = self.shared().reports.after(self.reported)
        {
            self.reported = report.sequence;
            return Some(Kind::Report(report));
        }
        let progress = self.shared().progress.take();
        self.progress_due = progress.is_some();
        progress.map(Kind::Progress)
    }

    /// Asks for a new certificate when it is time; gives when to look again.
    fn look_at_certificate(&mut self) -> Result<Duration, End> {
        let ask = || -> Result<(Duration, Option<RenewCertificate>), LinkError> {
            let identity = &self.link.identity;
            let wait = renew::due_in(identity)?;
            if !wait.is_zero() {
                return Ok((wait, None));
            }
            let csr_pem = identity.keys.request_pem(identity.name())?;
            Ok((renew::again(), Some(RenewCertificate { csr_pem })))
        };
        let (wait, asked) = ask().map_err(End::Fatal)?;
        self.ready.extend(asked.map(Kind::Renew));
        Ok(wait)
    }
}
