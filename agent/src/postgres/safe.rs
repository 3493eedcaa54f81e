//! PostgreSQL's messages without what they may quote of a row.

/// The primary message of a server's error, fit for a log or an event.
///
/// A data exception (class 22) quotes the value that it could not take, and a function's own `RAISE` (P0001) can say
/// anything; what is quoted there is left out. DETAIL and CONTEXT must not be passed in at all.
#[must_use]
pub fn safe_message(sqlstate: &str, message: &str) -> String {
    if sqlstate == "P0001" {
        return "a function raised an exception (its text is withheld: it may quote a row)"
            .to_owned();
    }
    if !sqlstate.starts_with("22") {
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

    #[test]
    fn quoted_values_are_left_out() {
        assert_eq!(
            safe_message("22P02", "invalid input syntax for type integer: \"my \"secret\"\""),
            "invalid input syntax for type integer: …"
        );
        assert_eq!(
            safe_message("22P02", "ung\u{fc}ltig f\u{fc}r Typ integer: \u{ab}hush\u{bb}"),
            "ung\u{fc}ltig f\u{fc}r Typ integer: …"
        );
        assert_eq!(
            safe_message("42P01", "relation \"t\" does not exist"),
            "relation \"t\" does not exist"
        );
        assert!(!safe_message("P0001", "row hush").contains("hush"));
    }
}
