//! What is dropped and made again under its name, while tables keep what used it: their columns, defaults and indexes hang on the
//! older one here, and no event trigger tells that they have left it.
use crate::{
    cut_over_alike,
    driver::{batch, sql, until},
    following_as,
};

async fn arrive(schema: &str, script: &str) {
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(&source, "shop", script).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The column is the source's with all its values: CASCADE would take it along with the domain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_that_a_domain_uses_is_made_again() {
    arrive(
        "create sequence sq; create domain dq as int default nextval('sq');
         create table tq (id int primary key, q dq);
         insert into tq (id) values (1), (2), (3)",
        "alter domain dq drop default; drop sequence sq; create sequence sq;
         alter domain dq set default nextval('sq'); insert into tq (id) values (4)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_that_a_column_uses_is_made_again() {
    arrive(
        "create sequence s; create table t (id bigint primary key default nextval('s'));
         create table own (id serial primary key, v text);
         insert into t default values; insert into own (v) values ('a')",
        "alter table t alter id drop default; drop sequence s; create sequence s start 100;
         alter table t alter id set default nextval('s'); insert into t default values;
         drop sequence own_id_seq cascade; create sequence own_id_seq start 100 owned by own.id;
         alter table own alter id set default nextval('own_id_seq'); insert into own (v) values ('b')",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_a_table_uses_is_made_again() {
    arrive(
        "create function nr() returns int language sql as 'select 1';
         create table t (id int primary key, n int default nr());
         create function f(int) returns int language sql immutable as 'select $1';
         create table i (a int primary key); create index by_f on i (f(a));
         create function low(int) returns bool language sql immutable as 'select $1 < 10';
         create domain few as int check (low(value)); create table d (id int primary key, few few);
         insert into t values (1); insert into i values (1); insert into d values (1, 1)",
        "alter table t alter n drop default; drop function nr();
         create function nr() returns int language sql as 'select 2';
         alter table t alter n set default nr(); insert into t values (2);
         drop function f(int) cascade;
         create function f(int) returns int language sql immutable as 'select $1 + 1';
         create index by_f on i (f(a)); insert into i values (2);
         drop function low(int) cascade;
         create function low(int) returns bool language sql immutable as 'select $1 < 20';
         alter domain few add check (low(value)); insert into d values (2, 2)",
    )
    .await;
}

/// What a column is of has its name and its words still, and nobody has rewritten the column: here it would go with the extension.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_that_a_column_is_of_is_made_again() {
    arrive(
        "create extension citext; create table t (id int primary key, c citext);
         insert into t values (1, 'A'), (2, 'b')",
        "alter table t alter c type text; drop extension citext; create extension citext;
         alter table t alter c type citext; insert into t values (3, 'C')",
    )
    .await;
}

/// It leaves its schema, which is gone then: another one has the name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_leaves_a_schema_that_is_made_again() {
    arrive(
        "create schema again; create table again.t (id int primary key, v text);
         create table again.gone (id int primary key); create function again.f() returns int language sql as 'select 1';
         insert into again.t values (1, 'a')",
        "alter table again.t set schema public; drop schema again cascade; create schema again;
         create table again.u (id int primary key); insert into again.u values (1)",
    )
    .await;
}

/// A row tells that another table has its name: the older one goes at that place, with its sequence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_whose_sequence_a_domain_uses_is_made_again() {
    arrive(
        "create table a (id serial primary key, v text); create domain da as int default nextval('a_id_seq');
         create table ta (id int primary key, q da); insert into ta (id) values (1), (2);
         create table b (id int primary key, v text)",
        "alter domain da drop default; drop table a; alter table b rename to a; create sequence a_id_seq owned by a.id;
         alter domain da set default nextval('a_id_seq');
         insert into a values (1, 'x'); insert into ta (id) values (3)",
    )
    .await;
}

