//! The workers: copy parts, then build on each table as soon as its rows are there, beside the copies of others.
use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};
use whimbrel_proto::{Lsn, v1::table_progress::State};

use super::{
    copy_in::{CopyIn, Meter, copy_at_pace},
    finish::run_entry,
    jobs::{AtMost, Board, Job, Turn},
    others::Others,
    renew::Age,
    room::sessions_with_room,
    small::BATCH_TABLES,
    statistics,
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{
        Progress,
        ledger::Ledger,
        limits::{Limits, Pace},
        receive::Receiver,
        schema::Plan,
    },
    wire::{Caller, Catalog, Relation},
};

/// What every job needs.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) caller: Caller,
    pub(super) ledger: Ledger,
    pub(super) progress: Arc<Progress>,
    pub(super) pace: Arc<Pace>,
}

/// The workers, and sessions of theirs that have nothing to do.
struct Crew<'a> {
    receiver: &'a Receiver,
    shop: Shop,
    limits: Limits,
    /// Others keep the source busy.
    makes_way: watch::Receiver<bool>,
    /// Batches of small tables that the target has room for at once.
    room: usize,
    idle: Vec<Client>,
    /// Of the jobs that run, those that are not small.
    large: usize,
    running: JoinSet<Result<(Client, Job), Fault>>,
}

impl Receiver {
    /// Copies and builds what is not done, under the held snapshot of `point`, and under later ones when that gets old.
    pub(in crate::target) async fn fill(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        plan: &Plan,
        point: Lsn,
        others: Others,
    ) -> Result<(), Fault> {
        let (way, makes_way) = watch::channel(false);
        tokio::select! {
            biased;
            // First, so that it is known before the first copy begins.
            never = self.look_at_others(others, way) => match never {},
            filled = self.fill_beside(client, ledger, catalog, plan, point, makes_way) => filled,
        }
    }

    /// As [`Self::fill`], beside others as `makes_way` says.
    async fn fill_beside(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        plan: &Plan,
        point: Lsn,
        makes_way: watch::Receiver<bool>,
    ) -> Result<(), Fault> {
        let mut age = Age::of_new_snapshot(self.limits.clone());
        let tables = self.pending(client, ledger, catalog, point).await?;
        let mut board = Board::new(tables, plan);
        let room = sessions_with_room(client, self.limits.small_jobs(), BATCH_TABLES).await?;
        let mut crew = Crew::new(self, ledger, room, makes_way);
        loop {
            for relation in board.take_whole() {
                self.mark_copied(client, ledger, &relation).await?;
                board.build(&relation);
            }
            let turn = if age.is_due() { Turn::BeforeNewSnapshot } else { Turn::Any };
            crew.begin(&mut board, turn).await?;
            if turn == Turn::BeforeNewSnapshot && board.can_renew() && !board.is_complete() {
                if let Some(point) = self.renew(client, ledger, &mut age).await? {
                    board.renew(self.pending(client, ledger, catalog, point).await?);
                }
                continue;
            }
            match crew.wait(&age).await? {
                Some(job) => board.finished(&job),
                None if crew.running.is_empty() => break,
                None => {}
            }
            self.tell_of_old_snapshot(&mut age).await;
        }
        if board.is_complete() {
            Ok(())
        } else {
            Err(Fault::hold("CopyIncomplete", "the copy ran out of work with tables left over"))
        }
    }

    async fn worker_session(&self) -> Result<Client, Fault> {
        let session = self.session("load").await?;
        session
            .batch_execute(include_str!("../sql/worker_settings.sql"))
            .await
            .doing("setting up a session of the base copy on the target")?;
        Ok(session)
    }

    async fn mark_copied(
        &self,
        client: &mut Client,
        ledger: Ledger,
        relation: &Relation,
    ) -> Result<(), Fault> {
        let doing = format!("recording that {} is copied", relation.label());
        let tx = client.transaction().await.doing(&doing)?;
        tx.execute(include_str!("../sql/mark_copied.sql"), &[&relation.oid]).await.doing(&doing)?;
        ledger.commit(tx, &doing).await
    }
}

