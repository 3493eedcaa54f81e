//! A text search configuration or dictionary that was altered on the source: altered here too, as it stands. An index or another
//! object may be made of it, and would be in the way of making it anew.
use tokio_postgres::GenericClient;

use super::{make_anew::owned_object, redump::bare, schema::Entry};
use crate::fault::{Doing, Fault};

/// Parser of a configuration, and the kinds of tokens that it maps, quoted.
const CONFIGURATION: &str = "
    select format('%s.%I', p.prsnamespace::regnamespace, p.prsname),
           array(select distinct quote_ident(t.alias)
                 from pg_ts_config_map m join ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
                 where m.mapcfg = c.oid)
    from pg_ts_config c join pg_ts_parser p on p.oid = c.cfgparser
    where c.oid = $1::text::regconfig";

/// Template of a dictionary, and its options.
const DICTIONARY: &str = "
    select format('%s.%I', t.tmplnamespace::regnamespace, t.tmplname), coalesce(d.dictinitoption, '')
    from pg_ts_dict d join pg_ts_template t on t.oid = d.dicttemplate
    where d.oid = $1::text::regdictionary";

/// In the caller's transaction; `false` when it is another kind of object, or stands on another parser or template, which
/// no command changes.
///
/// # Errors
/// The server's.
pub(super) async fn alter_in_place(
    client: &impl GenericClient,
    entry: &Entry,
    doing: &str,
) -> Result<bool, Fault> {
    let Some((object, made)) = owned_object(&entry.sql).zip(Made::of(entry)) else {
        return Ok(false);
    };
    let Some(name) = object.strip_prefix(&*entry.kind).map(str::trim) else { return Ok(false) };
    let is_configuration = entry.kind.ends_with("CONFIGURATION");
    let sql = if is_configuration { CONFIGURATION } else { DICTIONARY };
    let row = client.query_one(sql, &[&name]).await.doing(doing)?;
    if bare(row.get(0)) != bare(made.stands_on) {
        return Ok(false);
    }
    let first = if is_configuration {
        let mapped: Vec<String> = row.get(1);
        (!mapped.is_empty())
            .then(|| format!("alter {object} drop mapping for {}", mapped.join(", ")))
    } else {
        options(row.get(1), made.options).map(|set| format!("alter {object} ({set})"))
    };
    let sql = format!("{};\n{}", first.unwrap_or_default(), made.then);
    client.batch_execute(&sql).await.doing(doing)?;
    Ok(true)
}

/// An entry of a dump, taken apart.
struct Made<'a> {
    /// The parser or template.
    stands_on: &'a str,
    /// A dictionary's.
    options: &'a str,
    /// What follows its CREATE.
    then: &'a str,
}

impl<'a> Made<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        let word = match entry.kind.as_str() {
            "TEXT SEARCH CONFIGURATION" => "PARSER = ",
            "TEXT SEARCH DICTIONARY" => "TEMPLATE = ",
            _ => return None,
        };
        let (create, then) = entry.sql.split_once(" );\n")?;
        let (_, of) = create.split_once(word)?;
        let (stands_on, options) = of.split_once(",\n    ").unwrap_or((of, ""));
        Some(Self { stands_on, options, then })
    }
}

/// What makes a dictionary's options `new`; nothing when they are.
fn options(old: &str, new: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let kept: Vec<&str> = parted(new).into_iter().filter_map(option_name).collect();
    let gone = parted(old).into_iter().filter_map(option_name).filter(|name| !kept.contains(name));
    let set = (!new.is_empty()).then_some(new);
    Some(gone.chain(set).collect::<Vec<_>>().join(", "))
}

fn option_name(option: &str) -> Option<&str> {
    option.split_once(" = ").map(|(name, _)| name)
}

/// At the commas that are in no quotes; those within are doubled.
pub(super) fn parted(options: &str) -> Vec<&str> {
    let mut quote = None;
    let at_comma = |letter: char| {
        match quote {
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            Some(open) if letter == open => quote = None,
            _ => {}
        }
        quote.is_none() && letter == ','
    };
    options.split(at_comma).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionarys_options_are_set_and_taken_away() {
        let old = "stopwords = 'a, b', \"Odd, one\" = 'it''s', accept = 'false'";
        assert_eq!(options(old, old), None);
        let set = options(old, "accept = 'true'");
        assert_eq!(set.as_deref(), Some("stopwords, \"Odd, one\", accept = 'true'"));
        assert_eq!(options("accept = 'false'", "").as_deref(), Some("accept"));
        assert_eq!(options("", "accept = 'false'").as_deref(), Some("accept = 'false'"));
    }
}
