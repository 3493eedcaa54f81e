//! Resource names: `targets/{target}/migrations/{migration}`, `agents/{agent}`.

/// A name or an id that can't be used, with the field it was in.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{field}: {value:?} {problem}")]
pub struct InvalidName {
    /// The request's field.
    pub field: &'static str,
    /// What was in it.
    pub value: String,
    /// What is wrong with it, and what would do.
    pub problem: &'static str,
}

/// Longest id of a target, an agent or a migration: as long as a PostgreSQL identifier.
pub const ID_LENGTH_MAX: usize = 63;

/// Checks an id: letters, digits and hyphens, not starting with a hyphen, 1 to [`ID_LENGTH_MAX`] long.
///
/// # Errors
/// [`InvalidName`] naming `field`.
pub fn check_id(field: &'static str, id: &str) -> Result<(), InvalidName> {
    let refuse = |problem| Err(InvalidName { field, value: id.to_owned(), problem });
    if id.is_empty() {
        return refuse("is empty: give a name of letters, digits and hyphens");
    }
    if id.len() > ID_LENGTH_MAX {
        return refuse("is too long: at most 63 characters");
    }
    if id.starts_with('-') {
        return refuse("starts with a hyphen: start with a letter or a digit");
    }
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return refuse("has a character that is not a letter, a digit or a hyphen");
    }
    Ok(())
}

/// `agents/{agent}`.
#[must_use]
pub fn agent(id: &str) -> String {
    format!("agents/{id}")
}

/// `targets/{target}`.
#[must_use]
pub fn target(id: &str) -> String {
    format!("targets/{id}")
}

/// `targets/{target}/migrations/{migration}`.
#[must_use]
pub fn migration(target_id: &str, migration_id: &str) -> String {
    format!("targets/{target_id}/migrations/{migration_id}")
}

/// The id in `agents/{agent}`.
///
/// # Errors
/// [`InvalidName`] naming `field`.
pub fn parse_agent<'a>(field: &'static str, name: &'a str) -> Result<&'a str, InvalidName> {
    parse_one(field, name, "agents/", "is not an agent's name: expected agents/NAME")
}

/// The id in `targets/{target}`.
///
/// # Errors
/// [`InvalidName`] naming `field`.
pub fn parse_target<'a>(field: &'static str, name: &'a str) -> Result<&'a str, InvalidName> {
    parse_one(field, name, "targets/", "is not a target's name: expected targets/NAME")
}

/// The ids in `targets/{target}/migrations/{migration}`.
///
/// # Errors
/// [`InvalidName`] naming `field`.
pub fn parse_migration<'a>(
    field: &'static str,
    name: &'a str,
) -> Result<(&'a str, &'a str), InvalidName> {
    let problem = "is not a migration's name: expected targets/TARGET/migrations/NAME";
    let refuse = || InvalidName { field, value: name.to_owned(), problem };
    let (target, migration) = name
        .strip_prefix("targets/")
        .and_then(|rest| rest.split_once("/migrations/"))
        .ok_or_else(refuse)?;
    check_id(field, target)?;
    check_id(field, migration)?;
    Ok((target, migration))
}

fn parse_one<'a>(
    field: &'static str,
    name: &'a str,
    prefix: &str,
    problem: &'static str,
) -> Result<&'a str, InvalidName> {
    let id = name.strip_prefix(prefix).ok_or_else(|| InvalidName {
        field,
        value: name.to_owned(),
        problem,
    })?;
    check_id(field, id)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_contract() {
        for good in ["a", "A1-b", "0", &"x".repeat(63)] {
            assert_eq!(check_id("f", good), Ok(()));
        }
        for bad in ["", "-a", "a_b", "a.b", "ä", "a b", &"x".repeat(64)] {
            assert!(check_id("f", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_round_trip() {
        assert_eq!(parse_migration("name", &migration("t", "m")), Ok(("t", "m")));
        assert_eq!(parse_agent("name", &agent("a")), Ok("a"));
        assert!(parse_target("name", "agents/a").is_err());
        assert!(parse_migration("name", "targets/t/migrations/").is_err());
    }
}
