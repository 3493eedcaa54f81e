//! A table of the stream, matched with the one that was copied.
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_postgres::GenericClient;
use whimbrel_proto::Lsn;

use super::array::Elements;
use crate::{
    fault::Fault,
    postgres::{identifier, qualified, same_to_index},
    replication::pgoutput::{self, Value},
    target::own_casts::OwnCasts,
    wire::{Catalog, Column, Relation, TableIdentity},
};

/// PostgreSQL's own `=`.
const EQUALITY: &str = "operator(pg_catalog.=)";

/// A table that changes can be applied to.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) oid: u32,
    /// "public.orders", for people.
    pub(super) label: Arc<str>,
    /// Quoted.
    pub(super) name: String,
    /// Its rows were copied at this point.
    pub(super) point: Lsn,
    /// In the order of the stream's values.
    pub(super) columns: Vec<TableColumn>,
    /// The whole old row comes with updates and deletes.
    pub(super) full_identity: bool,
    /// An insert may meet a row that is gone on the source ([`Relation::conflicts`]); the cutover compares the table.
    pub(super) conflicts: bool,
    /// Some columns tell its rows apart. With a whole old row, those of a key that the table has besides.
    pub(super) keyed: bool,
    /// Its rows can't be written set-wise ([`OwnCasts`]).
    pub(super) alone: bool,
}

/// A column, as the stream has it.
#[derive(Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    /// As SQL writes it.
    pub(super) type_name: String,
    /// How many values of it travel together.
    pub(super) elements: Elements,
    /// In the key that tells rows apart.
    pub(super) key: bool,
    /// `=` tells apart whatever the text does ([`crate::wire::Column::exact_equality`]).
    pub(super) exact: bool,
    /// Between two values of the key.
    pub(super) operator: String,
    /// Of the key's index, quoted, where it is not the column's.
    pub(super) collation: Option<String>,
    /// A value of it has come. Until then a run writes nulls, and does not send them: many columns of a wide table are never
    /// used. It is never taken back, so that a table's statements settle on a few forms.
    pub(super) used: AtomicBool,
}

impl Table {
    /// What an insert ends with.
    pub(super) fn on_conflict(&self) -> &'static str {
        if self.conflicts { " on conflict do nothing" } else { "" }
    }
}

impl TableColumn {
    /// Whether values of the column have to be sent: one of these rows, or one before, has one.
    pub(super) fn is_used<'a>(&self, values: impl IntoIterator<Item = &'a Value>) -> bool {
        // Only this stream's task looks, so no order is needed.
        if self.used.load(Ordering::Relaxed) {
            return true;
        }
        let used = self.key || values.into_iter().any(|value| *value != Value::Null);
        self.used.store(used, Ordering::Relaxed);
        used
    }

    /// `value`, as SQL has it, as a value of the column.
    pub(super) fn cast(&self, value: &str) -> String {
        format!("{value}::{}", self.type_name)
    }

    /// That the column of the row `of` ("t." or nothing) has `value`, by the key's index.
    pub(super) fn equals(&self, of: &str, value: &str) -> String {
        let left = format!("{of}{}", identifier(&self.name));
        same_to_index(&left, &self.operator, &self.cast(value), self.collation.as_deref())
    }
}

/// The tables that the stream may speak of.
#[derive(Debug)]
pub(in crate::target) struct Tables {
    catalog: Arc<Catalog>,
    by_oid: HashMap<u32, usize>,
    points: HashMap<u32, Lsn>,
    /// Until a person has them copied again.
    held: HashSet<u32>,
    gone: HashSet<u32>,
    casts: OwnCasts,
    /// Tables whose types tell their values otherwise since there.
    retyped: HashMap<u32, Lsn>,
}

impl Tables {
    pub(in crate::target) fn new(
        catalog: Arc<Catalog>,
        points: HashMap<u32, Lsn>,
        held: HashSet<u32>,
    ) -> Self {
        let by_oid = (0..).zip(&catalog.relations).map(|(at, r)| (r.oid, at)).collect();
        let (gone, retyped) = (HashSet::new(), HashMap::new());
        Self { catalog, by_oid, points, held, gone, casts: OwnCasts::default(), retyped }
    }

    /// Looks for casts that are here now; `true`: they are other ones than before.
    ///
    /// # Errors
    /// The server's.
    pub(in crate::target) async fn learn_casts(
        &mut self,
        client: &impl GenericClient,
    ) -> Result<bool, Fault> {
        let casts = OwnCasts::here(client).await?;
        let before = std::mem::replace(&mut self.casts, casts);
        Ok(before != self.casts)
    }

    /// The table's copy is newer than a transaction that commits at `commit`.
    pub(super) fn is_ahead(&self, oid: u32, commit: Lsn) -> bool {
        self.points.get(&oid).is_some_and(|point| !Relation::is_newer(*point, commit))
    }

