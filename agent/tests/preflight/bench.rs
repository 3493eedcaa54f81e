//! A server to look at, and what was found there.
use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use whimbrel_agent::{
    postgres::{Client, Endpoint, Password, Programs, SslMode, connect},
    preflight::{SourceInput, TargetInput, check_source, check_target},
    selection::Selected,
};
use whimbrel_proto::{
    agent::v1::{CheckLevel, Checked, Selection},
    v1::{Finding, FindingState, Validation},
};

use crate::cluster::Cluster;

pub(crate) const HBA: &str =
    "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// The password of every role that a test makes.
pub(crate) const ROLE_PASSWORD: &str = "mover";

/// Who gives rights on a parameter does it alone.
static PARAMETERS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A server; the tests act on it as its superuser.
pub(crate) struct Bench {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) programs: Programs,
}

impl Bench {
    /// A server of its own.
    pub(crate) async fn start(settings: &str) -> Self {
        Self::of(Arc::new(Cluster::start(HBA, settings))).await
    }

    /// The server of all tests that leave it as it is but for databases and roles with names of their own.
    pub(crate) async fn shared() -> Self {
        static SHARED: Shared = Mutex::new(Weak::new());
        Self::of(share(&SHARED)).await
    }

    /// As [`Bench::shared`], another one.
    pub(crate) async fn other() -> Self {
        static OTHER: Shared = Mutex::new(Weak::new());
        Self::of(share(&OTHER)).await
    }

    pub(crate) async fn of(cluster: Arc<Cluster>) -> Self {
        Self { cluster, programs: Programs::discover(&[]).await }
    }

    pub(crate) fn superuser(&self) -> Endpoint {
        self.cluster.endpoint(SslMode::Prefer)
    }

    /// A role that a test made with [`ROLE_PASSWORD`].
    pub(crate) fn as_role(&self, role: &str) -> Endpoint {
        let password = Some(Password::new(ROLE_PASSWORD.into()));
        Endpoint { user: role.into(), password, ..self.superuser() }
    }

    pub(crate) async fn client(&self, database: &str) -> Client {
        connect(&self.superuser(), database, "test").await.unwrap()
    }