impl<'a> Crew<'a> {
    fn new(
        receiver: &'a Receiver,
        ledger: Ledger,
        room: usize,
        makes_way: watch::Receiver<bool>,
    ) -> Self {
        let limits = receiver.limits.clone();
        let shop = Shop {
            caller: receiver.caller.clone(),
            ledger,
            progress: Arc::clone(&receiver.progress),
            pace: Arc::new(Pace::new(limits.clone(), makes_way.clone())),
        };
        let (idle, running) = (Vec::new(), JoinSet::new());
        Self { receiver, shop, limits, makes_way, room, idle, large: 0, running }
    }

    /// Begins what can be begun, as much as may be done at once.
    async fn begin(&mut self, board: &mut Board, turn: Turn) -> Result<(), Fault> {
        let jobs = self.limits.jobs();
        let small = self.limits.small_jobs().min(self.room).max(jobs);
        self.idle.truncate(small);
        let makes_way = *self.makes_way.borrow_and_update();
        let most = |copies| self.limits.beside_others(copies);
        board.limit_copies(makes_way.then(|| AtMost { large: most(jobs), small: most(small) }));
        while self.running.len() < small
            && let Some(job) = board.next(turn, self.large < jobs)
        {
            self.large += usize::from(!job.is_small());
            let session = match self.idle.pop() {
                Some(session) => session,
                None => self.receiver.worker_session().await?,
            };
            let shop = self.shop.clone();
            self.running.spawn(async move { shop.run(session, job).await });
        }
        Ok(())
    }

    /// A job that is done; `None`: there is none, or it is time to look at the limits and the snapshot again.
    async fn wait(&mut self, age: &Age) -> Result<Option<Job>, Fault> {
        let finished = tokio::select! {
            finished = self.running.join_next() => finished,
            () = self.limits.changed() => return Ok(None),
            // Its other end lives as long as the copy.
            Ok(()) = self.makes_way.changed() => return Ok(None),
            () = age.due(), if !self.running.is_empty() => return Ok(None),
        };
        let Some(finished) = finished else { return Ok(None) };
        // Leaving drops the others, and with them their sessions: what they had not committed is rolled back.
        let (session, job) = finished.map_err(stopped)??;
        self.idle.push(session);
        self.large -= usize::from(!job.is_small());
        Ok(Some(job))
    }
}

impl Shop {
    async fn run(&self, mut session: Client, job: Job) -> Result<(Client, Job), Fault> {
        let progress = &self.progress;
        match &job {
            Job::Copy(relation, pages) => {
                let copy = CopyIn { relation, pages: *pages, replace: false, point: None };
                let (caller, pace) = (&self.caller, Some(&*self.pace));
                copy_at_pace(&copy, &mut session, caller, self.ledger, progress, pace).await?;
            }
            Job::Keys(relation, entries) => {
                progress.table_state(relation.oid, State::Indexing);
                for entry in entries {
                    run_entry(&mut session, self.ledger, entry).await?;
                }
            }
            Job::Index(_, entry) => run_entry(&mut session, self.ledger, entry).await?,
            Job::Analyze(relation) => {
                self.analyze(&mut session, relation).await?;
                progress.table_state(relation.oid, State::Completed);
            }
            Job::Small(tables) => self.run_small(&mut session, tables).await?,
        }
        Ok((session, job))
    }

    pub(super) fn meter(&self, table: u32) -> Meter<'_> {
        Meter { progress: &self.progress, table, pace: Some(&self.pace) }
    }

    async fn analyze(&self, session: &mut Client, relation: &Relation) -> Result<(), Fault> {
        let doing = format!("gathering statistics of {}", relation.label());
        let major = session.server_major();
        let tx = session.transaction().await.doing(&doing)?;
        statistics::gather(&tx, major, &[relation], &doing).await?;
        tx.execute(
            "update whimbrel.relation set done = true where source_oid = $1",
            &[&relation.oid],
        )
        .await
        .doing(&doing)?;
        self.ledger.commit(tx, &doing).await
    }
}

fn stopped(error: tokio::task::JoinError) -> Fault {
    Fault::retry("WorkerStopped", format!("a worker of the base copy stopped: {error}"))
}
