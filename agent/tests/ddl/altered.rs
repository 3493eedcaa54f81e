//! Objects that were there when the copy began and are altered while the stream runs, of kinds that no event trigger tells in
//! a form that can be carried: they come with the dump of the cutover, and bring what hangs on them.
use whimbrel_proto::agent::v1::Step;

use super::{between, cut_over, cut_over_alike, following, following_as};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{HBA, batch, sql, value},
};

const SCHEMA: &str = "
    create function first_of(int, int) returns int language sql immutable as 'select coalesce($1, $2)';
    create aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0');
    comment on aggregate total (int) is 'sums up';
    create text search configuration words (copy = simple);
    comment on text search configuration words is 'of the shop';
    create foreign data wrapper nothing;
    create server far foreign data wrapper nothing options (host 'a');
    comment on server far is 'far away';
    grant usage on foreign server far to reader;
    create server near foreign data wrapper nothing;
    create user mapping for app server near options (name 'x');
    create table t (id int primary key, v int);
    create table u (id int primary key);
    create publication theirs for table t;
    insert into t select g, g from generate_series(1, 20) g";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_since_the_dump_arrives_as_it_is_with_its_comments_and_rights() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "create or replace aggregate total (int) (sfunc = first_of, stype = int);
         alter text search configuration words alter mapping for asciiword with english_stem;
         alter server far options (set host 'b');
         alter user mapping for app server near options (set name 'y');
         alter publication theirs add table u;
         insert into t values (21, 21)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

const MADE: [&str; 12] = [
    "create view seen as select id from t; comment on view seen is 'same'; comment on column seen.id is 'same'",
    "create function plus(int) returns int language sql as 'select $1 + 1'; comment on function plus(int) is 'same'",
    "create type mood as enum ('sad'); comment on type mood is 'same'",
    "create table made (id int primary key, a int, b int); comment on table made is 'same';
     create statistics of_made on a, b from made; comment on statistics of_made is 'same'",
    "create type pair as (a int, b int)",
    "create cast (int as mood) with inout; comment on cast (int as mood) is 'same'",
    "create operator === (leftarg = int, rightarg = int, function = int4eq); comment on operator === (int, int) is 'same'",
    "create operator class ops for type int using hash as operator 1 ===; comment on operator class ops using hash is 'same'",
    "create text search dictionary plain (template = simple); create text search configuration words (parser = default);
     alter text search configuration words add mapping for asciiword with plain",
    "create collation other (locale = 'C'); comment on collation other is 'same'",
    "create foreign data wrapper nothing; grant usage on foreign data wrapper nothing to reader",
    "create server far foreign data wrapper nothing; create user mapping for app server far options (name 'x');
     grant usage on foreign server far to reader",
];

const GONE: &str = "drop view seen; drop function plus(int); drop cast (int as mood); drop type mood;
    drop table made; drop type pair; drop operator class ops using hash; drop operator family ops using hash;
    drop operator === (int, int); drop text search configuration words; drop text search dictionary plain;
    drop collation other; drop user mapping for app server far; drop server far; drop foreign data wrapper nothing";

/// By its words it is what the dump had, and by its OID another: the stream has dropped the one that was here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_and_made_again_in_the_same_words_is_here_with_its_comments() {
    let made = MADE.join(";\n");
    let (source, target, mut driver) = following(&format!(
        "create table t (id int primary key, v int);\ncomment on column t.v is 'same';\n{made}"
    ))
    .await;
    sql(&source, "shop", &format!("{};\n{made};\n{COLUMN}", GONE.replace("; ", ";\n"))).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

const COLUMN: &str = "alter table t drop column v;
    alter table t add column v int;
    comment on column t.v is 'same'";