    /// Runs statements as the superuser, each by itself, as psql does.
    pub(crate) async fn sql(&self, database: &str, sql: &str) {
        let client = self.client(database).await;
        client.batch_execute("set search_path = \"$user\", public").await.unwrap();
        for statement in sql.split(';') {
            // The rights of all on one parameter are one row of the whole cluster, which the server
            // refuses to two that write it at once ("tuple concurrently updated", or a duplicate).
            let _alone = match statement.contains("on parameter") {
                true => Some(PARAMETERS.lock().await),
                false => None,
            };
            client
                .batch_execute(statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    }

    /// Asks until there is an answer: what waits for a cause that no notice tells.
    pub(crate) async fn answer(&self, database: &str, sql: &str) -> String {
        let client = self.client(database).await;
        for _ in 0..600 {
            let rows =
                client.query(&format!("select q::text from ({sql}) p(q)"), &[]).await.unwrap();
            if let Some(row) = rows.first() {
                return row.get(0);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no answer in a minute to {sql}");
    }

    /// Everything of an online migration of `databases` is checked.
    pub(crate) async fn source(&self, endpoint: &Endpoint, databases: &[&str]) -> Looked {
        self.source_at(endpoint, databases, CheckLevel::Preflight, true).await
    }

    pub(crate) async fn source_at(
        &self,
        endpoint: &Endpoint,
        databases: &[&str],
        level: CheckLevel,
        online: bool,
    ) -> Looked {
        let change = |input: &mut SourceInput<'_>| (input.level, input.online) = (level, online);
        self.source_with(endpoint, databases, change).await
    }

    pub(crate) async fn source_with(
        &self,
        endpoint: &Endpoint,
        databases: &[&str],
        change: impl FnOnce(&mut SourceInput<'_>),
    ) -> Looked {
        self.source_of(endpoint, databases, Selection::default(), change).await
    }

    /// A part of the databases.
    pub(crate) async fn source_of(
        &self,
        endpoint: &Endpoint,
        databases: &[&str],
        selection: Selection,
        change: impl FnOnce(&mut SourceInput<'_>),
    ) -> Looked {
        let databases: Vec<String> = databases.iter().map(|&name| name.to_owned()).collect();
        let mut input = SourceInput {
            endpoint,
            databases: &databases,
            selection: &selection,
            selected: &Selected::new(Some(&selection)).unwrap(),
            level: CheckLevel::Preflight,
            online: true,
            migrate_roles: false,
            programs: &self.programs,
        };
        change(&mut input);
        Looked(check_source(&input).await)
    }

    pub(crate) async fn target(
        &self,
        endpoint: &Endpoint,
        databases: &[&str],
        facts: &[u8],
    ) -> Looked {
        self.target_with(endpoint, databases, facts, |_| {}).await
    }

    pub(crate) async fn target_with(
        &self,
        endpoint: &Endpoint,
        databases: &[&str],
        source_facts: &[u8],
        change: impl FnOnce(&mut TargetInput<'_>),
    ) -> Looked {
        let databases: Vec<String> = databases.iter().map(|&name| name.to_owned()).collect();
        let mut input = TargetInput {
            endpoint,
            databases: &databases,
            level: CheckLevel::Preflight,
            online: true,
            overwrite: false,
            migrate_roles: false,
            source_facts,
        };
        change(&mut input);
        Looked(check_target(&input).await)
    }
}

/// Goes with the last test that holds it.
type Shared = Mutex<Weak<Cluster>>;

fn share(shared: &Shared) -> Arc<Cluster> {
    let mut shared = shared.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start(HBA, ""));
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

/// What was found.
pub(crate) struct Looked(pub(crate) Checked);

impl Looked {
    /// Each check of the server (`""`) and of the databases.
    fn validations(&self) -> impl Iterator<Item = (&str, &Validation)> {
        let findings = self.0.findings.as_ref().unwrap();
        let server = findings.server.iter().map(|validation| ("", validation));
        let databases = findings.databases.iter().flat_map(|database| {
            database.validations.iter().map(|validation| (database.database.as_str(), validation))
        });
        server.chain(databases)
    }

    /// Names of the checks that were made, of the server (`""`) or a database.
    pub(crate) fn made(&self, of: &str) -> Vec<&str> {
        let of_it = self.validations().filter(|(database, _)| *database == of);
        of_it.map(|(_, validation)| validation.r#type.as_str()).collect()
    }

    fn findings(&self) -> impl Iterator<Item = (&str, &Finding)> {
        self.validations().flat_map(|(of, validation)| {
            let worst = validation.findings.iter().map(|finding| finding.state).max();
            assert_eq!(
                validation.state,
                worst.unwrap_or(FindingState::FindingSucceeded.into()),
                "{validation:#?}"
            );
            validation.findings.iter().map(move |finding| (of, finding))
        })
    }

    /// Warnings and failures.
    fn defects(&self) -> impl Iterator<Item = (&str, &Finding)> {
        let is_note = |finding: &Finding| finding.state() == FindingState::FindingSucceeded;
        self.findings().filter(move |(_, finding)| !is_note(finding))
    }

    /// "database: Code object", of all warnings and failures, in order; the server's have no database.
    pub(crate) fn told(&self) -> Vec<String> {
        self.defects()
            .map(|(of, finding)| format!("{of}: {} {}", finding.code, finding.object))
            .collect()
    }

    /// As [`Looked::told`], of what is told though nothing is wrong, with its message.
    pub(crate) fn noted(&self) -> Vec<String> {
        self.findings()
            .filter(|(_, finding)| finding.state() == FindingState::FindingSucceeded)
            .map(|(_, finding)| format!("{} {}: {}", finding.code, finding.object, finding.message))
            .collect()
    }

    #[track_caller]
    pub(crate) fn assert_told(&self, expected: &[&str]) {
        assert_eq!(self.told(), expected, "{:#?}", self.0);
    }

    #[track_caller]
    pub(crate) fn assert_status(&self, status: FindingState) {
        assert_eq!(self.0.findings.as_ref().unwrap().status(), status, "{:#?}", self.0);
    }

    /// What findings with this code speak of.
    pub(crate) fn objects(&self, code: &str) -> Vec<String> {
        let found = self.findings().filter(|(_, finding)| finding.code == code);
        found.map(|(_, finding)| finding.object.clone()).collect()
    }

    /// The finding with this code, of this object.
    #[track_caller]
    pub(crate) fn finding_of(&self, code: &str, object: &str) -> &Finding {
        let is_it = |finding: &&Finding| finding.code == code && finding.object == object;
        self.findings().map(|(_, finding)| finding).find(is_it).unwrap()
    }

    /// The one finding with this code.
    #[track_caller]
    pub(crate) fn only(&self, code: &str) -> &Finding {
        let mut found = self.findings().filter(|(_, finding)| finding.code == code);
        match (found.next(), found.next()) {
            (Some((_, finding)), None) => finding,
            _ => panic!("not one {code}: {:#?}", self.0),
        }
    }

    pub(crate) fn remedies(&self) -> Vec<String> {
        self.defects().map(|(_, finding)| finding.remedy.clone()).collect()
    }

    /// Pastes every remedy into `postgres`: a target does not have the databases that it is checked for.
    pub(crate) async fn paste_outside(&self, bench: &Bench) {
        for remedy in self.remedies() {
            bench.sql("postgres", &remedy).await;
        }
    }

    /// Pastes every remedy, as it is (what stands behind its comment's dashes is none of its statements), into the database that
    /// it is about, or into `postgres`.
    pub(crate) async fn paste(&self, bench: &Bench) {
        for (of, finding) in self.defects() {
            let database = if of.is_empty() { "postgres" } else { of };
            let sql = finding.remedy.split_once(" -- ").map_or(&*finding.remedy, |(sql, _)| sql);
            bench.sql(database, sql).await;
        }
    }
}
