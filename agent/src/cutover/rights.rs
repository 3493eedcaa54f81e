//! Rights that the source has granted or taken away since its schema was dumped.
//!
//! What was granted is granted here. What was taken away is another matter: writes are often stopped by taking rights away,
//! and the application must be able to write here. So it is taken away here only where that can't be what it was for: from a
//! grantee that has kept its rights to write to what was there from the beginning, what does not write, and whatever it is
//! on an object that is new, which only default privileges can have granted here. The rest is left, and counted: a
//! report names it, in full.
use std::collections::{BTreeSet, HashSet};

use tokio_postgres::{GenericClient, error::SqlState};

use super::{steps::Steps, take_over::some};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{RESTORE_SETTINGS, bare},
    verify::{MAINTAIN_SINCE, Right, Wider, lacking, lacking_here, missing, rights_of, wider},
    wire::{Answer, Ask, unexpected_answer},
};

/// What is the database's own has just been compared: it can be missing only in an extension that the target has in another
/// version, and no person can make it there.
const NOT_HERE: [SqlState; 3] =
    [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN];

/// Who granted it is another than we may act for, or its grantee has granted it on. It is left then.
const NOT_ALONE: [SqlState; 2] =
    [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::DEPENDENT_OBJECTS_STILL_EXIST];

/// The target's version has not that object, its provider not that role, or its role is no superuser.
const NOT_OF_SYSTEM: [SqlState; 6] = [
    SqlState::UNDEFINED_FUNCTION,
    SqlState::UNDEFINED_TABLE,
    SqlState::UNDEFINED_COLUMN,
    SqlState::UNDEFINED_OBJECT,
    SqlState::INSUFFICIENT_PRIVILEGE,
    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
];

/// What became of the rights.
pub(super) struct Settled {
    /// For an operator to read.
    pub(super) told: Option<String>,
    /// What the next change of rights is told by: the source's, and those that it took away and were left here; none where
    /// none are known.
    pub(super) known: Option<Vec<String>>,
}

