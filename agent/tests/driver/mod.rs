//! Does what a controller does, by hand.
#![allow(dead_code, reason = "each test program uses a part of it")]
use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use uuid::Uuid;
use whimbrel_agent::{
    link::{Outlet, Tasks as _},
    postgres::{Client, Programs, SslMode, connect},
    secret::Secrets,
    task::Supervisor,
};
use whimbrel_proto::{
    agent::v1::{
        Command, CopyAgain, CopyLimits, CutoverBack, CutoverStep, Failure, OpenTransaction,
        Receive, Report, Selection, Send, SourceObjects, Step, StepDone, command, report::Kind,
    },
    v1::{Endpoint, MigrationMode, Secret, secret},
};

use crate::cluster::{Cluster, PASSWORD, programs_of};

pub(crate) const HBA: &str =
    "local all all scram-sha-256\nhost all,replication all 127.0.0.1/32 scram-sha-256\n";
const PATIENCE: Duration = Duration::from_secs(120);
/// A step is ordered again when a server did not answer in time, and for nothing else: on a machine with forty times more to
/// do than it can, that is no finding.
const STEP_TRIES: u32 = 5;
const NO_ANSWER: &str = "ServerSilent";

pub(crate) struct Driver {
    source: Arc<Cluster>,
    target: Arc<Cluster>,
    database: String,
    migration: String,
    epoch: u64,
    outlet: Outlet,
    tasks: Arc<Supervisor>,
    seen: u64,
    oid: u32,
    /// The role on both servers.
    pub(crate) user: String,
    pub(crate) migrate_roles: bool,
    pub(crate) online: bool,
    pub(crate) overwrite_oid: u32,
    /// Event triggers on the source.
    pub(crate) follow: bool,
    pub(crate) limits: CopyLimits,
    /// Which objects.
    pub(crate) selection: Selection,
    /// Requests to copy tables again.
    pub(crate) copy_again: Vec<CopyAgain>,
    _password: tempfile::NamedTempFile,
}

impl Driver {
    pub(crate) async fn new(source: &Arc<Cluster>, target: &Arc<Cluster>, database: &str) -> Self {
        Self::of(source, target, database, Uuid::new_v4().to_string()).await
    }

    pub(crate) async fn another(other: &Self) -> Self {
        Self::of(&other.source, &other.target, &other.database, other.migration.clone()).await
    }