    /// Tables that are held by themselves: they take part in what becomes of the schema, and their rows are old ones.
    pub(super) fn held(&self) -> &HashSet<u32> {
        &self.held
    }

    /// Whether the table's changes of a transaction that commits at `commit` are not wanted: its copy has them, or will have.
    pub(super) fn leaves_out(&self, oid: u32, commit: Lsn) -> bool {
        self.gone.contains(&oid)
            || self.by_oid.contains_key(&oid) && !self.points.contains_key(&oid)
            || self.is_ahead(oid, commit)
    }

    /// Whether a table is there whose rows are told whole, and found by a key that it has besides.
    pub(super) fn finds_whole_rows_by_a_key(&self) -> bool {
        self.catalog.relations.iter().any(|relation| {
            relation.identity == TableIdentity::Full
                && relation.columns.iter().any(|column| column.key.is_some())
        })
    }

    /// The types of these tell their values otherwise since there.
    pub(in crate::target) fn retyped(&mut self, tables: impl IntoIterator<Item = (u32, Lsn)>) {
        self.retyped.extend(tables);
    }

    /// Whether values of the table that a transaction tells whose first change is at `first` may be told by what its types were
    /// before.
    pub(super) fn is_told_by_older_types(&self, oid: u32, first: Lsn) -> bool {
        self.retyped.get(&oid).is_some_and(|at| first < *at)
    }