/// Makes the rights here what they are on the source, as far as that is safe. `new`: objects that were made since the dump, without quotes.
pub(super) async fn settle_rights(
    steps: &Steps<'_>,
    session: &mut Client,
    new: &HashSet<String>,
) -> Result<Settled, Fault> {
    let doing = "granting on the target what was granted on the source";
    let Answer::Statements(all) =
        steps.receiver.caller.ask(Ask::Rights { under_snapshot: false }).await?
    else {
        return Err(unexpected_answer());
    };
    let selected = &steps.receiver.spec.selected;
    let (there_of_system, there) = apart(read(&all)?);
    let maintain = steps.receiver.source_major(session).await? >= MAINTAIN_SINCE;
    let then = steps.receiver.dumped_rights(session).await?;
    let then = then.map(|then| read(&then)).transpose()?;
    let (then_of_system, then) = then.map(apart).unzip();
    let here = rights_here(steps, session).await?;
    let to_take = to_take(&wider(&there, &here, maintain), then.as_ref(), new);
    let tx = session.transaction().await.doing(doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    for right in &to_take {
        try_to(&tx, &right.revoke(), &NOT_ALONE).await.doing(doing)?;
    }
    let mut ungranted = Vec::new();
    for grant in missing(&there, &here).iter().map(Right::grant) {
        if !try_to(&tx, &grant, &NOT_HERE).await.doing(doing)? {
            ungranted.push(grant);
        }
    }
    let system = match &then_of_system {
        Some(then) => settle_system(&tx, &there_of_system, then, maintain).await.doing(doing)?,
        None => OfSystem::default(),
    };
    steps.copied.ledger.commit(tx, doing).await?;
    // What a server only warns of is told as done.
    let (system_here, after) = apart(read(&rights_of(session, selected).await?)?);
    let system = system.seen(&there_of_system, &then_of_system.unwrap_or_default(), &system_here);
    let lacking = lacking_here(session, selected, &all).await?;
    let lacking: Vec<String> = lacking.iter().map(Right::grant).collect();
    let lacking: Vec<String> = lacking.into_iter().filter(|it| !ungranted.contains(it)).collect();
    // What was to be taken may still be here: granted by another than the owner, or granted on.
    let left = wider(&there, &after, maintain);
    let mut taken: Vec<&Wider> = to_take.iter().filter(|right| !left.contains(right)).collect();
    taken.extend(&system.taken);
    let mut known = then.map(|then| known(&there, &then, &left));
    if let Some(known) = &mut known {
        known.extend(there_of_system.iter().map(Right::statement));
    }
    let told = [told(&ungranted, &lacking, &taken, left.len()), system.told()];
    let told: Vec<String> = told.into_iter().flatten().collect();
    Ok(Settled { told: (!told.is_empty()).then(|| told.join("; ")), known })
}

/// The system's own are another matter than the database's: each server's are its version's, and its provider's.
async fn rights_here(steps: &Steps<'_>, session: &Client) -> Result<BTreeSet<Right>, Fault> {
    Ok(apart(read(&rights_of(session, &steps.receiver.spec.selected).await?)?).1)
}

/// On the system's own objects, and on the database's.
fn apart(rights: BTreeSet<Right>) -> (BTreeSet<Right>, BTreeSet<Right>) {
    rights.into_iter().partition(Right::is_of_system)
}

/// What became of the rights on the system's own objects.
#[derive(Default)]
struct OfSystem {
    taken: Vec<Wider>,
    given: Vec<Right>,
    /// Statements that this server does not take.
    left: Vec<String>,
}

impl OfSystem {
    /// What the server has taken and not done is left. `here`: what is more or less now than initdb gives.
    fn seen(
        mut self,
        there: &BTreeSet<Right>,
        then: &BTreeSet<Right>,
        here: &BTreeSet<Right>,
    ) -> Self {
        let lacks = |right: &Right| match then.contains(&right.revoked()) {
            true => here.contains(&right.revoked()),
            false => !lacking(&BTreeSet::from([right.clone()]), here).is_empty(),
        };
        let stays = |it: &Wider| match there.contains(&it.right.revoked()) {
            true => !here.contains(&it.right.revoked()),
            false => here.contains(&it.right),
        };
        let (stay, taken): (Vec<_>, _) = self.taken.into_iter().partition(stays);
        self.taken = taken;
        self.left.extend(stay.iter().map(Wider::revoke));
        self.left.extend(self.given.iter().filter(|right| lacks(right)).map(Right::grant));
        self
    }

    fn told(&self) -> Option<String> {
        let left: Vec<&str> = self.left.iter().map(String::as_str).collect();
        (!left.is_empty()).then(|| {
            format!(
                "rights on the system's own objects changed on the source, and this is left to a superuser of the target: {}",
                some(&left)
            )
        })
    }
}

/// Those that the source has changed since it was dumped, and no others: what was there then came with the dump. Nobody stops
/// an application's writes by them.
async fn settle_system(
    tx: &impl GenericClient,
    there: &BTreeSet<Right>,
    then: &BTreeSet<Right>,
    maintain: bool,
) -> Result<OfSystem, tokio_postgres::Error> {
    let mut system = OfSystem::default();
    for right in wider(there, then, maintain) {
        match try_to(tx, &right.revoke(), &NOT_OF_SYSTEM).await? {
            true => system.taken.push(right),
            false => system.left.push(right.revoke()),
        }
    }
    for right in missing(there, then) {
        match try_to(tx, &right.grant(), &NOT_OF_SYSTEM).await? {
            true => system.given.push(right),
            false => system.left.push(right.grant()),
        }
    }
    Ok(system)
}

fn read(statements: &[String]) -> Result<BTreeSet<Right>, Fault> {
    let rights: Option<BTreeSet<Right>> = statements.iter().map(|it| Right::parse(it)).collect();
    rights.ok_or_else(unexpected_answer)
}

/// Of what is here and no more there, what goes. `then`: the source's rights when it was dumped; without them (a ledger of
/// an older agent) nobody knows which right it has taken away, and which one a person has granted here.
fn to_take(wider: &[Wider], then: Option<&BTreeSet<Right>>, new: &HashSet<String>) -> Vec<Wider> {
    let stopped = stopped(wider, then, new);
    let is_lost = |it: &Wider| {
        let harmless = it.option_only || !it.right.may_write();
        harmless && then.is_some_and(|then| then.contains(&it.right))
    };
    let goes = |it: &&Wider| {
        !stopped.contains(&*it.right.held.grantee)
            && (new.contains(&bare(&it.right.object)) || is_lost(it))
    };
    wider.iter().filter(goes).cloned().collect()
}

/// Whose rights may have been taken away to stop writes: who has lost a right to write to what was there from the beginning.
/// If there are any, so may those who could write to nothing then: what they have lost goes with the rest in REVOKE ALL, or
/// they could write only to what has come since.
fn stopped<'a>(
    wider: &'a [Wider],
    then: Option<&BTreeSet<Right>>,
    new: &HashSet<String>,
) -> BTreeSet<&'a str> {
    let has_lost = |it: &&Wider| {
        let is_old = !new.contains(&bare(&it.right.object));
        let was_there = then.is_none_or(|then| then.contains(&it.right));
        // Functions are taken from everybody to be safe, and from an application's role to stop it.
        let of_all = it.right.kind() == "routine" && it.right.held.grantee == "public";
        is_old && was_there && !it.option_only && !of_all && it.right.may_write()
    };
    let grantee = |it: &'a Wider| &*it.right.held.grantee;
    let mut stopped: BTreeSet<&str> = wider.iter().filter(has_lost).map(grantee).collect();
    if let Some(then) = then
        && !stopped.is_empty()
    {
        let writers: BTreeSet<&str> =
            then.iter().filter(|it| it.may_write()).map(|it| &*it.held.grantee).collect();
        stopped.extend(wider.iter().map(grantee).filter(|name| !writers.contains(name)));
    }
    stopped
}

