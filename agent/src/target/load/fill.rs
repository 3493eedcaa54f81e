//! The workers: copy parts, then build on each table as soon as its rows are there, beside the copies of others.
use std::{sync::Arc, thread::available_parallelism};

use tokio::task::JoinSet;
use whimbrel_proto::{Lsn, v1::table_progress::State};

use super::{
    copy_in::{CopyIn, copy_in},
    finish::run_entry,
    jobs::{Board, Job},
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    target::{Progress, ledger::Ledger, receive::Receiver, schema::Plan},
    wire::{Caller, Catalog, Relation},
};

/// Fewest and most workers. The servers do the work, and a worker more than they have processors for costs little.
const WORKERS_MIN: usize = 2;
const WORKERS_MAX: usize = 8;

/// What every job needs.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) caller: Caller,
    pub(super) ledger: Ledger,
    pub(super) progress: Arc<Progress>,
}

impl Receiver {
    /// Copies and builds what is not done, under the held snapshot of `point`.
    pub(in crate::target) async fn fill(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        plan: &Plan,
        point: Lsn,
    ) -> Result<(), Fault> {
        let tables = self.pending(client, ledger, catalog, point).await?;
        let mut board = Board::new(tables, plan);
        let shop =
            Shop { caller: self.caller.clone(), ledger, progress: Arc::clone(&self.progress) };
        let workers = available_parallelism().map_or(WORKERS_MIN, usize::from);
        let workers = workers.clamp(WORKERS_MIN, WORKERS_MAX);
        let mut idle = Vec::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < workers
                && let Some(job) = board.next()
            {
                let session = match idle.pop() {
                    Some(session) => session,
                    None => self.worker_session().await?,
                };
                let shop = shop.clone();
                running.spawn(async move { shop.run(session, job).await });
            }
            let Some(finished) = running.join_next().await else { break };
            // Leaving drops the others, and with them their sessions: what they had not committed is rolled back.
            let (session, job) = finished.map_err(stopped)??;
            board.finished(&job);
            idle.push(session);
        }
        if board.is_complete() {
            Ok(())
        } else {
            Err(Fault::hold("CopyIncomplete", "the copy ran out of work with tables left over"))
        }
    }
}

impl Receiver {
    async fn worker_session(&self) -> Result<Client, Fault> {
        let session = self.session("load").await?;
        session
            .batch_execute(include_str!("../sql/worker_settings.sql"))
            .await
            .doing("setting up a session of the base copy on the target")?;
        Ok(session)
    }
}

impl Shop {
    async fn run(&self, mut session: Client, job: Job) -> Result<(Client, Job), Fault> {
        let progress = &self.progress;
        match &job {
            Job::Copy(relation, pages) => {
                let copy = CopyIn { relation, pages: *pages, replace: false, point: None };
                copy_in(&copy, &mut session, &self.caller, self.ledger, progress).await?;
            }
            Job::Keys(relation, entries) => {
                progress.table_state(relation.oid, State::Indexing);
                self.mark_copied(&mut session, relation).await?;
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

    async fn mark_copied(&self, session: &mut Client, relation: &Relation) -> Result<(), Fault> {
        let doing = format!("recording that {} is copied", relation.label());
        let tx = session.transaction().await.doing(&doing)?;
        tx.execute(
            "update whimbrel.relation r set copied = true, rows = p.rows, bytes = p.bytes \
             from (select coalesce(sum(rows), 0)::int8 as rows, coalesce(sum(bytes), 0)::int8 as bytes \
                   from whimbrel.part where source_oid = $1) p \
             where r.source_oid = $1",
            &[&relation.oid],
        )
        .await
        .doing(&doing)?;
        self.ledger.commit(tx, &doing).await
    }

    async fn analyze(&self, session: &mut Client, relation: &Relation) -> Result<(), Fault> {
        let doing = format!("gathering statistics of {}", relation.label());
        let tx = session.transaction().await.doing(&doing)?;
        tx.batch_execute(&format!("analyze {}", qualified(&relation.schema, &relation.name)))
            .await
            .doing(&doing)?;
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
