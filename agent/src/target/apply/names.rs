//! Names that objects have exchanged or handed on (a → tmp, b → a, tmp → b), where no event trigger tells the steps.
//!
//! Only the ends are known, and nothing can take its new name while another has it still. So what has a name that another one
//! bears by now gets a name of ours first, which its known form says then; from there it takes its own.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::change::Changes;
use crate::{
    fault::Fault,
    postgres::{identifier, qualified},
    target::{ddl::routine, structure},
    wire::{Note, RelationStructure, Structure},
};

/// A schema, and what is unique in it; a schema's own name is in none. Types and relations share it: a relation has a type of its name.
type Name = (String, String);

impl Changes {
    /// Which objects have a name of ours until they are carried, in the same transaction.
    pub(super) async fn set_names_aside(
        &mut self,
        objects: &[Structure],
        note: &Note,
        commit: Lsn,
    ) -> Result<HashSet<(u32, u32)>, Fault> {
        self.write_rows_before().await?;
        let wanted: HashSet<Name> = objects.iter().flat_map(names).collect();
        let mut aside = HashSet::new();
        // What a schema holds is known by its name of then.
        let (schemas, others): (Vec<_>, Vec<_>) =
            objects.iter().partition(|it| matches!(it, Structure::Schema(_)));
        for new in schemas.into_iter().chain(others) {
            if self.tables.is_ahead(new.id().1, commit) {
                continue;
            }
            let Some(known) = structure::known(self.session(), new.id()).await? else { continue };
            let Some((form, statements)) = set_aside(&known, new, &wanted) else { continue };
            for sql in &statements {
                self.local(sql, note).await?;
            }
            structure::save(self.session(), std::slice::from_ref(&form)).await?;
            if let (Structure::Schema(known), Structure::Schema(form)) = (&known, &form) {
                self.know_schema(&known.name, &form.name).await?;
            }
            aside.insert(new.id());
        }
        Ok(aside)
    }
}

/// The object's own name, and those of its indexes.
fn names(of: &Structure) -> Vec<Name> {
    let own = |schema: &String, name: &str| vec![(schema.clone(), name.to_owned())];
    match of {
        Structure::Relation(of) => {
            let constraints = of.constraints.iter().filter(|it| it.has_index()).map(|it| &it.name);
            let indexes = of.indexes.iter().map(|it| &it.name).chain(constraints);
            let mut names = own(&of.schema, &of.name);
            names.extend(indexes.map(|name| (of.schema.clone(), name.clone())));
            names
        }
        Structure::Sequence(of) => own(&of.schema, &of.name),
        Structure::Type(of) => own(&of.schema, &of.name),
        Structure::Function(of) => own(&of.schema, &format!("{}({})", of.name, of.arguments)),
        // In none.
        Structure::Schema(of) => own(&String::new(), &of.name),
        Structure::Extension(_) => Vec::new(),
    }
}

/// The known form with other names, and what gives it those; `None` if nobody wants its own.
fn set_aside(
    known: &Structure,
    new: &Structure,
    wanted: &HashSet<Name>,
) -> Option<(Structure, Vec<String>)> {
    if let (Structure::Relation(known), Structure::Relation(new)) = (known, new) {
        let (form, statements) = relation_aside(known, new, wanted);
        return (!statements.is_empty()).then(|| (Structure::Relation(Box::new(form)), statements));
    }
    let (from, to) = (names(known).pop()?, names(new).pop()?);
    if !is_in_the_way((&from.0, &from.1), (&to.0, &to.1), wanted) {
        return None;
    }
    let aside = name_of_ours(known.id().1);
    let mut form = known.clone();
    let sql = match &mut form {
        Structure::Sequence(of) => {
            let old = std::mem::replace(&mut of.name, aside.clone());
            format!("alter sequence if exists {} rename", qualified(&of.schema, &old))
        }
        Structure::Type(of) => {
            let keyword = if of.typtype == "d" { "domain" } else { "type" };
            let old = std::mem::replace(&mut of.name, aside.clone());
            format!("alter {keyword} {} rename", qualified(&of.schema, &old))
        }
        Structure::Function(of) => {
            let old = routine(of);
            of.name.clone_from(&aside);
            format!("alter routine {old} rename")
        }
        Structure::Schema(of) => {
            let old = std::mem::replace(&mut of.name, aside.clone());
            format!("alter schema {} rename", identifier(&old))
        }
        _ => return None,
    };
    Some((form, vec![format!("{sql} to {}", identifier(&aside))]))
}

