//! What is said when a change of the source's schema can't be carried.
use crate::{fault::Fault, postgres::identifier, wire::Note};

/// The code of a hold for a role that the target does not have.
pub(in crate::target) const ROLE_MISSING: &str = "RolesMissing";

/// What is made by hand, with a path, is there; and its next row is applied without one.
const SEARCH_PATH: &str = "if a function that it calls finds what is missing by the search_path only: alter function … set \
                           search_path = …, there and on the source (rows are applied with an empty one); ";

/// Of what the stream does not carry the source may have it no more, or no role here may make it.
const MADE_FIRST: &str = "what is missing of collations, operators, casts, aggregates, text search, servers, foreign tables and the like must be made \
                          first, as it is on the source (pg_dump --schema-only has it), or was when this came; ";

/// `what`: why, in words; `statements`: what would make the object, if that is known.
pub(super) fn not_carried(note: &Note, label: &str, what: &str, statements: &[String]) -> Fault {
    let message = format!("{} on the source ({label}) can't be carried: {what}", note.tag);
    if let Some(code) = lacks_room(what) {
        return Fault::hold(code, message).remedy(
            "give the target's server room for what the message names, then `whimbrel migration retry`: it is carried then",
        );
    }
    let role = missing_role(what);
    let remedy = match role.or(missing(what, "tablespace")) {
        // It alone was missing: the rest is carried when it is tried again.
        Some(name) => format!("on the target: {}; then `whimbrel migration retry`", made(name, role)),
        None if statements.is_empty() => "make the target's object as the source's is now, then `whimbrel migration retry`; or cancel and start a new migration".to_owned(),
        None => format!(
            "on the target: {}; -- whatever of it goes, until the object is as on the source; {}{}then `whimbrel migration retry`",
            statements.join("; "),
            if lacks_something(what) { MADE_FIRST } else { "" },
            if lacks_a_name(what) { SEARCH_PATH } else { "" }
        ),
    };
    let code = if role.is_some() { ROLE_MISSING } else { "SchemaChangeNotCarried" };
    Fault::hold(code, message).remedy(remedy)
}

/// Makes what belongs to the server.
fn made(name: &str, role: Option<&str>) -> String {
    let name = identifier(name);
    match role {
        Some(_) => format!("create role {name}; -- with the attributes that it has on the source"),
        None => {
            format!("create tablespace {name} location '…'; -- an empty directory of its server")
        }
    }
}

/// It may be made of what is not there: no such name, no such cast, or, without one, another type than is asked for, or a
/// conversion that is not immutable.
pub(super) fn lacks_something(what: &str) -> bool {
    let no_cast = ["42846", "42804", "42P17"].iter().any(|state| has_state(what, state));
    (lacks_a_name(what) || no_cast)
        && missing_role(what).is_none()
        && missing(what, "tablespace").is_none()
}

/// No such function, table, object or schema: the statements name all in full, but what they call may not.
fn lacks_a_name(what: &str) -> bool {
    ["42883", "42P01", "42704", "3F000"].iter().any(|state| has_state(what, state))
}

/// Class 53 of SQLSTATE: the server has no room (disk, memory). Nothing that a person makes by hand there would mend that.
fn lacks_room(what: &str) -> Option<&'static str> {
    let (_, state) = what.strip_suffix(')')?.rsplit_once("(SQLSTATE ")?;
    match state {
        "53100" => Some("DiskFull"),
        _ => state.starts_with("53").then_some("InsufficientResources"),
    }
}

pub(super) fn has_state(what: &str, state: &str) -> bool {
    what.ends_with(&format!("(SQLSTATE {state})"))
}

/// Roles belong to the server: no event trigger tells of them. A server that speaks another language is not understood,
/// and the hold is then told as any other.
pub(super) fn missing_role(what: &str) -> Option<&str> {
    missing(what, "role")
}

/// Tablespaces too.
fn missing<'a>(what: &'a str, kind: &str) -> Option<&'a str> {
    let before = what.strip_suffix("\" does not exist (SQLSTATE 42704)")?;
    let (_, name) = before.rsplit_once(&format!("{kind} \""))?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_is_not_there_is_known_by_what_the_server_says() {
        let what =
            "carrying CREATE TABLE of table a.b: role \"new one\" does not exist (SQLSTATE 42704)";
        assert_eq!(missing_role(what), Some("new one"));
        let fault = not_carried(&Note::default(), "table a.b", what, &["create table".into()]);
        assert_eq!(fault.code, ROLE_MISSING);
        assert!(fault.remedy.contains("create role \"new one\""), "{}", fault.remedy);
        assert!(!fault.remedy.contains("create table"), "{}", fault.remedy);
        let what = "carrying ALTER TABLE of table a.b: tablespace \"fast\" does not exist (SQLSTATE 42704)";
        let fault = not_carried(&Note::default(), "table a.b", what, &["alter table".into()]);
        assert_eq!(fault.code, "SchemaChangeNotCarried");
        assert!(fault.remedy.contains("create tablespace \"fast\""), "{}", fault.remedy);
        assert!(!lacks_something(what));
        let odd = "carrying x: role \"a\"b\" does not exist (SQLSTATE 42704)";
        let fault = not_carried(&Note::default(), "x", odd, &[]);
        assert!(fault.remedy.contains(r#"create role "a""b";"#), "{}", fault.remedy);
        assert!(!lacks_something(what) && !lacks_something(odd));
        assert!(lacks_something("carrying x: cannot cast type a.b to text (SQLSTATE 42846)"));
        assert!(!lacks_something("carrying x: permission denied (SQLSTATE 42501)"));
        let made = ["alter table a.b add x s.t".to_owned()];
        let what = "carrying ALTER TABLE of table a.b: type … (SQLSTATE 42704)";
        assert!(not_carried(&Note::default(), "x", what, &made).remedy.contains("search_path"));
        let what = "carrying ALTER TABLE of table a.b: no space (SQLSTATE 53100)";
        let full = not_carried(&Note::default(), "x", what, &made);
        assert_eq!(full.code, "DiskFull");
        assert!(!full.remedy.contains("alter table"), "{}", full.remedy);
        let what = "carrying ALTER TABLE of table a.b: out of memory (SQLSTATE 53200)";
        assert_eq!(not_carried(&Note::default(), "x", what, &made).code, "InsufficientResources");
        let what = "collation \"c\" for encoding \"UTF8\" does not exist (SQLSTATE 42704)";
        assert_eq!(missing_role(what), None);
    }
}
