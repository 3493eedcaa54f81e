//! Rights that the target gives and the source does not: all of them, as statements that take them away; and those of the source
//! that the target lacks, as statements that give them.
//!
//! A cutover leaves what is more where taking them away on the source may be how its writes were stopped, and nothing else tells of
//! them; a person may have granted one here too. Of objects that are on both sides only: what is here alone is not the
//! migration's. What lacks could not be granted: of an object that is another role's there, a server grants nothing, and only
//! warns.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{
    Item,
    advise::{NotOpened, open},
};
use crate::{
    fault::Fault,
    postgres::Endpoint,
    selection::Selected,
    verify::{Alike, Held, MAINTAIN_SINCE, Right, Wider, lacking, rights_by_object, wider},
};

const TOPIC: &str = "rights";

/// Objects of a database, on either side, whose rights are compared: what is told of them fits in a message many times.
const OBJECTS_MAX: usize = 200_000;

/// Objects of one statement: more make no line that can be read.
const STATEMENT_OBJECTS: usize = 50;

/// The kinds of objects, as GRANT names them.
const KINDS: [&str; 8] = [
    "foreign data wrapper",
    "foreign server",
    "language",
    "routine",
    "schema",
    "sequence",
    "table",
    "type",
];

/// Of one database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OfDatabase {
    database: String,
    server_major: u32,
    alike: Vec<Alike>,
}

/// Reads them on one side; a database that is not there has none.
pub(super) async fn look(
    endpoint: &Endpoint,
    databases: &[String],
    selected: &Selected,
    side: &str,
) -> Result<(Vec<OfDatabase>, Vec<Item>), Fault> {
    let (mut found, mut items) = (Vec::new(), Vec::new());
    for database in databases {
        let client = match open(endpoint, database).await {
            Ok(client) => client,
            Err(NotOpened::Missing) => continue,
            Err(NotOpened::Refused(fault)) => {
                items.push(not_compared(database, side, &fault.message));
                continue;
            }
            Err(NotOpened::Failed(fault)) => return Err(fault),
        };
        let server_major = client.server_major();
        match rights_by_object(&client, selected, OBJECTS_MAX).await {
            Ok(Some(alike)) => {
                found.push(OfDatabase { database: database.clone(), server_major, alike });
            }
            Ok(None) => {
                let why = format!("it has more than {OBJECTS_MAX} objects");
                items.push(not_compared(database, side, &why));
            }
            Err(fault) => items.push(not_compared(database, side, &fault.message)),
        }
    }
    Ok((found, items))
}

fn not_compared(database: &str, side: &str, why: &str) -> Item {
    Item {
        topic: TOPIC.to_owned(),
        database: database.to_owned(),
        to_do: true,
        code: "CheckImpossible".to_owned(),
        object: "RightLeft".to_owned(),
        message: format!("the rights could not be looked at on the {side}: {why}"),
        remedy: "-- compare what pg_dump --schema-only says of both sides: the lines with GRANT and REVOKE"
            .to_owned(),
    }
}

/// The source's agent tells nothing of them.
pub(super) fn untold() -> Item {
    not_compared("", "source", "its agent is older than the target's: run agents of one version")
}

/// What the target gives and the source does not, behind what it is the other way round.
pub(super) fn compare(there: &[OfDatabase], here: &[OfDatabase]) -> Vec<Item> {
    let mut items = Vec::new();
    for theirs in there {
        let Some(ours) = here.iter().find(|ours| ours.database == theirs.database) else {
            continue;
        };
        let maintain = theirs.server_major >= MAINTAIN_SINCE;
        let differing = differing(&theirs.alike, &ours.alike, maintain);
        items.extend(
            together(differing)
                .iter()
                .flat_map(|(what, objects)| of_database(theirs, what, objects)),
        );
    }
    items
}

/// A right that one side alone has.
struct Differing {
    right: Right,
    /// Only that it may be granted.
    option_only: bool,
    how: How,
}