    /// The source has dropped a table whose changes are still to come.
    pub(super) fn is_gone(&mut self, oid: u32) {
        self.gone.insert(oid);
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(super) fn relation(&self, oid: u32) -> Option<&Relation> {
        self.by_oid.get(&oid).map(|at| &self.catalog.relations[*at])
    }

    /// A table is new, or another now.
    pub(super) fn put(&mut self, relation: Relation) {
        let relations = &mut Arc::make_mut(&mut self.catalog).relations;
        match self.by_oid.get(&relation.oid) {
            Some(at) => relations[*at] = relation,
            None => {
                self.by_oid.insert(relation.oid, relations.len());
                relations.push(relation);
            }
        }
    }

    /// A table is gone; `false` when it was not known.
    pub(super) fn remove(&mut self, oid: u32) -> bool {
        if self.by_oid.remove(&oid).is_none() {
            return false;
        }
        self.points.remove(&oid);
        let relations = &mut Arc::make_mut(&mut self.catalog).relations;
        relations.retain(|relation| relation.oid != oid);
        self.by_oid = (0..).zip(&self.catalog.relations).map(|(at, r)| (r.oid, at)).collect();
        true
    }

    /// `None`: its rows are to be copied again, and its changes are left out until then.
    pub(super) fn set_point(&mut self, oid: u32, point: Option<Lsn>) {
        match point {
            Some(point) => self.points.insert(oid, point),
            None => self.points.remove(&oid),
        };
    }

    pub(super) fn rename_schema(&mut self, from: &str, to: &str) {
        for relation in &mut Arc::make_mut(&mut self.catalog).relations {
            if relation.schema == from {
                to.clone_into(&mut relation.schema);
            }
        }
    }

    /// As the stream tells it, under the name that is known.
    pub(super) fn as_it_is_named(&self, stream: pgoutput::Relation) -> pgoutput::Relation {
        match self.relation(stream.id) {
            Some(known) => {
                let (namespace, name) = (known.schema.clone(), known.name.clone());
                pgoutput::Relation { namespace, name, ..stream }
            }
            None => stream,
        }
    }

    /// Matches what the stream says of a table with what was copied.
    ///
    /// # Errors
    /// `SourceSchemaChanged` when they differ.
    pub(super) fn resolve(&self, stream: &pgoutput::Relation) -> Result<Table, Fault> {
        let label = format!("{}.{}", stream.namespace, stream.name);
        let known = self
            .by_oid
            .get(&stream.id)
            .map(|at| &self.catalog.relations[*at])
            .ok_or_else(|| changed(&label, "it was not there when the schema was dumped"))?;
        // No commit is newer than a table that waits for its rows.
        let point = self.points.get(&stream.id).copied().unwrap_or(Lsn(u64::MAX));
        if (&known.schema, &known.name) != (&stream.namespace, &stream.name) {
            return Err(changed(&label, &format!("it was named {} before", known.label())));
        }
        let mut columns = columns(&known.columns, stream).map_err(|what| changed(&label, &what))?;
        let alone = !self.give_elements(&known.columns, &mut columns);
        Ok(Table {
            oid: known.oid,
            label: label.clone().into(),
            name: qualified(&known.schema, &known.name),
            point,
            keyed: columns.iter().any(|column| column.key),
            columns,
            conflicts: known.conflicts,
            alone,
            full_identity: stream.replica_identity == pgoutput::REPLICA_IDENTITY_FULL,
        })
    }

    /// How the columns' values travel; `false`: those of some can't together. In the order of `known`.
    fn give_elements(&self, known: &[Column], columns: &mut [TableColumn]) -> bool {
        let mut all = true;
        for (known, column) in known.iter().zip(columns) {
            match self.casts.elements(known) {
                Some(elements) => column.elements = elements,
                None => all = false,
            }
        }
        all
    }
}

/// How the stream's columns differ from those that are known, in words.
pub(super) fn unlike(known: &[Column], stream: &pgoutput::Relation) -> Option<String> {
    columns(known, stream).err()
}

fn columns(known: &[Column], stream: &pgoutput::Relation) -> Result<Vec<TableColumn>, String> {
    if let Some(gone) =
        known.iter().find(|column| !stream.columns.iter().any(|s| s.name == column.name))
    {
        return Err(format!("its column {:?} is gone", gone.name));
    }
    let full = stream.replica_identity == pgoutput::REPLICA_IDENTITY_FULL;
    let columns: Vec<TableColumn> = stream
        .columns
        .iter()
        .map(|column| {
            let known = known
                .iter()
                .find(|known| known.name == column.name)
                .ok_or_else(|| format!("its column {:?} is new", column.name))?;
            if (known.type_oid, known.typmod) != (column.type_oid, column.typmod) {
                return Err(format!("the type of its column {:?} is another", column.name));
            }
            let equality = known.key.as_ref();
            Ok(TableColumn {
                name: column.name.clone(),
                type_name: known.type_name.clone(),
                elements: Elements::of(known.type_oid),
                key: if full { known.key.is_some() } else { column.key },
                exact: known.exact_equality,
                operator: equality.map_or(EQUALITY, |equality| &equality.operator).to_owned(),
                collation: equality.and_then(|equality| equality.collation.clone()),
                used: AtomicBool::new(false),
            })
        })
        .collect::<Result<_, String>>()?;
    // Nothing but their places tells that two of one type have exchanged their names.
    match known.iter().map(|known| &known.name).eq(columns.iter().map(|column| &column.name)) {
        true => Ok(columns),
        false => Err("its columns are in another order".into()),
    }
}

fn changed(label: &str, what: &str) -> Fault {
    Fault::hold(
        "SourceSchemaChanged",
        format!("applying changes of {label}: the table was changed on the source: {what}"),
    )
    .remedy("undo the change on the source and retry, or cancel and start a new migration")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Publish;

    fn tables() -> Tables {
        let column = |name: &str| Column {
            name: name.into(),
            type_oid: 23,
            typmod: -1,
            type_name: "integer".into(),
            exact_equality: true,
            key: None,
            identity_always: false,
        };
        let relation = Relation {
            oid: 7,
            schema: "public".into(),
            name: "t".into(),
            pages: 0,
            bytes: 0,
            columns: vec![column("id")],
            identity: TableIdentity::Key,
            publish: Publish::All,
            file: None,
            conflicts: false,
            binary: true,
        };
        let columns = vec![column("a"), column("b")];
        let two = Relation { oid: 9, name: "two".into(), columns, ..relation.clone() };
        let relations = vec![relation, two];
        let catalog = Catalog { server_version: 150_000, relations, ..Catalog::default() };
        Tables::new(Arc::new(catalog), HashMap::from([(7, Lsn(1))]), HashSet::new())
    }

    fn stream(id: u32, name: &str, columns: &[(&str, u32)]) -> pgoutput::Relation {
        let column = |(name, type_oid): &(&str, u32)| pgoutput::Column {
            key: true,
            name: (*name).into(),
            type_oid: *type_oid,
            typmod: -1,
        };
        pgoutput::Relation {
            xid: None,
            id,
            namespace: "public".into(),
            name: name.into(),
            replica_identity: b'd',
            columns: columns.iter().map(column).collect(),
        }
    }

    #[test]
    fn every_difference_is_named() {
        let tables = tables();
        assert!(tables.resolve(&stream(7, "t", &[("id", 23)])).is_ok());
        assert!(tables.resolve(&stream(9, "two", &[("a", 23), ("b", 23)])).is_ok());
        for (other, what) in [
            (stream(8, "new", &[("id", 23)]), "was not there"),
            (stream(7, "renamed", &[("id", 23)]), "was named public.t"),
            (stream(7, "t", &[]), "\"id\" is gone"),
            (stream(7, "t", &[("id", 23), ("x", 23)]), "\"x\" is new"),
            (stream(7, "t", &[("id", 20)]), "type of its column \"id\""),
            (stream(9, "two", &[("b", 23), ("a", 23)]), "in another order"),
        ] {
            let fault = tables.resolve(&other).unwrap_err();
            assert_eq!(fault.code, "SourceSchemaChanged");
            assert!(fault.message.contains(what), "{}", fault.message);
        }
    }
}
