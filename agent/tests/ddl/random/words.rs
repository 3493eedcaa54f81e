//! Statements with holes, and what of the source's catalog goes into them.
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use whimbrel_agent::postgres::Client;

/// Relations of some kinds.
macro_rules! of_kind {
    ($kinds:literal) => {
        concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind in (",
            $kinds,
            ") and c.relnamespace in ('public'::regnamespace, 's2'::regnamespace) order by 1"
        )
    };
}

/// `{t}` is a table (`{c}` a column of it), `{u}` another, `{r}` an ordinary one, `{p}` a partitioned one, `{i}` an index, `{v}` a view, `{s}` a
/// sequence, `{k}` a table with a constraint (`{kn}`), `{a}` a partitioned table with a partition (`{ac}`) and its bound (`{ab}`); `{n}` a name,
/// new or not, `{y}` a type, `{#}` a number.
const CHANGES: &[&str] = &[
    "alter table {t} add column {n} {y}",
    "alter table {t} add column {n} int default {#}",
    "alter table {t} add column {n} text default md5(random()::text)",
    "alter table {t} add column {n} int not null default 3",
    "alter table {t} add column {n} timestamptz default now()",
    "alter table {t} add column {n} serial",
    "alter table {t} add column {n} int generated always as identity",
    "alter table {t} add column {n} int generated always as (1 + 1) stored",
    "alter table {t} drop column {c}",
    "alter table {t} drop column {c} cascade",
    "alter table {t} rename column {c} to {n}",
    "alter table {t} alter column {c} type bigint using {c}::text::bigint",
    "alter table {t} alter column {c} type text",
    "alter table {t} alter column {c} type varchar(60) using {c}::text",
    "alter table {t} alter column {c} type numeric using {c}::text::numeric",
    "alter table {t} rename to {n}",
    "alter table {t} set schema s2",
    "alter table {t} set schema public",
    "create table {n} (id int primary key, note text)",
    "create table {n} as select * from {t} limit 20",
    "create table {n} (like {t} including all)",
    "drop table {t}",
    "drop table {t} cascade",
    "create index {n} on {t} ({c})",
    "create unique index {n} on {t} ({c})",
    "drop index {i}",
    "alter index {i} rename to {n}",
    "alter table {t} alter column {c} set default null",
    "alter table {t} alter column {c} drop default",
    "alter table {t} alter column {c} set not null",
    "alter table {t} alter column {c} drop not null",
    "alter table {k} drop constraint {kn}",
    "alter table {k} drop constraint {kn} cascade",
    "alter table {k} rename constraint {kn} to {n}",
    "alter table {t} add constraint {n} check (id is not null)",
    "alter table {t} add constraint {n} check (id > -{#}) not valid",
    "alter table {t} add constraint {n} primary key (id)",
    "alter table {t} add constraint {n} unique (id, note)",
    "alter table {t} add constraint {n} foreign key (id) references {u} (id) not valid",
    "alter table {t} replica identity full",
    "alter table {t} replica identity default",
    "alter table {r} replica identity using index {i}",
    "alter table {a} detach partition {ac}",
    "alter table {a} attach partition {r} {ab}",
    "alter table {p} attach partition {r} for values in ({#})",
    "create table {n} partition of pt for values in ({#})",
    "create table {n} (like pt) partition by list (k)",
    "create table {n} (id int, k int, note text, primary key (id, k)) partition by hash (id)",
    "create table {n} partition of {p} for values with (modulus 2, remainder 0)",
    "create table {n} (z int) inherits ({r})",
    "alter table {r} inherit {u}",
    "alter table {r} no inherit {u}",
    "create view {n} as select * from {t}",
    "drop view {v} cascade",
    "create or replace view v0 as select id, a, b from t0",
    "create materialized view {n} as select id from {t}",
    "refresh materialized view mv",
    "create type {n} as enum ('u', 'v')",
    "alter type mood add value '{n}'",
    "alter type mood rename value 'b' to '{n}'",
    "alter type comp add attribute {n} int cascade",
    "drop type mood cascade",
    "create type mood as enum ('a', 'b', 'c')",
    "alter domain posint drop constraint posint_check",
    "alter domain posint add constraint {n} check (value > -5)",
    "create function {n}() returns int language sql as 'select {#}'",
    "create or replace function noted() returns trigger language plpgsql as $$begin new.note = '{n}'; return new; end$$",
    "create trigger {n} before insert on {r} for each row execute function noted()",
    "alter table {r} disable trigger user",
    "alter table {r} enable always trigger user",
    "create sequence {n}",
    "alter sequence {s} restart with {#}",
    "alter sequence {s} owned by none",
    "alter sequence {s} rename to {n}",
    "alter sequence {s} increment {#}",
    "select nextval('{s}')",
    "alter table {r} set unlogged",
    "alter table {r} set logged",
    "comment on table {t} is '{n}'",
    "comment on column {t}.{c} is '{n}'",
    "alter table {t} enable row level security",
    "create policy {n} on {t} using (true)",
    "grant select on {t} to public",
    "alter table {r} cluster on {i}",
    "alter table {r} set (fillfactor = 9{#})",
    "alter table {t} alter column {c} set statistics {#}",
    "alter table {t} alter column {c} set storage external",
    "create statistics {n} on id, note from {t}",
    "alter table {t} alter column {c} add generated by default as identity",
    "alter table {t} alter column {c} drop identity if exists",
    "create rule {n} as on insert to {r} where false do nothing",
    "create schema {n}",
    "alter schema s2 rename to {n}; alter schema {n} rename to s2",
];