/// By object, so that a database with many has each right in memory but once.
fn differing(there: &[Alike], here: &[Alike], maintain: bool) -> Vec<Differing> {
    let theirs: HashMap<&str, &Alike> =
        there.iter().flat_map(|a| a.objects.iter().map(move |name| (&**name, a))).collect();
    let mut found = Vec::new();
    for ours in here {
        for name in &ours.objects {
            let Some(theirs) = theirs.get(&**name) else { continue };
            if theirs.held == ours.held {
                continue;
            }
            let (less, more) = of_object(name, theirs, ours, maintain);
            // Taken away from everybody, and not given to whom the source gives it, it would be nobody's.
            let first: String = less.iter().map(|right| format!("{}; ", right.grant())).collect();
            found.extend(less.into_iter().map(|right| {
                let option_only = right.held.grantable;
                Differing { right, option_only, how: How::Give }
            }));
            found.extend(more.into_iter().map(|Wider { right, option_only }| Differing {
                right,
                option_only,
                how: How::Take(first.clone()),
            }));
        }
    }
    found
}

/// What it has less here, and what more.
fn of_object(name: &str, theirs: &Alike, ours: &Alike, maintain: bool) -> (Vec<Right>, Vec<Wider>) {
    let (there, here) = (rights(name, theirs), rights(name, ours));
    // An owner may everything, but for what it has taken from itself.
    let lost = |side: &Alike, of: &Held| {
        let gone = Held { grantable: false, revoked: true, ..of.clone() };
        side.held.contains(&gone)
    };
    let less = lacking(&there, &here).into_iter().filter(|right| {
        right.held.grantee != ours.owner || theirs.owner == ours.owner && lost(ours, &right.held)
    });
    let more = wider(&there, &here, maintain)
        .into_iter()
        .filter(|it| it.right.held.grantee != theirs.owner || lost(theirs, &it.right.held));
    (less.collect(), more.collect())
}

fn rights(object: &str, of: &Alike) -> BTreeSet<Right> {
    let right = |held: &_| Right { object: object.to_owned(), held: Clone::clone(held) };
    of.held.iter().map(right).collect()
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Give,
    /// Behind these statements.
    Take(String),
}

/// What one statement can give, or take away, on objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct What {
    how: How,
    kind: &'static str,
    grantee: String,
    option_only: bool,
    /// With commas.
    privileges: String,
}

fn together(all: Vec<Differing>) -> BTreeMap<What, Vec<String>> {
    let mut of_object: BTreeMap<(How, String, String, bool), Vec<String>> = BTreeMap::new();
    for Differing { right, option_only, how } in all {
        let key = (how, right.object, right.held.grantee, option_only);
        of_object.entry(key).or_default().push(right.held.privilege);
    }
    let mut together: BTreeMap<What, Vec<String>> = BTreeMap::new();
    for ((how, object, grantee, option_only), mut privileges) in of_object {
        let kind = KINDS
            .into_iter()
            .find(|kind| object.strip_prefix(kind).is_some_and(|name| name.starts_with(' ')));
        let Some(kind) = kind else { continue };
        privileges.sort();
        let what = What { how, kind, grantee, option_only, privileges: privileges.join(", ") };
        let name = object[kind.len()..].trim_start().to_owned();
        together.entry(what).or_default().push(name);
    }
    together
}

fn of_database<'a>(
    of: &'a OfDatabase,
    what: &'a What,
    objects: &'a [String],
) -> impl Iterator<Item = Item> + 'a {
    objects.chunks(STATEMENT_OBJECTS).map(move |objects| {
        let (message, remedy) = match &what.how {
            How::Give => given(what, &objects.join(", ")),
            How::Take(first) => taken(what, first, &objects.join(", ")),
        };
        let kind = what.kind;
        Item {
            topic: TOPIC.to_owned(),
            database: of.database.clone(),
            to_do: true,
            code: code(&what.how).to_owned(),
            object: match objects {
                [one] => format!("{kind} {one}"),
                many => format!("{} objects, {kind} {}", many.len(), many[0]),
            },
            message,
            remedy,
        }
    })
}