    async fn of(
        source: &Arc<Cluster>,
        target: &Arc<Cluster>,
        database: &str,
        migration: String,
    ) -> Self {
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), PASSWORD).unwrap();
        let outlet = Outlet::new();
        outlet.lease().grant(std::time::Instant::now(), Duration::from_secs(3600));
        let key = crypto_box::SecretKey::generate(&mut crypto_box::aead::OsRng);
        let folders = [source, target].map(|cluster| cluster.programs().to_owned());
        let folders: Vec<_> = folders.into_iter().chain(programs_of(18)).collect();
        let programs = Arc::new(Programs::discover(&folders).await);
        let tasks = Supervisor::new(outlet.clone(), Secrets::new("a", key), programs);
        Self {
            source: Arc::clone(source),
            target: Arc::clone(target),
            database: database.into(),
            migration,
            epoch: 0,
            outlet,
            tasks,
            seen: 0,
            oid: 0,
            user: "postgres".into(),
            migrate_roles: false,
            online: true,
            overwrite_oid: 0,
            follow: true,
            limits: CopyLimits::default(),
            selection: Selection::default(),
            copy_again: Vec::new(),
            _password: password,
        }
    }

    fn endpoint(&self, cluster: &Cluster) -> Endpoint {
        let path = self._password.path().display().to_string();
        Endpoint {
            host: "127.0.0.1".into(),
            port: cluster.port.into(),
            user: self.user.clone(),
            password: Some(Secret { kind: Some(secret::Kind::File(path)) }),
            ssl_mode: 0,
        }
    }

    fn objects(&self) -> SourceObjects {
        let name = format!("whimbrel_test_{}", self.database);
        SourceObjects {
            slot: name.clone(),
            publication: name.clone(),
            keyless_publication: format!("{name}_keyless"),
        }
    }

    async fn command(&self, kind: command::Kind) {
        self.command_as(&Uuid::new_v4().to_string(), kind).await;
    }

    async fn command_as(&self, id: &str, kind: command::Kind) {
        let ack = self
            .tasks
            .command(Command {
                command_id: id.into(),
                term: 1,
                migration_uid: self.migration.clone(),
                database: self.database.clone(),
                epoch: self.epoch,
                number: 0,
                kind: Some(kind),
            })
            .await;
        assert!(ack.accepted, "{} {:?}", ack.refusal, self.failures());
    }

    /// What has failed so far.
    fn failures(&self) -> Vec<Kind> {
        let kinds = self.outlet.unacknowledged().into_iter().filter_map(|report| report.kind);
        kinds.filter(|kind| matches!(kind, Kind::TaskFailed(_))).collect()
    }

    pub(crate) async fn begin(&mut self, epoch: u64, target_oid: u32) {
        self.begin_as(epoch, target_oid, false).await;
    }

    /// `switched`: the controller knows that the switch is done.
    pub(crate) async fn begin_as(&mut self, epoch: u64, target_oid: u32, switched: bool) {
        self.epoch = epoch;
        let mode = if self.online { MigrationMode::Online } else { MigrationMode::Offline }.into();
        self.command(command::Kind::Send(Send {
            source: Some(self.endpoint(&self.source)),
            mode,
            objects: Some(self.objects()),
            follow_schema_changes: self.follow,
            copy_limits: Some(self.limits),
            selection: Some(self.selection.clone()),
        }))
        .await;
        self.command(command::Kind::Receive(Receive {
            target: Some(self.endpoint(&self.target)),
            mode,
            objects: Some(self.objects()),
            target_oid,
            switched,
            migrate_roles: self.migrate_roles,
            overwrite_oid: self.overwrite_oid,
            copy_limits: Some(self.limits),
            selection: Some(self.selection.clone()),
            copy_again: self.copy_again.clone(),
            ..Receive::default()
        }))
        .await;
    }

    pub(crate) async fn order(
        &mut self,
        step: Step,
        attempt: u32,
        open: &[OpenTransaction],
        end: u64,
    ) {
        self.command(command::Kind::CutoverStep(CutoverStep {
            step: step.into(),
            attempt,
            open: open.to_vec(),
            end_lsn: end,
            ..CutoverStep::default()
        }))
        .await;
    }

    /// As `order`, by a command of that id: the same id again is the same command, sent again.
    pub(crate) async fn order_as(&mut self, id: &str, step: Step, attempt: u32, end_lsn: u64) {
        let step = step.into();
        let order = CutoverStep { step, attempt, end_lsn, ..CutoverStep::default() };
        self.command_as(id, command::Kind::CutoverStep(order)).await;
    }

    pub(crate) async fn result(&mut self, step: Step) -> Result<StepDone, Failure> {
        let report = self
            .wait(|kind| match kind {
                Kind::StepDone(done) => done.step() == step,
                Kind::StepFailed(failed) => failed.step() == step,
                _ => false,
            })
            .await;
        match report.kind.unwrap() {
            Kind::StepDone(done) => Ok(done),
            Kind::StepFailed(failed) => Err(failed.failure.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn step(
        &mut self,
        step: Step,
        attempt: u32,
        open: &[OpenTransaction],
        end: u64,
    ) -> Result<StepDone, Failure> {
        for _ in 1..STEP_TRIES {
            self.order(step, attempt, open, end).await;
            match self.result(step).await {
                Err(failure) if failure.code == NO_ANSWER => {}
                told => return told,
            }
        }
        self.order(step, attempt, open, end).await;
        self.result(step).await
    }

    /// As `step`, though the source is written to.
    pub(crate) async fn accept_writes(
        &mut self,
        step: Step,
        attempt: u32,
        end_lsn: u64,
    ) -> Result<StepDone, Failure> {
        let allow_source_writes = true;
        self.command(command::Kind::CutoverStep(CutoverStep {
            step: step.into(),
            attempt,
            end_lsn,
            allow_source_writes,
            ..CutoverStep::default()
        }))
        .await;
        self.result(step).await
    }

    pub(crate) async fn back(&mut self, attempt: u32) {
        self.command(command::Kind::CutoverBack(CutoverBack { attempt })).await;
    }

    /// Changes the limits of the running copy.
    pub(crate) async fn limit(&mut self, limits: CopyLimits) {
        self.limits = limits;
        self.command(command::Kind::CopyLimits(limits)).await;
    }

    /// All that was told and not waited for, nor by one that was killed.
    pub(crate) fn told(&self) -> Vec<Kind> {
        let reports = self.outlet.unacknowledged().into_iter();
        reports
            .filter(|report| report.sequence > self.seen)
            .filter_map(|report| report.kind)
            .collect()
    }

    /// Messages of the milestones of a kind that were told so far.
    pub(crate) fn milestones(&self, wanted: &str) -> Vec<String> {
        let kinds = self.outlet.unacknowledged().into_iter().filter_map(|report| report.kind);
        kinds
            .filter_map(|kind| match kind {
                Kind::Milestone(told) if told.r#type == wanted => Some(told.message),
                _ => None,
            })
            .collect()
    }

    /// Why the task failed.
    pub(crate) async fn failure(&mut self) -> Failure {
        let failed = self.wait(|kind| matches!(kind, Kind::TaskFailed(_))).await;
        let Some(Kind::TaskFailed(failed)) = failed.kind else { panic!("no failure") };
        failed.failure.unwrap()
    }

    /// The next report that is wanted. A task that fails fails the test.
    pub(crate) async fn wait(&mut self, mut wanted: impl FnMut(&Kind) -> bool) -> Report {
        let waiting = async {
            loop {
                for report in self.outlet.unacknowledged() {
                    if report.sequence <= self.seen {
                        continue;
                    }
                    self.seen = report.sequence;
                    let kind = report.kind.as_ref().unwrap();
                    if let Kind::Prepared(prepared) = kind {
                        self.oid = prepared.target_oid;
                    }
                    if wanted(kind) {
                        return report;
                    }
                    assert!(!matches!(kind, Kind::TaskFailed(_)), "{kind:?}");
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("the report did not come")
    }

    /// The agent dies: whatever it was doing, its connections close.
    pub(crate) async fn kill(&mut self) {
        self.tasks.stop_all().await;
        // Of two tasks that are stopped at once one may still see the other go, and say so; the dead say nothing.
        let said = self.outlet.unacknowledged();
        self.seen = said.iter().map(|report| report.sequence).fold(self.seen, u64::max);
    }

    /// Dies, and its slot is dropped by somebody else.
    pub(crate) async fn lose_slot(&mut self) {
        self.kill().await;
        free_slots(&self.source, &self.database).await;
    }

    pub(crate) fn target_oid(&self) -> u32 {
        self.oid
    }
}

/// Drops the database's slots. The server learns of an end only when it writes to its client, so a slot may be held for a
/// while by a session that nobody has any more.
pub(crate) async fn free_slots(cluster: &Cluster, database: &str) {
    let server = session(cluster, "postgres").await;
    let slots = format!("from pg_replication_slots where database = '{database}'");
    let end = format!("select pg_terminate_backend(active_pid) {slots} and active");
    let free = format!("select pg_drop_replication_slot(slot_name) {slots} and not active");
    let left = format!("select {slots}");
    let freeing = async {
        while server.query_opt(&left, &[]).await.unwrap().is_some() {
            server.batch_execute(&end).await.unwrap();
            server.batch_execute(&free).await.unwrap();
        }
    };
    timeout(PATIENCE, freeing).await.expect("the slots are held still");
}

pub(crate) async fn session(cluster: &Cluster, database: &str) -> Client {
    let client = connect(&cluster.endpoint(SslMode::Prefer), database, "test").await.unwrap();
    // Not one of ours, as far as the cutover is concerned.
    client
        .batch_execute(
            "set application_name = 'app'; set search_path = public; set row_security = on",
        )
        .await
        .unwrap();
    client
}

pub(crate) async fn database(cluster: &Cluster, statement: &str) {
    session(cluster, "postgres").await.batch_execute(statement).await.unwrap();
}

pub(crate) async fn sql(cluster: &Cluster, database: &str, script: &str) {
    let client = session(cluster, database).await;
    for statement in script.split(";\n").filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }
}

/// As one statement batch: one transaction.
pub(crate) async fn batch(cluster: &Cluster, database: &str, script: &str) {
    let done = session(cluster, database).await.batch_execute(script).await;
    done.unwrap_or_else(|e| panic!("{e:?}"));
}

pub(crate) async fn value(cluster: &Cluster, database: &str, query: &str) -> String {
    let client = session(cluster, database).await;
    let text = format!("select ({query})::text");
    client.query_one(&text, &[]).await.unwrap().get(0)
}

/// Waits until the query counts something.
pub(crate) async fn until(cluster: &Cluster, database: &str, query: &str) {
    let waiting = async {
        while value(cluster, database, query).await == "0" {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("nothing came: {query}"));
}

/// Every table and sequence has the same on both sides.
pub(crate) async fn moved_alike(source: &Cluster, target: &Cluster, database: &str) {
    alike(source, target, database, "c.relkind in ('r', 'S')").await;
}

/// Every table has the same rows on both sides, but for some.
pub(crate) async fn rows_alike(source: &Cluster, target: &Cluster, database: &str, but: &[&str]) {
    let but = but.join("', '");
    let which = format!("c.relkind = 'r' and c.relname not in ('{but}')");
    alike(source, target, database, &which).await;
}

async fn alike(source: &Cluster, target: &Cluster, database: &str, which: &str) {
    let (source, target) = (session(source, database).await, session(target, database).await);
    let names = format!(
        "select format('%I.%I', n.nspname, c.relname), c.relkind::text from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace where {which} \
                 and n.nspname not in ('pg_catalog', 'information_schema', 'whimbrel') and n.nspname not like 'pg_toast%' order by 1"
    );
    let tables = source.query(&names, &[]).await.unwrap();
    let theirs = target.query(&names, &[]).await.unwrap();
    assert_eq!(tables.len(), theirs.len());
    for row in tables {
        let (name, kind): (String, String) = (row.get(0), row.get(1));
        let query = if kind == "S" {
            format!("select format('%s %s', last_value, is_called) from {name}")
        } else {
            format!(
                // Bytes as they are, of any encoding, or none; by a name that no column has.
                "select encode(convert_to(coalesce(string_agg(\"its row\"::text, e'\\n' order by \"its row\"::text), ''), \
                 getdatabaseencoding()), 'escape') from {name} \"its row\""
            )
        };
        let ours: String = source.query_one(&query, &[]).await.unwrap().get(0);
        let theirs: String = target.query_one(&query, &[]).await.unwrap().get(0);
        assert!(ours == theirs, "{name} differs: {}", differences(&ours, &theirs));
    }
}

fn differences(ours: &str, theirs: &str) -> String {
    let only = |these: &str, others: &str| {
        let mut others: Vec<&str> = others.lines().collect();
        let mut only = Vec::new();
        for line in these.lines() {
            match others.iter().position(|other| *other == line) {
                Some(at) => drop(others.swap_remove(at)),
                None => only.push(format!("{line:.200}")),
            }
        }
        only.truncate(5);
        only
    };
    format!("only source {:?}, only target {:?}", only(ours, theirs), only(theirs, ours))
}