const TYPES: &[&str] = &[
    "int",
    "bigint",
    "text",
    "varchar(40)",
    "numeric(12, 2)",
    "boolean",
    "timestamptz",
    "jsonb",
    "mood",
    "posint",
    "comp",
    "int[]",
    "uuid",
    "bytea",
];

/// Half of what changes rows inserts.
const ROWS: &[&str] = &[
    "{insert}",
    "{insert}",
    "{insert}",
    "{insert}",
    "update {t} set note = md5(random()::text) where ctid in (select ctid from {t} limit 3)",
    "update {t} set id = id + 1000000 where ctid in (select ctid from {t} limit 1)",
    "delete from {t} where ctid in (select ctid from {t} limit 2)",
    "truncate {t} restart identity cascade",
];

/// Names that were given.
#[derive(Debug, Default)]
pub(super) struct Words {
    given: usize,
}

impl Words {
    /// A statement, of the schema with the chance `share`; none where the source lacks what would go into it.
    pub(super) async fn statement(
        &mut self,
        rng: &mut StdRng,
        client: &Client,
        share: f64,
    ) -> Option<String> {
        let kinds = if rng.random_bool(share) { CHANGES } else { ROWS };
        let mut text = (*kinds.choose(rng).unwrap()).to_owned();
        for (hole, query) in HOLES {
            if text.contains(hole) {
                text = fill(rng, client, text, hole, query).await?;
            }
        }
        self.given += 1;
        // Names come back, too.
        let name = if rng.random_bool(0.7) { self.given } else { rng.random_range(1..=6) };
        let number = rng.random_range(1..=9);
        let of = TYPES.choose(rng).unwrap();
        let text = text.replace("{n}", &format!("n{name}")).replace("{#}", &number.to_string());
        Some(text.replace("{y}", of))
    }
}

/// Each with what answers it: one text, or what goes into several holes.
const HOLES: &[(&str, &str)] = &[
    ("{insert}", include_str!("insert.sql")),
    ("{k}", "select c.conrelid::regclass::text, '{kn}', quote_ident(c.conname) from pg_constraint c
        where c.conrelid <> 0 and c.connamespace in ('public'::regnamespace, 's2'::regnamespace) order by 1, 3"),
    ("{a}", "select i.inhparent::regclass::text, '{ac}', c.oid::regclass::text, '{ab}', pg_get_expr(c.relpartbound, c.oid)
        from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relispartition and c.relkind in ('r', 'p') order by 1, 3"),
    ("{t}", "select c.oid::regclass::text, '{c}', quote_ident(a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 's2'::regnamespace) and a.attnum > 0
        and not a.attisdropped order by 1, 3"),
    ("{u}", of_kind!("'r', 'p'")),
    ("{r}", of_kind!("'r'")),
    ("{p}", of_kind!("'p'")),
    ("{i}", of_kind!("'i'")),
    ("{v}", of_kind!("'v'")),
    ("{s}", of_kind!("'S'")),
];

/// One of the query's rows: its first column goes into `hole`, the others are pairs of a hole and what goes into it.
async fn fill(
    rng: &mut StdRng,
    client: &Client,
    text: String,
    hole: &str,
    query: &str,
) -> Option<String> {
    let rows = client.query(query, &[]).await.unwrap();
    let row = rows.choose(rng)?;
    let mut text = text.replace(hole, &row.get::<_, String>(0));
    for at in (1..row.len()).step_by(2) {
        text = text.replace(&row.get::<_, String>(at), &row.get::<_, String>(at + 1));
    }
    Some(text)
}
