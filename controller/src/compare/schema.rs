//! Objects: both sides' documents, kind by kind and page by page, merged by name.
use std::cmp::Ordering;

use whimbrel_proto::{
    agent::v1::{DescribedObject, SumRows},
    v1::{self, Verdict, compare_response::Kind},
};

use super::{CompareError, Pair, Standing, Teller, alike, respelled::unquoted, side::Side};

/// In the order in which they are told: what others stand on first.
const KINDS: [&str; 18] = [
    "database",
    "schema",
    "extension",
    "type",
    "function",
    "table",
    "view",
    "sequence",
    "index",
    "constraint",
    "trigger",
    "rule",
    "policy",
    "statistics",
    "event trigger",
    "publication",
    "default privileges",
    "other",
];

/// Of these, what stands on tables: narrowed by patterns of tables.
const ON_TABLES: [&str; 8] =
    ["table", "view", "index", "constraint", "trigger", "rule", "policy", "statistics"];

/// Waits until what was done to the source's objects before this is carried. A stream that stands still, or is far behind, is
/// no reason not to say how the objects are; the rows say so.
async fn catch_up(pair: &Pair) -> Result<(), CompareError> {
    if pair.standing == Standing::Apart {
        return Ok(());
    }
    let after_lsn = pair.source.sums(SumRows::default()).await?.lsn;
    match pair.target.sums(SumRows { after_lsn, ..SumRows::default() }).await {
        Ok(_) | Err(CompareError::Behind { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Compares every object.
pub(super) async fn compare(
    pair: &Pair,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    catch_up(pair).await?;
    for kind in KINDS {
        if !pair.tables_only || ON_TABLES.contains(&kind) {
            compare_kind(pair, kind, tell, done).await?;
        }
    }
    Ok(())
}

/// Sequences' values are rows of a kind.
pub(super) async fn compare_sequence_values(
    pair: &Pair,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    if pair.tables_only { Ok(()) } else { compare_kind(pair, "sequence value", tell, done).await }
}

async fn compare_kind(
    pair: &Pair,
    kind: &str,
    tell: &Teller<'_>,
    done: &mut v1::ComparedDatabase,
) -> Result<(), CompareError> {
    let mut source = Pages::new(&pair.source, pair, kind);
    let mut target = Pages::new(&pair.target, pair, kind);
    let (mut ours, mut theirs) = (source.next().await?, target.next().await?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.name.cmp(&theirs.name),
        };
        let left = if order.is_le() { ours.take() } else { None };
        let right = if order.is_ge() { theirs.take() } else { None };
        let object = judge(pair, kind, left.as_ref(), right.as_ref());
        count(&object, done);
        if object.verdict() != Verdict::Equal {
            tell.send(Kind::Object(object)).await?;
        }
        if order.is_le() {
            ours = source.next().await?;
        }
        if order.is_ge() {
            theirs = target.next().await?;
        }
    }
}

fn count(object: &v1::ComparedObject, done: &mut v1::ComparedDatabase) {
    done.objects += 1;
    match object.verdict() {
        Verdict::Equal => {}
        Verdict::Pending => done.pending_objects += 1,
        _ => done.differing_objects += 1,
    }
}

fn judge(
    pair: &Pair,
    kind: &str,
    source: Option<&DescribedObject>,
    target: Option<&DescribedObject>,
) -> v1::ComparedObject {
    let following = pair.standing == Standing::Following;
    let facts = |side: Option<&DescribedObject>| {
        side.map(|object| object.facts.clone()).unwrap_or_default()
    };
    let (ours, theirs) = (facts(source), facts(target));
    let (verdict, differences) = match (source, target) {
        (Some(_), None) if following && alike::comes_with_the_cutover(kind, &ours) => {
            (Verdict::Pending, Vec::new())
        }
        (Some(_), None) => (Verdict::OnlyOnSource, Vec::new()),
        (None, _) => (Verdict::OnlyOnTarget, Vec::new()),
        (Some(_), Some(_)) => {
            let judged = alike::differences(kind, &ours, &theirs, pair.is_same_major(), following);
            let verdict = match (judged.differing.is_empty(), judged.pending.is_empty()) {
                (true, true) => Verdict::Equal,
                (true, false) => Verdict::Pending,
                (false, _) => Verdict::Differs,
            };
            let mut all = judged.differing;
            if verdict == Verdict::Pending {
                all = judged.pending;
            }
            (verdict, all)
        }
    };
    let name = source.or(target).map(|object| unquoted(&object.name)).unwrap_or_default();
    let differences = differences.into_iter().map(shown).collect();
    v1::ComparedObject {
        kind: kind.to_owned(),
        name,
        verdict: verdict.into(),
        differences,
        note: String::new(),
    }
}

/// Without the quotes that names don't need, unless they are what differs.
fn shown(difference: v1::FactDifference) -> v1::FactDifference {
    let (source, target) = (unquoted(&difference.source), unquoted(&difference.target));
    let fact = unquoted(&difference.fact);
    if source == target {
        return v1::FactDifference { fact, ..difference };
    }
    v1::FactDifference { fact, source, target }
}

/// One side's documents of one kind, a page in memory.
struct Pages<'a> {
    side: &'a Side,
    pair: &'a Pair,
    kind: &'a str,
    waiting: std::vec::IntoIter<DescribedObject>,
    /// After which name the next page begins; `None`: there is none.
    next: Option<String>,
}

impl<'a> Pages<'a> {
    fn new(side: &'a Side, pair: &'a Pair, kind: &'a str) -> Self {
        Self { side, pair, kind, waiting: Vec::new().into_iter(), next: Some(String::new()) }
    }

    async fn next(&mut self) -> Result<Option<DescribedObject>, CompareError> {
        loop {
            if let Some(object) = self.waiting.next() {
                return Ok(Some(object));
            }
            let Some(after) = self.next.take() else { return Ok(None) };
            let version = self.pair.common_version();
            let page = self.side.objects(self.kind, &after, version, &self.pair.scope).await?;
            self.next = (!page.next.is_empty()).then_some(page.next);
            self.waiting = page.objects.into_iter();
        }
    }
}
