//! Random tables, random transactions: what is on the source is on the target.
//!
//! `WHIMBREL_SEEDS=1000` runs as many; `WHIMBREL_SEED=7` begins there. A seed that fails is printed.
use std::{env, sync::Arc};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio_postgres::error::SqlState;
use whimbrel_agent::postgres::Client;

use crate::{
    Followed,
    cluster::Cluster,
    driver::{self, HBA, database},
};

/// Seeds of an ordinary run.
const SEEDS: u64 = 6;

/// Types and some of their values, as SQL; the last few can be unequal and look alike, or the other way round.
const TYPES: [(&str, &[&str]); 14] = [
    ("integer", &["0", "1", "2", "-7", "2147483647"]),
    ("bigint", &["0", "9223372036854775807", "-1"]),
    (
        "text",
        &[
            "''",
            "'a'",
            "'A'",
            "'NULL'",
            "'it''s \\ \"{}\"'",
            "repeat('long ', 900)",
            "repeat('longer', 2000)",
        ],
    ),
    ("varchar(12)", &["'x'", "'x '", "''"]),
    ("char(3)", &["'x'", "''", "'abc'"]),
    ("bpchar", &["'x'", "'x '", "''"]),
    ("boolean", &["true", "false"]),
    ("timestamptz", &["'infinity'", "'2020-01-01 00:00+00'", "'0044-03-15 BC'"]),
    ("numeric", &["0", "1", "1.0", "1.00", "'NaN'", "-0.5"]),
    ("float8", &["0", "'-0'", "'NaN'", "0.1", "1e300"]),
    ("jsonb", &["'1'", "'1.0'", "'{\"a\": [1, null]}'", "'null'"]),
    ("integer[]", &["'{}'", "'{1,NULL}'", "'[0:1]={1,2}'"]),
    ("bytea", &["''", "'\\x00ff5c'", "decode(repeat('ab', 4000), 'hex')"]),
    ("json", &["'{}'", "'{ }'", "'[1]'"]),
];

/// Those of them that can be in a key.
const KEY_TYPES: usize = 10;

#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<(String, usize)>,
    /// How many of the columns are the key.
    key: usize,
    /// Its updates and deletes are in the stream.
    told: bool,
}

impl Table {
    fn random(rng: &mut StdRng, number: usize) -> (Self, String) {
        let name = format!("t{number}");
        let identity = rng.random_range(0..6);
        let key = if identity < 4 { rng.random_range(1..=2) } else { 0 };
        let count = key + rng.random_range(1..=5);
        let columns: Vec<(String, usize)> = (0..count)
            .map(|at| {
                let types = if at < key { KEY_TYPES } else { TYPES.len() };
                (format!("c{at}"), rng.random_range(0..types))
            })
            .collect();
        let mut parts: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, (column, of))| {
                let not_null = if at < key { " not null" } else { "" };
                format!("{column} {}{not_null}", TYPES[*of].0)
            })
            .collect();
        let keys: Vec<&str> = columns[..key].iter().map(|(column, _)| column.as_str()).collect();
        let keys = keys.join(", ");
        if matches!(identity, 0..=2) {
            parts.push(format!("primary key ({keys})"));
        }
        let mut after = match identity {
            0 | 1 => String::new(),
            2 => format!("; alter table {name} replica identity full"),
            3 => format!(
                "; create unique index {name}_key on {name} ({keys}); alter table {name} replica identity using index {name}_key"
            ),
            4 => format!("; alter table {name} replica identity full"),
            _ => String::new(),
        };
        if rng.random_bool(0.3) {
            parts.push("place integer".to_owned());
            let deferrable = ["", " deferrable initially deferred"].choose(rng).unwrap();
            parts.push(format!("unique (place){deferrable}"));
        }
        if rng.random_bool(0.2) {
            parts.push("made integer generated always as (42) stored".to_owned());
        }
        if rng.random_bool(0.5) {
            for (column, of) in &columns {
                if matches!(TYPES[*of].0, "text" | "bytea") {
                    after += &format!("; alter table {name} alter {column} set storage external");
                }
            }
        }
        let statement = format!("create table {name} ({}){after}", parts.join(", "));
        (Self { name, columns, key, told: identity != 5 }, statement)
    }

    fn value(rng: &mut StdRng, of: usize, nullable: bool) -> String {
        if nullable && rng.random_bool(0.2) {
            return "null".to_owned();
        }
        match TYPES[of].0 {
            "integer" | "bigint" if rng.random_bool(0.7) => rng.random_range(0..60).to_string(),
            "text" if rng.random_bool(0.4) => format!("'k{}'", rng.random_range(0..60)),
            _ => (*TYPES[of].1.choose(rng).unwrap()).to_owned(),
        }
    }

    fn insert(&self, rng: &mut StdRng) -> String {
        let name = &self.name;
        let columns: Vec<&str> = self.columns.iter().map(|(column, _)| column.as_str()).collect();
        let values: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, (_, of))| Self::value(rng, *of, at >= self.key))
            .collect();
        format!("insert into {name} ({}) values ({})", columns.join(", "), values.join(", "))
    }

    /// A few rows, wherever they lie.
    fn some(&self, rng: &mut StdRng) -> String {
        let (skip, count) = (rng.random_range(0..40), rng.random_range(1..6));
        let name = &self.name;
        format!("ctid in (select ctid from {name} order by ctid offset {skip} limit {count})")
    }

    fn update(&self, rng: &mut StdRng, keys: bool) -> String {
        let from = if keys { 0 } else { self.key.min(self.columns.len() - 1) };
        let at = rng.random_range(from..self.columns.len());
        let (column, of) = &self.columns[at];
        let value = Self::value(rng, *of, at >= self.key);
        format!("update {} set {column} = {value} where {}", self.name, self.some(rng))
    }

    fn change(&self, rng: &mut StdRng) -> String {
        match rng.random_range(0..100) {
            0..45 => self.insert(rng),
            45..65 => self.update(rng, false),
            65..80 => self.update(rng, true),
            80..95 => format!("delete from {} where {}", self.name, self.some(rng)),
            95 => format!("truncate {}", self.name),
            96 => format!("update {0} set {1} = {1}", self.name, self.columns[0].0),
            97 => format!("delete from {} where ctid = (select max(ctid) from {0})", self.name),
            _ => format!("insert into {0} select * from {0} limit 3", self.name),
        }
    }
}