/// Where both the schema and the name are others, one of them changes first.
fn is_in_the_way(from: (&str, &str), to: (&str, &str), wanted: &HashSet<Name>) -> bool {
    let is_wanted =
        |schema: &str, name: &str| wanted.contains(&(schema.to_owned(), name.to_owned()));
    from != to && (is_wanted(from.0, from.1) || from.1 != to.1 && is_wanted(to.0, from.1))
}

fn relation_aside(
    known: &RelationStructure,
    new: &RelationStructure,
    wanted: &HashSet<Name>,
) -> (RelationStructure, Vec<String>) {
    let mut form = known.clone();
    let mut statements = Vec::new();
    let moves =
        |from: &str, to: &str| is_in_the_way((&known.schema, from), (&new.schema, to), wanted);
    let indexes = form.indexes.iter_mut().map(|it| (it.oid, &mut it.name));
    let constraints = form.constraints.iter_mut().filter(|it| it.has_index());
    for (oid, name) in indexes.chain(constraints.map(|it| (it.oid, &mut it.name))) {
        let new_indexes = new.indexes.iter().map(|it| (it.oid, &it.name));
        let new_constraints = new.constraints.iter().map(|it| (it.oid, &it.name));
        let is = new_indexes.chain(new_constraints).find(|it| it.0 == oid);
        if is.is_some_and(|(_, is)| moves(name, is)) {
            let (old, aside) = (qualified(&known.schema, name), name_of_ours(oid));
            let to = identifier(&aside);
            statements.push(format!("alter index if exists {old} rename to {to}"));
            *name = aside;
        }
    }
    if moves(&known.name, &new.name) {
        let aside = name_of_ours(known.oid);
        let (keyword, old) = (known.relkind.keyword(), qualified(&known.schema, &known.name));
        let may = if keyword == "type" { "" } else { " if exists" };
        statements.push(format!("alter {keyword}{may} {old} rename to {}", identifier(&aside)));
        form.name = aside;
    }
    (form, statements)
}

pub(super) fn name_of_ours(oid: u32) -> String {
    format!("whimbrel_aside_{oid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SequenceStructure;

    fn sequence(oid: u32, name: &str) -> Structure {
        Structure::Sequence(SequenceStructure {
            class: 1259,
            oid,
            schema: "s".into(),
            name: name.into(),
            persistence: "p".into(),
            owner: "o".into(),
            type_name: "bigint".into(),
            options: String::new(),
            identity: false,
            owned_by: None,
        })
    }

    #[test]
    fn only_what_another_is_named_by_now_is_set_aside() {
        let wanted: HashSet<Name> =
            [sequence(1, "b"), sequence(2, "a")].iter().flat_map(names).collect();
        let (form, statements) = set_aside(&sequence(1, "a"), &sequence(1, "b"), &wanted).unwrap();
        assert_eq!(form, sequence(1, "whimbrel_aside_1"));
        let rename = "alter sequence if exists \"s\".\"a\" rename to \"whimbrel_aside_1\"";
        assert_eq!(statements, [rename]);
        assert_eq!(set_aside(&sequence(1, "a"), &sequence(1, "a"), &wanted), None);
        assert_eq!(set_aside(&sequence(3, "c"), &sequence(3, "d"), &wanted), None);
    }
}
