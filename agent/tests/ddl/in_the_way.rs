//! What hangs on a column hinders its new type: on the source it was dropped first, without a word, and made anew behind it.
use whimbrel_proto::agent::v1::report::Kind;

use crate::{
    cut_over_alike,
    driver::{Driver, sql, value},
    following_as,
};

/// Of the source: older servers have no BEGIN ATOMIC.
const ATOMIC: &str =
    "create function f() returns bigint language sql begin atomic select count(a) from t; end";

/// The table's rows arrive while the stream flows; then the cutover is made.
async fn arrive(hanging: &str, script: &str) {
    let table = "create table t (id int primary key, a varchar(10)); insert into t values (1, '1')";
    let (source, target, mut driver) = following_as(&format!("{table}; {hanging}"), false).await;
    sql(&source, "shop", script).await;
    sql(&source, "shop", "insert into t values (2, 'abcdefghijklmno')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select max(length(a))::text from t").await, "15");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_a_column_that_gets_another_type_is_there_after_the_cutover() {
    arrive(
        "create view v as select id, a from t; grant select on v to reader;
         create view same as select id from t; comment on view same is 'stays'",
        "begin;
         drop view v; alter table t alter a type varchar(20); create view v as select id, a from t;
         alter view v owner to app; grant select on v to reader; comment on view v is 'the newer';
         commit",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_of_views_and_what_is_made_of_their_rows_give_way_too() {
    arrive(
        "create view v as select id, a from t; create view w as select a from v;
         create view kept as select a from v;
         create function of(v) returns text language sql as 'select $1.a'",
        "begin;
         drop function of(v); drop view w; create or replace view kept as select null::varchar(10) as a; drop view v;
         alter table t alter a type text;
         create view v as select id, a from t; create view w as select a from v;
         create function of(v) returns text language sql as 'select $1.a';
         commit",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_materialized_view_of_such_a_column_gives_way_too() {
    arrive(
        "create materialized view m as select id, a from t; create unique index of_m on m (id);
         create view on_m as select a from m",
        "begin;
         drop materialized view m cascade; alter table t alter a type varchar(20);
         create materialized view m as select id, a from t; create unique index of_m on m (id);
         create view on_m as select a from m;
         commit",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_made_of_such_a_column_gives_way_too() {
    arrive(
        &format!("{ATOMIC}; create view v as select f()"),
        &format!(
            "begin;
             create or replace view v as select 1::bigint as f; drop function f();
             alter table t alter a type varchar(20); {ATOMIC}; create or replace view v as select f();
             commit"
        ),
    )
    .await;
}

/// They come with the switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_and_triggers_of_such_a_column_are_in_no_ones_way() {
    let hanging = "create policy p on t using (a <> 'x');
         create trigger g before update of a on t for each row when (old.a <> new.a) execute function nothing();
         create rule r as on delete to t where old.a = 'x' do instead nothing";
    arrive(
        &format!(
            "create function nothing() returns trigger language plpgsql as 'begin return new; end'; {hanging}"
        ),
        &format!(
            "begin;
             drop policy p on t; drop trigger g on t; drop rule r on t; alter table t alter a type varchar(20); {hanging};
             commit"
        ),
    )
    .await;
}

/// The rows of all are rewritten, and come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_a_partition_gives_way_to_what_its_parent_gets() {
    let (source, target, mut driver) = following_as(
        "create table p (id int primary key, n int) partition by range (id);
         create table p1 partition of p for values from (0) to (10); insert into p values (1, 1);
         create view v as select n from p; create view v1 as select n from p1",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "begin; drop view v, v1; alter table p alter n type bigint;
         create view v as select n from p; create view v1 as select n from p1; commit;
         insert into p values (2, 3000000000)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Its drop takes along here what did not hang on it any more there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_has_lost_the_column_before_it_was_dropped_is_there_after_the_cutover() {
    arrive(
        "alter table t add b int; create view v as select id, b from t; grant select on v to reader;
         comment on view v is 'stays'; create view w as select b from v; grant select on w to reader",
        "begin;
         create or replace view v as select id, null::int as b from t; alter table t drop column b;
         alter table t alter a type text;
         commit",
    )
    .await;
}

/// A person has made it, and the source has none of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_to_be_gone_stays_and_is_named() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, a varchar(10)); create view v as select a from t",
        false,
    )
    .await;
    sql(&target, "shop", "create view by_hand as select a from t").await;
    sql(
        &source,
        "shop",
        "begin; drop view v; alter table t alter a type text; create view v as select a from t; commit;
         insert into t values (1, 'abcdefghijklmno')",
    )
    .await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SchemaChangeNotCarried", "{failure:?}");
    assert!(failure.message.contains("(view public.by_hand)"), "{failure:?}");
    assert_eq!(value(&target, "shop", "select count(*)::text from v").await, "0");
    sql(&target, "shop", "drop view by_hand").await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut next, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_a_function_that_was_another_for_a_while_comes_again() {
    arrive(
        &format!("{ATOMIC}; create view v as select f(); grant select on v to reader"),
        &format!(
            "begin;
             {}; alter table t alter a type varchar(20); {};
             commit",
            ATOMIC.replace("create", "create or replace").replace("count(a) from t", "1"),
            ATOMIC.replace("create", "create or replace"),
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_what_has_lost_a_column_stays_where_no_row_told_it() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, b int); create view v as select id, b from t; grant select on v to reader;
         create view w as select b from v; grant select on w to reader",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "create or replace view v as select id, null::int as b from t; alter table t drop column b",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// As boundary's migrations do, several in one transaction: in the catalog the new view stands before the table that got another
/// column behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_made_again_is_in_the_way_of_no_tables_new_form() {
    let (source, target, mut driver) = following_as(
        "create domain few as int; create domain many as int;
         create table t (id int primary key, n few); insert into t values (1, 1);
         create function of_t() returns int begin atomic select max(n) from t; end;
         create view v as select id, n from t; create view of_v as select n from v",
        false,
    )
    .await;
    sql(
        &source,
        "shop",
        "begin; drop view of_v; drop view v; drop function of_t();
         alter table t alter n type many;
         create view v as select id, n from t; create view of_v as select n from v;
         create function of_t() returns int begin atomic select max(n) from t; end;
         alter table t add more int;
         do $$ begin for n in 10..99 loop execute format('alter table t set (fillfactor = %s)', n); end loop; end $$; commit",
    )
    .await;
    let first = "select (select min(ctid) from pg_class where relname = 'v') < (select ctid from pg_class where relname = 't')";
    assert_eq!(value(&source, "shop", first).await, "true");
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
