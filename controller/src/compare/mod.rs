//! Compares two servers, by what their agents tell of them: documents of objects, sums of rows. Decides nothing about
//! migrations and remembers nothing.
//!
//! What always holds: each agent asks one side only; no row and no value of one comes here; a comparison ends with the call
//! that it was made for, and what an agent is doing for it then is bounded. While a change stream flows, a difference is
//! one only when it stays the same through several looks, each of the target behind the source's last one.
mod alike;
mod data;
mod error;
mod report;
mod respelled;
mod rounds;
mod schema;
mod side;
mod sums;

use std::sync::Arc;

use tokio::sync::mpsc;
use whimbrel_proto::{agent::v1 as link, v1};

use crate::fleet::Fleet;
pub use error::CompareError;
pub use report::report;
use side::Side;

/// Messages on their way to whoever asked: a reader that is slow slows the comparison down.
pub const MESSAGES_MAX: usize = 64;

/// Where a comparison's messages go.
pub type Out = mpsc::Sender<Result<v1::CompareResponse, CompareError>>;

/// A server, by the agent that reaches it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The agent's id.
    pub agent: String,
    /// With what the agent opens.
    pub endpoint: v1::Endpoint,
}

/// How the two databases stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Two databases; whatever differs, differs.
    Apart,
    /// The target follows the source, and is not switched yet.
    Following,
}

/// What is to be compared.
pub struct Comparison {
    /// Who asks the servers.
    pub fleet: Arc<Fleet>,
    /// Where rows come from.
    pub source: Server,
    /// Where they go.
    pub target: Server,
    /// Names on both sides.
    pub databases: Vec<(String, Standing)>,
    /// Objects, or rows, or both.
    pub part: v1::compare_scope::Part,
    /// Of the migration's objects and tables, these.
    pub selection: link::Selection,
    /// Those of the migration.
    pub migrated: link::Selection,
    /// Only tables, and what is on them: patterns were given.
    pub tables_only: bool,
}

/// One database's pair of sides, and what is common to them.
struct Pair {
    source: Side,
    target: Side,
    standing: Standing,
    scope: side::Scope,
    tables_only: bool,
    source_version: u32,
    target_version: u32,
}

impl Pair {
    fn common_version(&self) -> u32 {
        self.source_version.min(self.target_version)
    }

    fn is_same_major(&self) -> bool {
        self.source_version / 10_000 == self.target_version / 10_000
    }
}

/// Compares, database by database, until it is done or nobody listens any more.
pub async fn compare(comparison: Comparison, out: Out) {
    if let Err(error) = compare_all(&comparison, &out).await {
        // Whoever asked has gone: then nobody is told.
        drop(out.send(Err(error)).await);
    }
}

async fn compare_all(comparison: &Comparison, out: &Out) -> Result<(), CompareError> {
    let mut compared = 0;
    for (database, standing) in &comparison.databases {
        compared += compare_database(comparison, database, *standing, out).await?;
    }
    // A slip of the pen must not look like two servers that are alike.
    if compared == 0 && comparison.tables_only {
        let patterns = comparison.selection.include_tables.join(", ");
        return Err(CompareError::NothingMatches { patterns });
    }
    Ok(())
}

/// How many objects and tables were compared.
async fn compare_database(
    comparison: &Comparison,
    database: &str,
    standing: Standing,
    out: &Out,
) -> Result<u64, CompareError> {
    let side = |server: &Server, name| Side {
        fleet: Arc::clone(&comparison.fleet),
        server: server.clone(),
        database: database.to_owned(),
        name,
    };
    let mut pair = Pair {
        source: side(&comparison.source, "source"),
        target: side(&comparison.target, "target"),
        standing,
        scope: side::Scope {
            selection: comparison.selection.clone(),
            migrated: comparison.migrated.clone(),
        },
        tables_only: comparison.tables_only,
        source_version: 0,
        target_version: 0,
    };
    let mut done = v1::ComparedDatabase::default();
    let tell = Teller { out, database };
    if find_both(&mut pair, &tell, &mut done).await? {
        use v1::compare_scope::Part;
        if comparison.part != Part::Data {
            schema::compare(&pair, &tell, &mut done).await?;
        }
        if comparison.part != Part::Schema {
            schema::compare_sequence_values(&pair, &tell, &mut done).await?;
            data::compare(&pair, &tell, &mut done).await?;
        }
    }
    let compared = done.objects + done.tables;
    tell.send(v1::compare_response::Kind::Done(done)).await?;
    Ok(compared)
}

/// Asks both sides for their version; a database that is on one side only is told as an object.
async fn find_both(
    pair: &mut Pair,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<bool, CompareError> {
    let (source, target) = (pair.source.version().await?, pair.target.version().await?);
    let verdict = match (source, target) {
        (Some(source), Some(target)) => {
            (pair.source_version, pair.target_version) = (source, target);
            return Ok(true);
        }
        (Some(_), None) => v1::Verdict::OnlyOnSource,
        (None, Some(_)) => v1::Verdict::OnlyOnTarget,
        (None, None) => {
            return Err(CompareError::NoDatabase { database: tell.database.to_owned() });
        }
    };
    (done.objects, done.differing_objects) = (1, 1);
    let (kind, name) = ("database".to_owned(), tell.database.to_owned());
    let object = v1::ComparedObject { kind, name, verdict: verdict.into(), ..Default::default() };
    tell.send(v1::compare_response::Kind::Object(object)).await?;
    Ok(false)
}

/// Tells of one database.
struct Teller<'a> {
    out: &'a Out,
    database: &'a str,
}

impl Teller<'_> {
    async fn send(&self, kind: v1::compare_response::Kind) -> Result<(), CompareError> {
        let message = v1::CompareResponse { database: self.database.to_owned(), kind: Some(kind) };
        self.out.send(Ok(message)).await.map_err(|_| CompareError::Unheard)
    }
}
