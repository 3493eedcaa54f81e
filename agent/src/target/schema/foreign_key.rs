//! A foreign key's entry, taken apart as far as making it in two steps needs.
use super::Entry;

/// A schema and a name, as the catalog has them.
pub(crate) type Name = (String, String);

/// What pg_dump's statement for a foreign key of a plain table says (pg_dump.c, `dumpConstraint`):
/// `ALTER TABLE ONLY s.t⏎    ADD CONSTRAINT c FOREIGN KEY (…) REFERENCES s.t(…);`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// The table that refers.
    pub(crate) table: Name,
    /// The table that is referred to.
    pub(crate) references: Name,
    /// The constraint's name.
    pub(crate) name: String,
    /// Its statement, without the semicolon.
    adding: String,
}

impl ForeignKey {
    /// `None`: it is none that can be made unchecked and checked later, or is not written as pg_dump of today writes it.
    /// A partitioned table's has no ONLY (only 18 takes NOT VALID there).
    pub(crate) fn read(entry: &Entry) -> Option<Self> {
        let at = entry.sql.find("ALTER TABLE ONLY ")?;
        let mut before = entry.sql[..at].lines();
        let only_settings = before.all(|line| line.is_empty() || line.starts_with("SET "));
        let adding = entry.sql[at..].trim_end().strip_suffix(';')?;
        if !only_settings || adding.ends_with(" NOT VALID") || adding.ends_with(" NOT ENFORCED") {
            return None;
        }
        let mut words = Words(adding.strip_prefix("ALTER TABLE ONLY ")?);
        let table = words.qualified()?;
        words.0 = words.0.trim_start().strip_prefix("ADD CONSTRAINT ")?;
        let name = words.identifier()?;
        words.0 = words.0.strip_prefix(" FOREIGN KEY ")?;
        words.skip_past("REFERENCES ")?;
        let references = words.qualified()?;
        Some(Self { table, references, name, adding: adding.to_owned() })
    }

    /// The statement that makes it, without a look at the rows that are there.
    pub(crate) fn adding_unchecked(&self) -> String {
        format!("{} NOT VALID", self.adding)
    }
}

/// The table that an index or a key is of, as pg_dump writes it: `CREATE INDEX i ON ONLY s.t USING …`, `ALTER TABLE ONLY s.t⏎ ADD …`.
pub(crate) fn built_on(entry: &Entry) -> Option<Name> {
    let begins = |line: &&str| !line.is_empty() && !line.starts_with("SET ");
    let line = entry.sql.lines().find(begins)?;
    let mut words = Words(line);
    match entry.kind.as_str() {
        "INDEX" => words.skip_past(" ON ")?,
        "CONSTRAINT" => words.skip_past("ALTER TABLE ")?,
        _ => return None,
    }
    words.0 = words.0.strip_prefix("ONLY ").unwrap_or(words.0);
    words.qualified()
}

/// What is left of a statement.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn qualified(&mut self) -> Option<Name> {
        let schema = self.identifier()?;
        self.0 = self.0.strip_prefix('.')?;
        Some((schema, self.identifier()?))
    }

    /// `name` or `"a ""quoted"" name"`.
    fn identifier(&mut self) -> Option<String> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let end = self.0.find(|c| !plain(c)).unwrap_or(self.0.len());
            let (name, rest) = self.0.split_at(end);
            self.0 = rest;
            return (!name.is_empty()).then(|| name.to_owned());
        };
        let (name, rest) = until_quote(quoted)?;
        self.0 = rest;
        Some(name)
    }

    /// Behind the next `word` that no quotes are around.
    fn skip_past(&mut self, word: &str) -> Option<()> {
        while !self.0.starts_with(word) {
            if self.0.starts_with('"') {
                self.identifier()?;
            } else {
                let mut rest = self.0.chars();
                rest.next()?;
                self.0 = rest.as_str();
            }
        }
        self.0 = &self.0[word.len()..];
        Some(())
    }
}

/// A quoted name's text and what comes behind it, from behind its first quote.
fn until_quote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        let Some(behind) = rest.strip_prefix('"') else { return Some((name, rest)) };
        name.push('"');
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<ForeignKey> {
        ForeignKey::read(&Entry {
            dump_id: 1,
            class: 2606,
            oid: 1,
            kind: "FK CONSTRAINT".into(),
            tag: String::new(),
            sql: sql.into(),
        })
    }

    #[test]
    fn is_taken_apart() {
        let key = read(
            "SET default_tablespace = '';\n\nALTER TABLE ONLY public.orders\n    \
             ADD CONSTRAINT \"a \"\"b\" FOREIGN KEY (\"x) REFERENCES y.z(\") REFERENCES \"S p\".t(id) ON DELETE CASCADE;\n\n",
        )
        .unwrap();
        assert_eq!(key.table, ("public".into(), "orders".into()));
        assert_eq!(key.name, "a \"b");
        assert_eq!(key.references, ("S p".into(), "t".into()));
        assert!(key.adding_unchecked().starts_with("ALTER TABLE ONLY public.orders\n"));
        assert!(key.adding_unchecked().ends_with(" ON DELETE CASCADE NOT VALID"));
    }

    #[test]
    fn the_table_of_an_index_is_found() {
        let of = |kind: &str, sql: &str| {
            let (kind, tag, sql) = (kind.into(), String::new(), sql.into());
            built_on(&Entry { dump_id: 1, class: 1259, oid: 1, kind, tag, sql })
        };
        let name = |schema: &str, table: &str| Some((schema.to_owned(), table.to_owned()));
        let index = "SET default_tablespace = '';\n\nCREATE UNIQUE INDEX \"a ON b.c\" ON ONLY s.\"T t\" USING btree (x);\n";
        assert_eq!(of("INDEX", index), name("s", "T t"));
        let key = "\nALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE (id);\n";
        assert_eq!(of("CONSTRAINT", key), name("s", "t"));
        assert_eq!(of("VIEW", "CREATE VIEW s.v AS SELECT 1 ON s.t"), None);
    }

    #[test]
    fn what_is_made_in_one_step_is_none() {
        let of = |table: &str, end: &str| {
            read(&format!(
                "ALTER TABLE {table}\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES s.u(a){end};"
            ))
        };
        assert!(of("ONLY s.t", "").is_some());
        assert_eq!(of("s.t", ""), None);
        assert_eq!(of("ONLY s.t", " NOT VALID"), None);
        assert_eq!(of("ONLY s.t", " NOT ENFORCED"), None);
        assert_eq!(of("ONLY s.Straße", ""), None);
        assert_eq!(of("ONLY s.\"open", ""), None);
        assert_eq!(read("COMMENT ON TABLE s.t IS 'ALTER TABLE ONLY s.t';"), None);
    }
}