fn code(how: &How) -> &'static str {
    match how {
        How::Give => "RightMissing",
        How::Take(_) => "RightLeft",
    }
}

fn given(what: &What, objects: &str) -> (String, String) {
    let What { kind, grantee, option_only, privileges, .. } = what;
    let option = if *option_only { " with grant option" } else { "" };
    let grant = if *option_only { " grant on" } else { "" };
    let message = format!(
        "{grantee} may{grant} {privileges} on the source, and not on the target, where our role could not give it, or it was \
         taken away; it takes the owner of the object, or a superuser"
    );
    (message, format!("grant {privileges} on {kind} {objects} to {grantee}{option};"))
}

fn taken(what: &What, first: &str, objects: &str) -> (String, String) {
    let What { kind, grantee, option_only, privileges, .. } = what;
    let grant = if *option_only { " grant on" } else { "" };
    let option = if *option_only { "grant option for " } else { "" };
    let message = format!(
        "{grantee} may{grant} {privileges} on the target, and not on the source; it stays if writes were stopped on \
         the source by taking it away, or if it was granted here on purpose"
    );
    let remedy = format!("{first}revoke {option}{privileges} on {kind} {objects} from {grantee};");
    (message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(owner: &str, rights: &[&str], objects: &[String]) -> Alike {
        let held = |it: &&str| Right::parse(&it.replace(" to ", " on table x to ")).unwrap().held;
        Alike {
            owner: owner.to_owned(),
            held: rights.iter().map(held).collect(),
            objects: objects.to_vec(),
        }
    }

    fn remedies(there: Vec<Alike>, here: Vec<Alike>) -> Vec<String> {
        let of = |alike| [OfDatabase { database: "d".to_owned(), server_major: 18, alike }];
        compare(&of(there), &of(here)).into_iter().map(|item| item.remedy).collect()
    }

    #[test]
    fn every_right_is_named_and_objects_share_a_statement() {
        let names = |from: usize, to: usize| -> Vec<String> {
            (from..to).map(|i| format!("routine s.f{i}()")).collect()
        };
        let execute = "grant EXECUTE to public";
        let there = vec![alike("o", &[], &names(0, 60)), alike("o", &[execute], &names(60, 70))];
        let here = vec![alike("o", &[execute], &names(0, 80))];
        let told = remedies(there, here);
        assert_eq!(told.len(), 2);
        let all = told.concat();
        assert!((0..60).all(|i| all.contains(&format!("s.f{i}()"))), "{all}");
        assert!(!all.contains("s.f60()") && !all.contains("s.f75()"), "{all}");
        assert!(told[0].starts_with("revoke EXECUTE on routine s.f0(), "), "{all}");
    }

    #[test]
    fn privileges_of_one_share_a_statement_and_an_owner_may_everything() {
        let t = ["table s.t".to_owned()];
        let mine = ["grant UPDATE to anon", "grant INSERT to anon", "grant SELECT to app"];
        let here = vec![alike("o", &mine, &t)];
        assert_eq!(
            remedies(vec![alike("app", &[], &t)], here),
            ["revoke INSERT, UPDATE on table s.t from anon;"]
        );
    }

    #[test]
    fn what_lacks_is_given_before_what_is_more_is_taken() {
        let f = ["routine s.f()".to_owned()];
        let there = vec![alike("o", &["grant EXECUTE to app", "grant EXECUTE to o2"], &f)];
        let here = vec![alike("o2", &["grant EXECUTE to public"], &f)];
        assert_eq!(
            remedies(there, here),
            [
                "grant EXECUTE on routine s.f() to app;",
                "grant EXECUTE on routine s.f() to app; revoke EXECUTE on routine s.f() from public;"
            ]
        );
    }
}
