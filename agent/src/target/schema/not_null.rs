//! A constraint that pg_dump 18 writes in the form of its own version only.

/// What a table's statement has for a column that it inherits, and that may not be null in the heir alone (pg_dump.c,
/// `dumpTableSchema`): a line of its own, whatever the version of the source.
const LINE: &str = "    NOT NULL ";

/// The statement of a table as servers before 18 take it: each such line becomes an ALTER TABLE behind it.
pub(super) fn before_18(sql: &str) -> Option<String> {
    let table = created(sql)?;
    let (mut kept, mut columns) = (Vec::<String>::new(), Vec::new());
    let mut quote = None;
    for line in sql.split('\n') {
        let constraint =
            line.strip_prefix(LINE).filter(|_| quote.is_none() && !columns_are_over(&kept));
        quote = quote_after(line, quote);
        let Some(column) = constraint else {
            kept.push(line.to_owned());
            continue;
        };
        columns.push(column.trim_end_matches(',').to_owned());
        // It was the last one: no comma is left before the closing bracket.
        if !column.ends_with(',')
            && let Some(last) = kept.last_mut()
            && let Some(bare) = last.strip_suffix(',')
        {
            *last = bare.to_owned();
        }
    }
    let alter =
        |column: &String| format!("ALTER TABLE ONLY {table} ALTER COLUMN {column} SET NOT NULL;\n");
    let altered: String = columns.iter().map(alter).collect();
    (!columns.is_empty()).then(|| kept.join("\n") + "\n" + &altered)
}

/// The name of the table that it creates.
fn created(sql: &str) -> Option<&str> {
    let first = sql.lines().find(|line| line.starts_with("CREATE "))?;
    let rest = first.strip_prefix("CREATE ")?;
    let rest = rest.strip_prefix("UNLOGGED ").unwrap_or(rest);
    rest.strip_prefix("TABLE ")?.strip_suffix(" (")
}

fn columns_are_over(kept: &[String]) -> bool {
    kept.iter().any(|line| line.starts_with(')'))
}

/// The quote that is open behind a line. A doubled one closes and opens again.
fn quote_after(line: &str, before: Option<char>) -> Option<char> {
    line.chars().filter(|c| matches!(c, '\'' | '"')).fold(before, |open, c| match open {
        None => Some(c),
        Some(open) if open == c => None,
        still => still,
    })
}

#[cfg(test)]
mod tests {
    use super::before_18;

    #[test]
    fn a_line_for_an_inherited_column_becomes_a_statement() {
        let table = "SET x;\n\nCREATE TABLE public.\"a b\" (\n    NOT NULL id,\n    extra text DEFAULT '\n    NOT NULL it''s text,\n',\n    NOT NULL \"n o\"\n)\nINHERITS (public.par);\n\n";
        let wanted = "SET x;\n\nCREATE TABLE public.\"a b\" (\n    extra text DEFAULT '\n    NOT NULL it''s text,\n'\n)\nINHERITS (public.par);\n\n\n\
             ALTER TABLE ONLY public.\"a b\" ALTER COLUMN id SET NOT NULL;\n\
             ALTER TABLE ONLY public.\"a b\" ALTER COLUMN \"n o\" SET NOT NULL;\n";
        assert_eq!(before_18(table).as_deref(), Some(wanted));
        let alone =
            "CREATE UNLOGGED TABLE public.t (\n    NOT NULL id\n)\nINHERITS (public.par);\n";
        let wanted = "CREATE UNLOGGED TABLE public.t (\n)\nINHERITS (public.par);\n\nALTER TABLE ONLY public.t ALTER COLUMN id SET NOT NULL;\n";
        assert_eq!(before_18(alone).as_deref(), Some(wanted));
        assert_eq!(before_18("CREATE TABLE public.t (\n    id integer NOT NULL\n);\n"), None);
    }
}