/// A right that was left was the source's once: it still tells that its writes may have been stopped.
fn known(there: &BTreeSet<Right>, then: &BTreeSet<Right>, left: &[Wider]) -> Vec<String> {
    let left: BTreeSet<&Right> = left.iter().map(|it| &it.right).collect();
    let stopped = then.iter().filter(|right| left.contains(right));
    // What an extension grants by itself, and does not: that is no right.
    there.iter().filter(|right| !right.held.revoked).chain(stopped).map(Right::grant).collect()
}

/// Whether it could be done, or failed in a way that is told.
async fn try_to(
    tx: &impl GenericClient,
    statement: &str,
    told: &[SqlState],
) -> Result<bool, tokio_postgres::Error> {
    tx.batch_execute("savepoint whimbrel_right").await?;
    match tx.batch_execute(statement).await {
        Ok(()) => tx.batch_execute("release whimbrel_right").await.map(|()| true),
        Err(error) if error.code().is_some_and(|code| told.contains(code)) => {
            tx.batch_execute("rollback to whimbrel_right").await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

fn told(ungranted: &[String], lacking: &[String], taken: &[&Wider], left: usize) -> Option<String> {
    let ungranted: Vec<&str> = ungranted.iter().map(String::as_str).collect();
    let lacking: Vec<&str> = lacking.iter().map(String::as_str).collect();
    let taken: Vec<String> = taken.iter().map(|right| right.revoke()).collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    let told = [
        (!ungranted.is_empty()).then(|| {
            format!(
                "rights on what the target does not have, in extensions of another version, were not granted: {}",
                some(&ungranted)
            )
        }),
        (!lacking.is_empty()).then(|| {
            format!(
                "rights that our role may not grant on the target are left to the owner of the object, or a superuser: {}",
                some(&lacking)
            )
        }),
        (!taken.is_empty())
            .then(|| format!("rights were taken away as on the source: {}", some(&taken))),
        (left > 0).then(|| {
            format!(
                "rights that the source has not ({left}) were left on the target, since taking them away may be how its \
                 writes were stopped; `whimbrel migration report` gives the statements that take away each of them"
            )
        }),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: [&str; 6] = [
        "grant INSERT on table old to app",
        "grant SELECT on table old to app",
        "grant SELECT on table old to anon",
        "grant SELECT on table old to loader with grant option",
        "grant INSERT on table old to loader",
        "grant EXECUTE on routine f() to public",
    ];

    fn rights(statements: &[&str]) -> BTreeSet<Right> {
        statements.iter().map(|it| Right::parse(it).unwrap()).collect()
    }

    fn taken(there: &[&str], here: &[&str], then: Option<&[&str]>) -> Vec<String> {
        let wider = wider(&rights(there), &rights(here), true);
        let then = then.map(rights);
        let new = HashSet::from(["table new".to_owned()]);
        to_take(&wider, then.as_ref(), &new).iter().map(Wider::revoke).collect()
    }

    #[test]
    fn what_does_not_write_goes() {
        let there = [THEN[0], THEN[1], "grant SELECT on table old to loader", THEN[4]];
        let gone = [
            "revoke SELECT on table old from anon",
            "revoke grant option for SELECT on table old from loader",
        ];
        assert_eq!(taken(&there, &THEN, Some(&THEN)), gone);
        assert!(taken(&there, &THEN, None).is_empty());
    }

    #[test]
    fn of_who_may_have_been_stopped_all_stays() {
        assert!(taken(&[], &THEN, Some(&THEN)).is_empty());
        let there = ["grant SELECT on table old to loader", THEN[4]];
        let option = ["revoke grant option for SELECT on table old from loader"];
        assert_eq!(taken(&there, &THEN, Some(&THEN)), option);
    }

    #[test]
    fn of_a_new_object_everything_goes_unless_its_grantee_may_have_been_stopped() {
        let new = [
            "grant INSERT on table new to anon",
            "grant INSERT on table new to app",
            "grant INSERT on table new to loader",
            "grant INSERT on table new to public",
        ];
        let here = [&THEN[..], &new].concat();
        let all = ["anon", "app", "loader", "public"]
            .map(|grantee| format!("revoke INSERT on table new from {grantee}"));
        assert_eq!(taken(&THEN, &here, Some(&THEN)), all);
        assert_eq!(taken(&THEN[..5], &here, Some(&THEN)), all);
        assert_eq!(taken(&THEN[1..], &here, Some(&THEN)), all[2..]);
    }

    #[test]
    fn what_a_person_has_granted_here_is_left_and_tells_nothing() {
        let by_hand = ["grant INSERT on table old to anon", "grant SELECT on table old to x"];
        let here = [&THEN[..], &by_hand].concat();
        let there = [&THEN[..2], &THEN[3..]].concat();
        assert_eq!(taken(&there, &here, Some(&THEN)), ["revoke SELECT on table old from anon"]);
    }

    #[test]
    fn a_right_that_was_left_is_known_the_next_time() {
        let (there, then) = (rights(&THEN[1..]), rights(&THEN));
        let left = wider(&there, &then, true);
        let known = known(&there, &then, &left);
        assert!(known.iter().any(|it| it == THEN[0]), "{known:?}");
    }

    #[test]
    fn what_was_left_is_counted() {
        let text = told(&[], &[], &[], 31).unwrap();
        assert!(text.contains("(31)") && text.contains("whimbrel migration report"), "{text}");
        assert_eq!(told(&[], &[], &[], 0), None);
    }
}
