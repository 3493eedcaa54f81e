//! PostgreSQL's messages without what they may quote of a row.

/// What is said of an error that a function made by itself.
const WITHHELD: &str = "a function raised an error (its text is withheld: it may quote a row)";

/// Where RAISE and its like in the procedural languages report from: such an error has whatever SQLSTATE its author chose.
const RAISERS: [&str; 5] =
    ["exec_stmt_raise", "do_util_elog", "plperl_util_elog", "PLy_elog_impl", "pltcl_elog"];

/// SQLSTATE classes of the server's own errors. Of others (routines' own, P0, foreign ones) anything can be said.
const SERVERS: [&str; 33] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "20", "21", "22", "23", "24",
    "25", "26", "27", "28", "2B", "2D", "34", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55",
    "57",
];

/// More of them: the server's failures, which no row has a part in.
const FAILURES: [&str; 4] = ["58", "72", "F0", "XX"];

/// What is known of an error besides its message.
#[derive(Debug, Clone, Copy)]
pub struct ErrorOrigin<'a> {
    /// Five characters.
    pub sqlstate: &'a str,
    /// The server's function that reported it.
    pub routine: Option<&'a str>,
    /// The CONTEXT: what was being executed. Only looked at, never shown.
    pub context: Option<&'a str>,
}

/// The primary message of a server's error, fit for a log or an event.
///
/// A function's own `RAISE` can say anything, under any SQLSTATE, and is withheld. A data exception (class 22) quotes the
/// value that it could not take, and what runs inside a function may have a value in its SQL: of those all that is quoted is
/// left out. DETAIL and CONTEXT must not be passed in as the message at all.
#[must_use]
pub fn safe_message(origin: &ErrorOrigin<'_>, message: &str) -> String {
    let class = origin.sqlstate.get(..2).unwrap_or_default();
    let known = SERVERS.contains(&class) || FAILURES.contains(&class);
    if !known || origin.routine.is_some_and(|routine| RAISERS.contains(&routine)) {
        return WITHHELD.to_owned();
    }
    // COPY says in its context which line it was at, a walsender which slot it was; any other one is of a function or a
    // nested statement.
    let ours = |context: &str| context.starts_with("COPY ") || context.starts_with("slot ");
    let nested = origin.context.is_some_and(|context| !ours(context));
    if class != "22" && !nested {
        return message.to_owned();
    }
    // Whatever the language of the messages, what they quote stands behind the first quotation mark.
    match message.find(['"', '\u{ab}', '\u{201e}', '\u{201c}', '\u{300c}', '\'']) {
        Some(first) => format!("{}\u{2026}", &message[..first]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(sqlstate: &'static str, message: &str) -> String {
        safe_message(&ErrorOrigin { sqlstate, routine: None, context: None }, message)
    }

    #[test]
    fn quoted_values_are_left_out() {
        assert_eq!(
            plain("22P02", "invalid input syntax for type integer: \"my \"secret\"\""),
            "invalid input syntax for type integer: \u{2026}"
        );
        assert_eq!(
            plain("22P02", "ung\u{fc}ltig f\u{fc}r Typ integer: \u{ab}hush\u{bb}"),
            "ung\u{fc}ltig f\u{fc}r Typ integer: \u{2026}"
        );
        assert_eq!(
            plain("42P01", "relation \"t\" does not exist"),
            "relation \"t\" does not exist"
        );
        let context = Some("PL/pgSQL function f() line 1 at EXECUTE");
        let origin = ErrorOrigin { sqlstate: "42P01", routine: Some("x"), context };
        assert!(!safe_message(&origin, "relation \"hush\" does not exist").contains("hush"));
        let copy = ErrorOrigin { context: Some("COPY t, line 1"), ..origin };
        assert!(safe_message(&copy, "no \"t\"").contains("\"t\""));
    }

    #[test]
    fn what_a_function_raises_is_withheld_whatever_its_state() {
        for sqlstate in ["P0001", "W0RSE", "38001", "HV000"] {
            assert_eq!(plain(sqlstate, "row hush"), WITHHELD);
        }
        let routine = Some("exec_stmt_raise");
        let origin = ErrorOrigin { sqlstate: "23505", routine, context: None };
        assert_eq!(safe_message(&origin, "row hush"), WITHHELD);
    }
}
