//! What is said when a change of the source's schema can't be carried.
use crate::{fault::Fault, wire::Note};

/// The code of a hold for a role that the target does not have.
pub(in crate::target) const ROLE_MISSING: &str = "RolesMissing";

/// `what`: why, in words; `statements`: what would make the object, if that is known.
pub(super) fn not_carried(note: &Note, label: &str, what: &str, statements: &[String]) -> Fault {
    let role = missing_role(what);
    let mut todo: Vec<String> = Vec::new();
    todo.extend(role.map(|role| format!("create role \"{role}\"")));
    // The role alone was missing: the rest is carried when it is tried again.
    if role.is_none() {
        todo.extend(statements.iter().cloned());
    }
    let remedy = match (todo.is_empty(), role) {
        (true, _) => "make the target's object as the source's is now, then `whimbrel migration retry`; or cancel and start a new migration".to_owned(),
        (false, Some(_)) => format!(
            "on the target: {}; -- with the attributes that it has on the source; then `whimbrel migration retry`",
            todo.join("; ")
        ),
        (false, None) => format!(
            "on the target: {}; -- whatever of it goes, until the object is as on the source; then `whimbrel migration retry`",
            todo.join("; ")
        ),
    };
    let code = if role.is_some() { ROLE_MISSING } else { "SchemaChangeNotCarried" };
    let message = format!("{} on the source ({label}) can't be carried: {what}", note.tag);
    Fault::hold(code, message).remedy(remedy)
}

/// Roles belong to the server: no event trigger tells of them. A server that speaks another language is not understood,
/// and the hold is then told as any other.
fn missing_role(what: &str) -> Option<&str> {
    let before = what.strip_suffix("\" does not exist (SQLSTATE 42704)")?;
    let (_, role) = before.rsplit_once("role \"")?;
    Some(role)
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
        let what = "collation \"c\" for encoding \"UTF8\" does not exist (SQLSTATE 42704)";
        assert_eq!(missing_role(what), None);
    }
}