/// One transaction. What the server refuses is undone, and the rest goes on.
async fn transaction(rng: &mut StdRng, client: &Client, tables: &[Table]) {
    client.batch_execute("begin").await.unwrap();
    let long = rng.random_bool(0.2);
    let changes = if long { rng.random_range(60..400) } else { rng.random_range(1..20) };
    let focus = tables.choose(rng).unwrap();
    let mut script = String::new();
    for _ in 0..changes {
        let table = if rng.random_bool(0.6) { focus } else { tables.choose(rng).unwrap() };
        // In a block of its own: an error undoes it alone.
        let change = table.change(rng).replace('\'', "''");
        script += &format!("begin execute '{change}'; exception when others then null; end;\n");
    }
    client.batch_execute(&format!("do $$ begin {script} end $$")).await.unwrap_or_else(|error| {
        panic!("{error:?}");
    });
    let end = if rng.random_bool(0.9) { "commit" } else { "rollback" };
    match client.batch_execute(end).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
        ended => ended.unwrap(),
    }
}

async fn one(source: &Arc<Cluster>, target: &Arc<Cluster>, seed: u64) {
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let name = &*format!("fuzz{seed}").leak();
    let (tables, statements): (Vec<Table>, Vec<String>) =
        (0..rng.random_range(2..6)).map(|number| Table::random(&mut rng, number)).unzip();
    database(source, &format!("create database {name}")).await;
    let client = driver::session(source, name).await;
    for statement in &statements {
        eprintln!("{statement}");
        client.batch_execute(statement).await.unwrap();
    }
    transaction(&mut rng, &client, &tables).await;
    let mut followed = Followed::follow(Arc::clone(source), Arc::clone(target), name, "").await;
    let untold: Vec<&str> =
        tables.iter().filter(|table| !table.told).map(|table| table.name.as_str()).collect();
    for _ in 0..3 {
        for _ in 0..rng.random_range(1..25) {
            transaction(&mut rng, &client, &tables).await;
        }
        followed.assert_alike_but(&untold).await;
    }
    drop(client);
    followed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_changes_arrive() {
    let number = |name, otherwise| env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (first, count) = (number("WHIMBREL_SEED", 1), number("WHIMBREL_SEEDS", SEEDS));
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    for seed in first..first + count {
        one(&source, &target, seed).await;
    }
}
