//! What is left out, and what can't do without it.
use whimbrel_proto::{agent::v1::Selection, v1::FindingState};

use crate::bench::{Bench, Looked, ROLE_PASSWORD};

async fn look(bench: &Bench, name: &str, selection: Selection) -> Looked {
    bench.source_of(&bench.superuser(), &[name], selection, |_| {}).await
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

async fn prepared(name: &str) -> Bench {
    let bench = Bench::shared().await;
    bench.sql("postgres", &format!("create database {name}")).await;
    bench
        .sql(
            name,
            "create schema lib; create schema app; create schema ext; create extension citext schema ext;
             create function lib.f() returns int language sql immutable as 'select 1';
             create type lib.state as enum ('on'); create domain app.on_state as lib.state;
             create sequence lib.numbers; create collation lib.c (locale = 'C');
             create table lib.base (id int primary key, a text); create table lib.part (id int primary key) partition by range (id);
             create table app.own (id int primary key, st lib.state default 'on', n int default nextval('lib.numbers'), mail ext.citext,
                                   check (lib.f() > 0));
             create index by_f on app.own ((lib.f()));
             create table app.heir () inherits (lib.base); create table lib.heir () inherits (app.own);
             create view app.seen as select * from lib.base; create function app.rows() returns setof lib.base language sql as 'select * from lib.base';
             create table app.refers (id int primary key references lib.base);
             create trigger t before insert on app.own for each row execute function suppress_redundant_updates_trigger();
             create table app.stray partition of lib.part for values from (1) to (2);
             create statistics app.of_base on id, a from lib.base;
             create publication pair for table app.own, lib.base; select lo_create(1)",
        )
        .await;
    bench
}

#[tokio::test]
async fn what_is_chosen_is_told_when_it_needs_what_is_left_out() {
    let bench = prepared("dependent").await;
    let all = look(&bench, "dependent", Selection::default()).await;
    assert_eq!(all.objects("DependsOnLeftOut"), [""; 0]);
    let selection = Selection { exclude_schemas: texts(&["lib"]), ..Selection::default() };
    let looked = look(&bench, "dependent", selection).await;
    looked.assert_status(FindingState::FindingFailed);
    let mut told = looked.objects("DependsOnLeftOut");
    told.dedup();
    assert_eq!(
        told,
        [
            "column st of table app.own",
            "constraint own_check on table app.own",
            "default value for column n of table app.own",
            "default value for column st of table app.own",
            "function app.rows()",
            "index app.by_f",
            "rule _RETURN on view app.seen",
            "table app.heir",
            "type app.on_state",
        ]
    );
    assert_eq!(looked.objects("ForeignKeyLeftOut"), ["refers_id_fkey of app.refers"]);
    assert_eq!(looked.objects("PublicationNarrowed"), ["pair", "pair"]);
    assert_eq!(looked.objects("HeirLeftOut"), ["app.own"]);
    assert_eq!(looked.objects("LargeObjectsLeftOut"), [""; 0]);

    // Views and tables can be left out by themselves.
    let selection = Selection {
        exclude_schemas: texts(&["lib"]),
        exclude_tables: texts(&["app.own", "app.heir", "app.seen"]),
        ..Selection::default()
    };
    let left = look(&bench, "dependent", selection).await.objects("DependsOnLeftOut");
    assert_eq!(left, ["function app.rows()", "type app.on_state"]);
}

#[tokio::test]
async fn patterns_that_mean_nothing_or_a_part() {
    let bench = prepared("patterned").await;
    let selection = Selection {
        include_schemas: texts(&["lib", "libs"]),
        include_tables: texts(&["ext.nothing", "app.stray"]),
        exclude_tables: texts(&["app.gone", "lib.pa*"]),
        ..Selection::default()
    };
    let looked = look(&bench, "patterned", selection).await;
    assert_eq!(
        looked.objects("PatternMatchesNothing"),
        ["--include-schema 'libs'", "--include-table 'ext.nothing'", "--exclude-table 'app.gone'"]
    );
    assert_eq!(looked.objects("PatternNamesPart"), ["--include-table 'app.stray'"]);
    assert_eq!(looked.objects("LargeObjectsLeftOut"), [""]);
    // What has no such name by itself follows; and then nothing is told of it.
    let selection = Selection { exclude_tables: texts(&["app.stray"]), ..Selection::default() };
    let looked = look(&bench, "patterned", selection).await;
    assert_eq!(looked.objects("PatternNamesPart"), ["--exclude-table 'app.stray'"]);
    let selection = Selection { exclude_tables: texts(&["lib.part"]), ..Selection::default() };
    assert_eq!(look(&bench, "patterned", selection).await.objects("PatternNamesPart"), [""; 0]);
}

#[tokio::test]
async fn rights_on_what_is_left_out_are_not_asked_for() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role half login replication password '{ROLE_PASSWORD}'; create database halves owner half"),
        )
        .await;
    bench
        .sql(
            "halves",
            "create schema mine authorization half; create schema theirs; create table theirs.t (id int primary key);
             create table mine.t (id int primary key); alter table mine.t owner to half",
        )
        .await;
    let endpoint = bench.as_role("half");
    let all = bench.source(&endpoint, &["halves"]).await;
    all.assert_status(FindingState::FindingFailed);
    let selection = Selection { exclude_schemas: texts(&["theirs"]), ..Selection::default() };
    let looked = bench.source_of(&endpoint, &["halves"], selection, |_| {}).await;
    assert_eq!(looked.objects("ReadPrivilegeMissing"), [""; 0]);
    assert_eq!(looked.objects("NotTableOwner"), [""; 0]);
}

#[tokio::test]
async fn nothing_is_said_of_what_is_left_out() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database outside").await;
    bench.sql("postgres", "alter database outside set search_path = far, pg_catalog").await;
    let schema = "
        create schema app; create table app.t (id int primary key); create schema far; set search_path = far;
        create collation far.plain (locale = 'C'); create table far.many (id int primary key, t text collate far.plain);
        create function far.half(int) returns int language plpgsql immutable as 'begin return $1 / (select count(*) from many); end';
        insert into far.many values (1, 'one');
        create table far.reads (id int primary key check (half(id) >= 0)); insert into far.reads values (4);
        create index on far.reads (half(id)); create materialized view far.seen as select half(id) from far.reads;
        create function far.set() returns int language sql set geqo = off as 'select 1';
        create function far.in_c(text) returns int language c as '$libdir/citext', 'citext_hash';
        create text search dictionary far.words (template = simple, stopwords = english);
        create aggregate far.total (int8) (sfunc = int8_avg_accum, stype = internal, finalfunc = numeric_poly_avg);
        create conversion far.to_utf for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8";
    bench.client("outside").await.batch_execute(schema).await.unwrap();
    let all = look(&bench, "outside", Selection::default()).await;
    let told = |looked: &Looked| {
        format!("{:?} {}", looked.0.findings, String::from_utf8_lossy(&looked.0.facts))
    };
    for what in ["reads", "half", "set", "in_c", "words", "total", "plain"] {
        assert!(told(&all).contains(what), "{what}: {}", told(&all));
    }
    let selection = Selection { include_schemas: texts(&["app"]), ..Selection::default() };
    let looked = look(&bench, "outside", selection).await;
    assert_eq!(looked.told(), [""; 0]);
    for what in ["far.", "\"far\"", "plain"] {
        assert!(!told(&looked).contains(what), "{what}: {}", told(&looked));
    }
}
