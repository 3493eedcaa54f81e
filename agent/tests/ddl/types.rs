//! Ranges, base types and tables that are made of types.
use whimbrel_proto::agent::v1::CopyAgain;

use super::{again::begin_again, cut_over_alike, following, following_as};
use crate::driver::{batch, sql, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_and_base_types_are_carried() {
    let (source, target, mut driver) = following(
        "create type early; create function early_in(cstring) returns early language internal immutable strict as 'int4in';
         create function early_out(early) returns cstring language internal immutable strict as 'int4out'",
    )
    .await;
    sql(
        &source,
        "shop",
        "create function distance(a uuid, b uuid) returns float8 language sql immutable as 'select 1.0::float8';
         create type \"Uuid range\" as range (subtype = uuid, subtype_diff = distance);
         create type texts as range (subtype = text, collation = \"C\", subtype_opclass = text_pattern_ops,
                                     multirange_type_name = \"many texts\");
         create table spans (id int primary key, at \"Uuid range\", words texts, many \"many texts\");
         insert into spans values (1, '[00000000-0000-0000-0000-000000000001,)', '[a,b]', '{[a,b],[x,y]}');
         create table held (at \"Uuid range\", exclude using gist (at with &&));
         create type stepped;
         create function whole(stepped) returns stepped language internal immutable strict as 'int4range_canonical';
         create type stepped as range (subtype = int4, canonical = whole);
         insert into held values ('[00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002]');
         create table steps (id int primary key, at stepped, later stepped[]);
         insert into steps values (1, '[1,5]', '{\"[1,2]\"}');
         alter type stepped rename to \"in steps\";
         update steps set at = '[2,3]';
         alter type texts owner to app;
         create type early (input = early_in, output = early_out, like = int4, category = 'U', default = '7');
         create table earlies (id int primary key, e early default '3', many early[]);
         insert into earlies values (1, '9', '{1,2}');
         insert into earlies (id) values (2);
         create function word_in(cstring) returns word language internal immutable strict as 'textin';
         create function word_out(word) returns cstring language internal immutable strict as 'textout';
         create type word (input = word_in, output = word_out, internallength = variable, storage = plain,
                           collatable = true, delimiter = '/');
         create table words (id int primary key, w word);
         insert into words values (1, 'a word');
         alter type word set (storage = extended);
         create type gone as range (subtype = date);
         drop type gone",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select at from steps").await, "[2,4)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_made_of_a_type_are_carried_and_go_with_it() {
    let (source, target, mut driver) = following(
        "create type shape as (id int, name text collate \"C\");
         create table first of shape (primary key (id));
         insert into first select g, 'n' || g from generate_series(1, 20) g",
    )
    .await;
    sql(
        &source,
        "shop",
        "create table second of shape (id with options primary key, name default 'x' not null);
         insert into second (id) values (1);
         alter type shape add attribute size numeric(6,2) cascade;
         update first set size = id where id < 5;
         insert into second values (2, 'y', 3.5);
         alter type shape rename attribute name to title cascade;
         insert into second values (3, 'z', 4.5);
         alter type shape alter attribute size type text cascade;
         insert into first values (100, 'later', 'long');
         alter table second add check (id > 0);
         alter table first not of;
         alter table first add column own int default 4;
         insert into first values (101, 'l', 'm', 5);
         create table third (id int, title text collate \"C\", size text);
         alter table third of shape;
         insert into third values (1, 'of', 'it');
         create table parted of shape partition by list (id);
         create table part partition of parted for values in (1);
         insert into parted values (1, 'p', 'q');
         alter type shape drop attribute size cascade;
         update second set title = 'w' where id = 2;
         insert into parted values (1, 'p')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A type that `create function` made by the way, and nobody has defined since: no message tells of it, and a table that is to
/// be copied again waited for one without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_that_stays_one_keeps_no_table_waiting() {
    let (source, target, mut driver) =
        following("create table filled (id int primary key); insert into filled values (1), (2)")
            .await;
    sql(
        &source,
        "shop",
        "create function never_in(cstring) returns never language internal immutable strict as 'textin';
         alter table filled add column number serial",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A type of the database's own has another OID on each server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_over_a_type_of_the_database_is_the_same_on_both_sides() {
    let (source, target, mut driver) =
        following("create type mood as enum ('sad', 'happy'); create table t (id int primary key)")
            .await;
    // The target's next types get other OIDs than the source's.
    sql(&target, "shop", "create type by as (the int); drop type by").await;
    sql(&source, "shop", "create domain felt as mood; alter table t add column f felt").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Dropped here for its successor, it would take the columns along that are of it, and their values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_made_again_while_there_was_no_slot_takes_no_column_along() {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create type mood as enum ('sad', 'merry');
             create type pair as (a int, b text);
             create domain few as int check (value < 10);
             create table t (id int primary key, m mood, n int, p pair, f few, last text);
             create table own (id int primary key, m mood);
             insert into t values (1, 'sad', 1, row(1, 'x'), 3, 'l'), (2, 'merry', 2, null, 4, 'm');
             insert into own values (1, 'sad')",
            follow,
        )
        .await;
        driver.lose_slot().await;
        sql(
            &source,
            "shop",
            "create type mood_2 as enum ('blue', 'merry');
             alter table t alter m type mood_2 using case m when 'sad' then 'blue' else 'merry' end::mood_2;
             alter table own drop m;
             drop type mood;
             alter type mood_2 rename to mood;
             alter table own add m mood default 'blue';
             alter table t alter f type text;
             drop domain few;
             create domain few as text check (length(value) < 5);
             alter table t alter f type few;
             alter table t drop p;
             drop type pair;
             create type pair as (b text);
             alter table t add p pair default row('y')",
        )
        .await;
        let again = CopyAgain { number: 1, tables: Vec::new(), new_slot: true };
        begin_again(&mut driver, again).await;
        sql(&source, "shop", "insert into own values (2, 'merry'); update t set n = 7").await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// No form of the table is told then, and no row tells its new columns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_goes_with_its_type_is_gone_here() {
    let (source, target, mut driver) = following(
        "create type mood as enum ('sad', 'happy');
         create domain few as int;
         create table felt (m mood, v int, f few);
         create table keyed (id int primary key, m mood, v int);
         insert into felt values ('sad', 1, 1), ('happy', 2, 2);
         insert into keyed values (1, 'sad', 1)",
    )
    .await;
    sql(
        &source,
        "shop",
        "insert into felt values ('sad', 3, 3);
         drop type mood cascade;
         drop domain few cascade;
         update keyed set v = 2",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The server keeps its words as they were given, under the search_path of whoever gave it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domains_default_of_a_type_of_the_database_is_the_same_on_both_sides() {
    let (source, target, mut driver) = following(
        "create type mood as enum ('sad', 'happy');
         create domain felt as mood default 'sad';
         create domain plain as mood",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter domain felt set default 'happy';
         alter domain plain set default 'sad';
         create domain fresh as mood default 'happy'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its updates fail on the source while it is among those whose updates are published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_loses_its_key_with_something_else_can_be_updated() {
    let (source, target, mut driver) = following(
        "create type mood as enum ('sad', 'happy');
         create table felt (m mood primary key, v int);
         create table chosen (id int not null, v int);
         create unique index chosen_id on chosen (id);
         alter table chosen replica identity using index chosen_id;
         insert into felt values ('sad', 1);
         insert into chosen values (1, 1)",
    )
    .await;
    sql(
        &source,
        "shop",
        "drop type mood cascade;
         update felt set v = 2;
         drop index chosen_id;
         update chosen set v = 2",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// As PostgreSQL's own src/test/subscription/t/002_types.pl has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domains_check_can_read_a_table_of_that_domain() {
    for event_triggers in [true, false] {
        let (source, target, mut driver) =
            following_as("create table t (id int primary key)", event_triggers).await;
        sql(
            &source,
            "shop",
            "set check_function_bodies = off;
             create function rises(int) returns bool language sql as 'select $1 > coalesce(max(a), 0) from public.made';
             create domain rising as int constraint up check (rises(value));
             create table made (a rising primary key);
             insert into made values (10);
             insert into made values (12)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// The usual way to take a label away. Its tables are copied again, and their columns' type has another name by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enum_that_takes_the_place_of_another_hinders_no_cutover_that_follows_at_once() {
    let (source, target, mut driver) = following(
        "create type kind as enum ('a', 'b', 'c');
         create table one (id int primary key, k kind not null); insert into one select g, 'a' from generate_series(1, 20) g;
         create table other (id int primary key, k kind not null); insert into other select g, 'b' from generate_series(1, 20) g",
    )
    .await;
    let swap = "begin; create type kind_new as enum ('a', 'b', 'd');
        alter table one alter k type kind_new using k::text::kind_new; alter table other alter k type kind_new using k::text::kind_new;
        drop type kind; alter type kind_new rename to kind; commit";
    batch(&source, "shop", swap).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