/// The new table's sequence has the name of the old one's, which went with its table here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_again_without_a_word_keeps_its_sequence() {
    let (source, target, mut driver) = following_as(
        "create table con (id serial primary key, a text not null, unique (a));
         create table other (id int primary key); insert into con (a) values ('x'), ('y')",
        false,
    )
    .await;
    batch(
        &source,
        "shop",
        "begin; drop table con; create table con (id serial primary key, b text not null, c int); commit",
    )
    .await;
    for column in 0..3 {
        let written = format!(
            "insert into con (b) values ('s'); alter table other add c{column} int; insert into other values ({column}); \
             create table more{column} (id serial primary key)"
        );
        sql(&source, "shop", &written).await;
        until(&target, "shop", &format!("select count(*) from other where id = {column}")).await;
    }
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its name tells nothing of which index a key is of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_gone_indexs_name_is_its_own() {
    let schema = "create table acc (ledger text not null, address text not null, seq bigserial primary key, n int not null default 0);
        create unique index al on acc (ledger, address) include (seq); create unique index other on acc (ledger, address);
        insert into acc (ledger, address) select 'l', 'a' || g from generate_series(1, 5) g";
    for script in [
        "drop index al; alter table acc add constraint al unique (seq, address) with (fillfactor = 50)",
        "alter table acc drop column seq; alter table acc add constraint al primary key (ledger, address)",
        "alter table acc add constraint taken unique using index other; alter table acc add constraint k2 unique (n, seq) with (fillfactor = 60);
         alter index acc_pkey set (fillfactor = 70)",
    ] {
        for follow in [true, false] {
            let (source, target, mut driver) = following_as(schema, follow).await;
            sql(&source, "shop", script).await;
            sql(&source, "shop", "insert into acc (ledger, address) values ('m', 'z')").await;
            cut_over_alike(&source, &target, &mut driver, 1).await;
        }
    }
}

/// A table goes with the sequence that it owns, of which another one has the name by then that no table owns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_sequence_takes_the_name_of_one_that_has_gone_with_its_table() {
    // A foreign key keeps a table here until everything else has its form.
    let kept = "create table child (id int primary key, raw int references raw); insert into child values (1, 1);";
    for (owner, besides) in [
        ("int generated by default as identity (sequence name raw_seq)", ""),
        ("int generated by default as identity (sequence name raw_seq)", kept),
        ("int default nextval('raw_seq')", kept),
    ] {
        let schema = format!(
            "{} create table raw (id {owner} primary key, b text); {}
             create table v (id bigint default nextval('raw_seq'), u int primary key); create table t (id int primary key);
             insert into raw (b) select 'x' from generate_series(1, 5); insert into v values (default, 1); {besides}",
            if owner.contains("identity") { "" } else { "create sequence raw_seq as int;" },
            if owner.contains("identity") { "" } else { "alter sequence raw_seq owned by raw.id;" },
        );
        for script in [
            "alter table v alter id drop default; drop table raw cascade; create sequence raw_seq;
             select setval('raw_seq', 70); alter table v alter id set default nextval('raw_seq')",
            "drop table raw cascade; create sequence raw_seq start 77 increment 3",
        ] {
            arrive(&schema, &format!("{script}; insert into v values (8, 2)")).await;
        }
    }
}

/// The stream tells the table's new column before anything tells that its sequence is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_takes_the_name_of_the_serial_that_it_is_instead_of() {
    let schema =
        "create table ar (id serial primary key, eb int); insert into ar (eb) values (1), (2);
        create table other (id serial primary key, at int)";
    let identity = "alter table ar alter id drop default; drop sequence ar_id_seq;
        alter table ar alter id add generated by default as identity (start with 7)";
    let renamed = "alter table ar alter id drop default; alter sequence ar_id_seq rename to ar_old;
        alter table ar alter id add generated by default as identity (start with 7)";
    let (column, row) =
        ("alter table ar add column t int", "update ar set t = 2; insert into ar (eb) values (9)");
    for change in [identity, renamed] {
        arrive(schema, change).await;
        arrive(schema, &format!("{change}; {column}; {row}")).await;
        arrive(
            schema,
            &format!(
                "{change}; {row_only}; {column}; {row}",
                row_only = "insert into ar (eb) values (5)"
            ),
        )
        .await;
    }
}
