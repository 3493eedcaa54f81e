//! What a text of the stream is to a type: casts of the database's own, and types that are told again under other attributes and labels.
use crate::{
    cut_over_alike,
    driver::{batch, sql},
    following, following_as,
};

/// To types of each kind, through which texts do not come back as they were; to one from every string type. The server objects to
/// nothing that comes of them, or the rows would be written one by one.
const CASTS: &str = "create type mood as enum ('SAD', 'sad', 'glad');
    create function to_mood(text) returns mood language sql immutable as
        $$ select case $1 when 'SAD' then 'sad'::public.mood when 'sad' then 'SAD'::public.mood else 'glad'::public.mood end $$;
    create cast (text as mood) with function to_mood(text);
    create domain felt as mood;
    create type pair as (m mood, n text);
    create function to_pair(text) returns pair language sql immutable as $$ select row('glad', 'x')::public.pair $$;
    create cast (text as pair) with function to_pair(text);
    create function to_moods(text) returns mood[] language sql immutable as $$ select '{glad}'::public.mood[] $$;
    create cast (text as mood[]) with function to_moods(text);
    create type level as enum ('HIGH', 'low');
    create function to_level(text) returns level language sql immutable as $$ select 'low'::public.level $$;
    create function to_level(varchar) returns level language sql immutable as $$ select 'low'::public.level $$;
    create function to_level(bpchar) returns level language sql immutable as $$ select 'low'::public.level $$;
    create cast (text as level) with function to_level(text);
    create cast (varchar as level) with function to_level(varchar);
    create cast (bpchar as level) with function to_level(bpchar);
    create type shade as enum ('DARK', 'light');
    create function to_shade(text) returns shade language sql immutable as $$ select 'light'::public.shade $$;
    create table f (id int primary key, m mood, d felt, p pair, ms mood[], last text);
    create table keyed (m mood primary key, v int);
    create table whole (m mood, v int);
    alter table whole replica identity full;
    create table levels (id int primary key, l level);
    create table shades (id int primary key, s shade);
    insert into keyed select m, 1 from unnest(enum_range(null::mood)) m;
    insert into whole select m, g from generate_series(1, 60) g, unnest(enum_range(null::mood)) m";

/// Enough in one transaction to be written together.
const MANY: &str = "insert into f select g, 'SAD'::mood, 'SAD'::felt, row('SAD', 'it''s \"\\ ')::pair, array['SAD', null]::mood[], ' x ' \
        from generate_series(1, 60) g;
    insert into levels select g, 'HIGH' from generate_series(1, 60) g;
    update f set m = 'glad', d = 'SAD' where id > 30; delete from f where id = 7;
    update keyed set v = 2 where m = 'SAD'; delete from keyed where m = 'sad';
    delete from whole where v < 20 and m = 'SAD'; update whole set v = -v where v > 50 and m = 'SAD';
    update levels set id = id + 100 where id > 55";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cast_of_the_databases_own_from_text_is_not_taken_for_a_row() {
    let (source, target, mut driver) = following(CASTS).await;
    batch(&source, "shop", MANY).await;
    // It comes with the stream.
    sql(&source, "shop", "create cast (text as shade) with function to_shade(text)").await;
    batch(&source, "shop", "insert into shades select g, 'DARK' from generate_series(1, 60) g")
        .await;
    batch(&source, "shop", "update f set m = 'SAD'; update keyed set v = v + 1").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A row tells them by their places alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attribute_that_takes_the_place_of_another_keeps_its_values() {
    let (source, target, mut driver) = following_as(
        "create type ct as (a int, b int);
         create domain dt as ct;
         create type holds as (c ct, n int);
         create table plain (id int primary key, s ct);
         create table many (id int primary key, s ct[]);
         create table felt (id int primary key, s dt);
         create table held (id int primary key, s holds);
         create type st as (a int);
         create table short (id int primary key, s st);
         insert into plain values (1, (1, 1)), (2, (1, 1))",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter type ct drop attribute b;
         alter type ct add attribute c int;
         insert into plain values (5, (5, 7));
         update plain set s = (2, 2) where id = 1;
         insert into many values (1, array[(5, 7)::ct]);
         insert into felt values (1, row(5, 7)::ct);
         insert into held values (1, row(row(5, 7)::ct, 3));
         alter type st add attribute b int;
         insert into short values (1, (5, 7));
         alter type st drop attribute b;
         alter type st add attribute b int;
         insert into short values (2, (5, 8))",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// By its number alone the catalog tells it from the one that has its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_is_gone_leaves_no_value_to_the_next_of_its_name() {
    let (source, target, mut driver) = following_as(
        "create table f (id int primary key);
         create table more (id int primary key, gone int);
         alter table more drop column gone;
         create table parted (id int primary key) partition by range (id);
         create table low partition of parted for values from (0) to (10);
         create table high partition of parted for values from (10) to (20)",
        false,
    )
    .await;
    for (table, rows) in [("f", "(1, 5)"), ("more", "(1, 5)"), ("parted", "(1, 5), (11, 6)")] {
        let change = format!(
            "alter table {table} add c int; insert into {table} (id, c) values {rows};
             alter table {table} drop c; alter table {table} add c int; insert into {table} (id, c) values (2, 9)"
        );
        batch(&source, "shop", &change).await;
    }
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// No label can take a name that another still has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_of_an_enum_may_change_their_places() {
    let (source, target, mut driver) = following_as(
        "create type st as enum ('a', 'b', 'c');
         create type kind as enum ('x', 'y');
         create table f (id int primary key, s st);
         create table kinds (id int primary key, k kind);
         insert into f values (1, 'a'), (2, 'b'), (3, 'c');
         insert into kinds values (1, 'x'), (2, 'y')",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "alter type st rename value 'a' to 'aside';
         alter type st rename value 'b' to 'a';
         alter type st rename value 'aside' to 'b';
         insert into f values (4, 'a'), (5, 'b');
         alter type kind rename value 'x' to 'old';
         alter type kind add value 'x' before 'old';
         insert into kinds values (3, 'x')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