/// No delete of a table without a key comes: its rows are as the source's only once they are compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_key_is_made_whose_deletes_did_not_come() {
    let (source, target, mut driver) = following(
        "create table owner (a int primary key);\ncreate table owned (a int);
         insert into owner values (1), (2);\ninsert into owned values (1), (2)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table owned add foreign key (a) references owner on delete cascade;
         delete from owner where a = 1",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The server makes the key anew when the column that it refers to takes another type, and the table's rows come again later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_foreign_keys_refer_to_takes_another_type() {
    let (source, target, mut driver) = following(
        "create table owner (a int primary key, up int references owner);
         create table owned (a int primary key, b int references owner);
         insert into owner values (1, null), (2, 1);\ninsert into owned values (1, 1), (2, 2)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table owner alter a type bigint;\ninsert into owner values (3, 2);\ninsert into owned values (3, 3)",
    )
    .await;
    // As it was: no comparison tells that the key is missing.
    sql(&source, "shop", "alter table owner alter a type int;\ninsert into owned values (4, 3)")
        .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its drop came, and what it is in the end is what the dump had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_key_is_made_that_was_dropped_and_made_again_in_the_same_words() {
    let (source, target, mut driver) = following(
        "create table owner (a int primary key);\ncreate table owned (a int primary key references owner);
         insert into owner values (1);\ninsert into owned values (1)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table owned drop constraint owned_a_fkey;
         alter table owned add foreign key (a) references owner;
         insert into owner values (2);\ninsert into owned values (2)",
    )
    .await;
    let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    assert!(notes.contains("is there again as it was"), "{notes}");
}

/// Inside a table's own entry of a dump, or nowhere but there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_on_a_table_is_set_on_one_that_was_made_again_in_the_same_words() {
    let made = "create table t (id int primary key, v text);
                alter table t enable row level security; alter table t force row level security;
                alter table t alter v set compression pglz;
                create view seen as select id from t; alter view seen alter id set default 5";
    let (source, target, mut driver) = following(made).await;
    sql(&source, "shop", &format!("drop view seen; drop table t; {made}")).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// No new row may be so, and those that are there come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_a_constraint_which_is_not_valid_would_refuse_are_copied_again() {
    let (source, target, mut driver) = following(
        "create table keyless (a int, b int); insert into keyless values (1, null), (2, 2);
         create table heir () inherits (keyless); insert into heir values (3, null)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table keyless add constraint filled check (b is not null) not valid;
         comment on constraint filled on keyless is 'later';
         delete from keyless where a = 2",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Their words are the same, and so are the table's settings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_on_an_index_is_set_on_one_that_was_made_again_in_the_same_words() {
    let schema = "create table t (id int not null constraint \"the ON key\" unique, v text);
                  create index \"by USING v\" on t (v, lower(v));
                  create table \"K k\" (id int not null constraint k_key unique, v text);
                  alter table t cluster on \"by USING v\";
                  alter index \"by USING v\" alter column 2 set statistics 500;
                  alter table t replica identity using index \"the ON key\";
                  alter table \"K k\" cluster on k_key";
    let (source, target, mut driver) = following(schema).await;
    sql(
        &source,
        "shop",
        "drop index \"by USING v\";
         create index \"by USING v\" on t (v, lower(v));
         alter table t cluster on \"by USING v\";
         alter index \"by USING v\" alter column 2 set statistics 500;
         alter table t drop constraint \"the ON key\";
         alter table t add constraint \"the ON key\" unique (id);
         alter table t replica identity using index \"the ON key\";
         alter table \"K k\" drop constraint k_key;
         alter table \"K k\" add constraint k_key unique (id);
         alter table \"K k\" cluster on k_key;
         insert into t values (1, 'one');
         update t set v = 'two'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// What is made of them would be in the way of making them anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_searches_texts_is_altered_as_it_stands() {
    let (source, target, mut driver) = following(
        "create text search dictionary plain (template = simple, stopwords = english, accept = true);
         create text search dictionary other (template = simple);
         create text search configuration words (parser = default);
         alter text search configuration words add mapping for asciiword, asciihword with plain;
         create text search configuration same (copy = simple);
         create table t (id int primary key, v text);
         create index on t using gin (to_tsvector('words', v));
         create index on t using gin (to_tsvector('same', v));
         insert into t values (1, 'The words')",
    )
    .await;
    let altered = "alter text search dictionary plain (stopwords, accept = false);
         alter text search dictionary other (accept = false);
         alter text search configuration words alter mapping for asciiword with other, plain;
         alter text search configuration words drop mapping for asciihword;
         alter text search configuration words add mapping for word with english_stem";
    // A person may have done the same here.
    let by_hand =
        "alter text search configuration same alter mapping for asciiword with english_stem";
    sql(&source, "shop", &format!("{altered};\n{by_hand}")).await;
    sql(&target, "shop", by_hand).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_of_what_is_foreign_are_altered_under_what_hangs_on_it() {
    let (source, target, mut driver) = following(
        "create foreign data wrapper nothing options (a 'x');
         create server far foreign data wrapper nothing options (host 'a', gone 'g', \"Odd, one\" 'it''s');
         create user mapping for app server far;
         create foreign table ft (a int) server far options (name 'x');
         create view seen as select a from ft;
         create table t (id int primary key)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter foreign data wrapper nothing options (set a 'y');
         alter server far options (set host 'b, c', drop gone, add port '1');
         alter server far owner to app;
         alter foreign table ft options (set name 'y', add more E'\\\\')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Each by itself: nothing else tells that the source's schema is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_dump_tells_arrives_though_nothing_else_changes() {
    let base = "create table t (id int primary key);
        create materialized view filled as select 1 as n with no data;
        create materialized view emptied as select 1 as n;
        create aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0');
        create function told() returns event_trigger language plpgsql as 'begin end';
        create event trigger tells on ddl_command_start when tag in ('CREATE CAST') execute function told();
        create foreign data wrapper nothing; create server far foreign data wrapper nothing;
        create foreign table ft (a int options (column_name 'x'), b text) server far;
        create policy mine on t using (id > 0);
        create schema shelf; create collation other (locale = 'C');
        create text search dictionary plain (template = simple);
        create text search configuration words (parser = default);
        alter text search configuration words add mapping for asciiword with plain";
    let steps = [
        "alter collation other set schema shelf; alter text search configuration words set schema shelf;
         alter text search dictionary plain set schema shelf",
        "refresh materialized view filled; refresh materialized view emptied with no data",
        "create or replace aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0', parallel = safe)",
        "alter event trigger tells owner to chief",
        "alter foreign table ft alter a options (set column_name 'y'), alter b options (add column_name 'z')",
        "drop policy mine on t; create policy mine on t with check (id > 0)",
    ];
    for step in steps {
        let (source, target, mut driver) = following(base).await;
        for server in [&source, &target] {
            sql(server, "shop", "create role chief superuser").await;
        }
        sql(&source, "shop", step).await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let filled = "select string_agg(relname || relispopulated, ' ' order by relname) from pg_class where relkind = 'm'";
        assert_eq!(value(&target, "shop", filled).await, value(&source, "shop", filled).await);
    }
}

/// Before 15 a partition's share of a trigger is internal, and no event trigger tells that it was disabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_does_not_fire_what_is_disabled_there() {
    let Some(older) = programs_of(13) else {
        eprintln!("NOT TESTED: PostgreSQL 13: this machine has no server of it (tests/servers)");
        return;
    };
    let (there, here) = (Cluster::start_of(older, HBA, ""), Cluster::start(HBA, ""));
    let schema = "create table p (id int primary key) partition by range (id);
        create table p1 partition of p for values from (0) to (10);
        create table p2 partition of p for values from (10) to (20);
        create function fires() returns trigger language plpgsql as 'begin return new; end';
        create trigger fires after insert on p for each row execute function fires();
        insert into p values (1), (11)";
    let (source, target, mut driver) = between(there, here, schema, |_| {}).await;
    sql(&source, "shop", "alter table p1 disable trigger fires").await;
    cut_over(&mut driver, 1).await;
    let fires = "select string_agg(tgrelid::regclass || ' ' || tgenabled::text, ',' order by tgrelid::regclass::text) from pg_trigger";
    assert_eq!(value(&target, "shop", fires).await, "p O,p1 D,p2 O");
}

/// Nothing differs on the source: here the default went with the old function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_views_default_that_went_with_its_function_is_told() {
    let (source, _target, mut driver) = following(
        "create function f() returns int language sql as 'select 1';
         create table t (id int primary key, a int);
         create view v as select * from t;
         alter view v alter a set default f()",
    )
    .await;
    let again = "begin; alter view v alter a drop default; drop function f(); \
         create function f() returns int language sql as 'select 1'; alter view v alter a set default f(); commit";
    sql(&source, "shop", again).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    assert!(failure.message.contains("default of a of public.v"), "{failure:?}");
}

/// The same words as of a column that was made with its default, whose older rows have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_that_comes_after_its_column_gives_older_rows_nothing() {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table t (id int primary key, v text);
             insert into t values (1, 'one'), (2, 'two');
             create table u (id int primary key, v text);
             insert into u values (1, 'one'), (2, 'two');
             create table p (id int primary key, v text) partition by range (id);
             create table p1 partition of p for values from (0) to (10);
             insert into p values (1, 'one');
             create table h (id int primary key);
             create table heir (own int) inherits (h);
             insert into heir values (1, 1)",
            follow,
        )
        .await;
        sql(
            &source,
            "shop",
            "alter table t add column c timestamptz, alter column c set default now();
             insert into t (id) values (3);
             alter table u add column c int;
             alter table u alter c set default 7;
             insert into u (id) values (3);
             alter table p add column c int, alter c set default 5;
             insert into p (id) values (3);
             alter table h add column c int, alter c set default 6;
             insert into heir (id) values (3)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// As a migration does that locks a large table for a moment only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_may_be_filled_and_then_be_not_null() {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table t (id int primary key, v text);
             insert into t values (1, 'one'), (2, 'two');
             create table u (id int primary key, v text);
             insert into u values (1, 'one'), (2, 'two')",
            follow,
        )
        .await;
        sql(
            &source,
            "shop",
            "alter table t add column c int;
             alter table t alter c set default 7;
             update t set c = 8;
             alter table t alter c set not null;
             alter table u add column c int;
             update u set c = 8;
             alter table u alter c set not null;
             insert into t (id) values (3)",
        )
        .await;
        let at_once = "alter table t add column d int; alter table t alter d set default 7;
             update t set d = 8; alter table t alter d set not null;
             alter table u add column d int;
             update u set d = 8; alter table u alter d set not null;
             insert into t (id) values (4)";
        batch(&source, "shop", at_once).await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}
