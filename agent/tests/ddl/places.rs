//! Where a change stands: in a transaction with rows, rolled back, while the agent is down.
use std::sync::Arc;

use super::{cut_over_alike, following, moved_alike, steps};
use crate::driver::{Driver, batch, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

const SCHEMA: &str = "
create table t (id int primary key, v text);
insert into t select g, 'v' from generate_series(1, 50) g;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_stands_where_its_transaction_put_it() {
    let (source, target, mut driver) = following(SCHEMA).await;
    batch(
        &source,
        "shop",
        "begin;
         update t set v = 'before' where id = 1;
         alter table t add column n int default 3;
         update t set n = 4 where id = 2;
         savepoint s;
         alter table t add column never int;
         alter table t drop column v;
         rollback to s;
         insert into t values (100, 'x', 9);
         alter table t rename column n to m;
         create table new_one (id int primary key);
         insert into new_one values (1);
         savepoint s2;
         drop table new_one;
         rollback to s2;
         insert into new_one values (2);
         update t set m = m + 1;
         commit",
    )
    .await;
    batch(
        &source,
        "shop",
        "begin; alter table t add column gone int; insert into t (id) values (7000); rollback",
    )
    .await;
    // Two sessions, the change in the middle of the other's transaction.
    let other = crate::driver::session(&source, "shop").await;
    other.batch_execute("begin; insert into new_one values (50)").await.unwrap();
    sql(
        &source,
        "shop",
        "alter table t add column late text default 'd'; insert into t (id) values (101)",
    )
    .await;
    other
        .batch_execute(
            "insert into t (id, late) values (102, 'e'); insert into new_one values (51); commit",
        )
        .await
        .unwrap();
    sql(
        &source,
        "shop",
        "create function in_a_function() returns void language plpgsql as 'begin alter table t add column dynamic int default 1; update t set dynamic = 2 where id < 10; execute ''alter table t drop column late''; end';
         select in_a_function();
         set search_path = pg_catalog; alter table public.t add column \"Odd \"\"one\" int; update public.t set \"Odd \"\"one\" = 1 where id = 1",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_while_the_agent_is_down_are_carried_when_it_is_back() {
    let (source, target, mut driver) = following(SCHEMA).await;
    let oid = driver.target_oid();
    driver.kill().await;
    sql(
        &source,
        "shop",
        "insert into t values (200, 'down');
         alter table t add column a int default 1;
         update t set a = 2 where id < 5;
         create table made as select g as id from generate_series(1, 10) g;
         alter table made add primary key (id);
         alter table t alter column a type text using 'n' || a;
         alter table t rename column a to b;
         insert into t values (201, 'x', 'y');
         drop table made;
         create table made (id int primary key, w int);
         insert into made values (1, 1)",
    )
    .await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, oid).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "update t set b = b || '.'").await;
    cut_over_alike(&source, &target, &mut next, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_meets_the_cutover_is_taken_over_by_the_next_attempt() {
    let (source, target, mut driver) = following(SCHEMA).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
    sql(&source, "shop", "alter table t add column late int default 5").await;
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged");
    driver.back(1).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_does_not_notice() {
    let (source, _target, mut driver) = following(SCHEMA).await;
    let source = Arc::clone(&source);
    // Its own lock_timeout and search_path stay as they are; temporary tables are nothing to us.
    let app = crate::driver::session(&source, "shop").await;
    app.batch_execute("set lock_timeout = '7s'; create temp table scratch (a int); drop table scratch; create table k (a int)")
        .await
        .unwrap();
    let row = app.query_one("select current_setting('lock_timeout')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "7s");
    // Another's ALTER PUBLICATION holds the publication; a new table does not wait for it, not even the 7 s of the session.
    let holder = crate::driver::session(&source, "shop").await;
    holder.batch_execute("begin; alter publication whimbrel_test_shop set (publish = 'insert, update, delete, truncate')").await.unwrap();
    let began = std::time::Instant::now();
    app.batch_execute("create table waits (id int primary key); insert into waits values (1)")
        .await
        .unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(6), "{:?}", began.elapsed());
    holder.batch_execute("commit").await.unwrap();
    // A table that loses its key can still be updated.
    app.batch_execute("alter table t drop constraint t_pkey; update t set v = 'w'").await.unwrap();
    driver.kill().await;
    assert_eq!(value(&source, "shop", "select count(*) from pg_event_trigger").await, "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_way_does_not_notice_that_the_triggers_go() {
    let (source, target, mut driver) = following(SCHEMA).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    let before = [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch];
    steps(&mut driver, 1, end, &before).await;
    moved_alike(&source, &target, "shop").await;
    // Fires before ours, so nearly every moment lies between the server's look at the triggers and its call of our function.
    sql(&source, "shop", "create function slow() returns event_trigger language plpgsql as 'begin perform pg_sleep(0.02); end'; create event trigger a_slow on ddl_command_end when tag in ('CREATE TABLE') execute function slow()").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let commands: Vec<_> =
        (0..4).map(|_| tokio::spawn(commands(Arc::clone(&source), stopped.clone()))).collect();
    let under_way = "select count(*) from pg_stat_activity where state = 'active' and query like 'create temp %'";
    let late = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while value(&source, "shop", under_way).await == "0" {
        assert!(std::time::Instant::now() < late, "no command was begun");
    }
    steps(&mut driver, 1, end, &[Step::RemoveSource, Step::RemoveLedger]).await;
    stop.send(true).unwrap();
    for done in commands {
        done.await.unwrap();
    }
    assert_eq!(value(&source, "shop", "select count(*) from pg_event_trigger").await, "1");
}

/// Each command in a session of its own: one that has called our function before needs no look at the catalog.
async fn commands(source: Arc<crate::Cluster>, stopped: tokio::sync::watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let app = crate::driver::session(&source, "shop").await;
        app.batch_execute("create temp table scratch (a int)").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_event_triggers_the_rows_tell_and_the_catalog_is_asked() {
    let (source, target, mut driver) = super::following_as(SCHEMA, false).await;
    assert_eq!(value(&source, "shop", "select count(*) from pg_event_trigger").await, "0");
    sql(
        &source,
        "shop",
        "alter table t add column n int default 3;
         insert into t values (60, 'x', 4);
         update t set n = 5 where id = 1;
         alter table t rename column v to w;
         alter table t drop column n;
         update t set w = 'renamed' where id = 2",
    )
    .await;
    // Nothing of this is seen in a row, and the table is read again at the cutover.
    sql(&source, "shop", "alter table t alter column w type text using upper(w)").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select w from t where id = 2").await, "RENAMED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multirange_that_is_renamed_is_named() {
    let (source, target, mut driver) =
        following(&format!("{SCHEMA} create type span as range (subtype = int4);")).await;
    let rename = "alter type span_multirange rename to spans";
    sql(&source, "shop", rename).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged");
    assert!(failure.message.contains("type public.span"), "{}", failure.message);
    driver.back(1).await;
    sql(&target, "shop", rename).await;
    cut_over_alike(&source, &target, &mut driver, 2).await;
}

/// The stream holds with `code` and a remedy that says `remedy`; what a person does then on the target lets it go on. What the
/// cutover has told.
async fn holds_until_a_person_has_done_it(
    change: &str,
    code: &str,
    remedy: &str,
    by_hand: &str,
) -> String {
    let (source, target, mut driver) = following(SCHEMA).await;
    let oid = driver.target_oid();
    sql(&source, "shop", change).await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, code, "{}", failure.message);
    assert!(failure.remedy.contains(remedy), "{}", failure.remedy);
    sql(&target, "shop", by_hand).await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, oid).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut next, 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_the_target_does_not_have_is_made_by_hand() {
    holds_until_a_person_has_done_it(
        "create role elsewhere;\ninsert into t values (300, 'a');\nalter table t owner to elsewhere;\ninsert into t values (301, 'b')",
        "RolesMissing",
        "create role \"elsewhere\"",
        "create role elsewhere",
    )
    .await;
}

/// It is made of what has another name by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_can_t_be_carried_is_made_by_hand() {
    holds_until_a_person_has_done_it(
        "insert into t values (300, 'a');\nbegin; create collation by_hand from \"C\"; create domain word as text collate by_hand check (value <> ''); alter collation by_hand rename to renamed; commit;\ncreate table words (id int primary key, w word);\ninsert into words values (1, 'one')",
        "SchemaChangeNotCarried",
        "create domain \"public\".\"word\" as text collate public.by_hand",
        "create collation by_hand from \"C\";\ncreate domain word as text collate by_hand check (value <> '');\nalter collation by_hand rename to renamed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_can_t_be_carried_is_made_by_hand() {
    let told = holds_until_a_person_has_done_it(
        "insert into t values (300, 'a');\nbegin; create operator class by_hand for type int4 using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int4, int4); create type span as range (subtype = int4, subtype_opclass = by_hand); alter operator class by_hand using btree rename to renamed; commit;\ncreate table spans (id int primary key, at span);\ninsert into spans values (1, '[1,5)')",
        "SchemaChangeNotCarried",
        "create type \"public\".\"span\" as range (subtype = integer, subtype_opclass = public.by_hand",
        "create operator class by_hand for type int4 using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int4, int4);\ncreate type span as range (subtype = int4, subtype_opclass = by_hand);\nalter operator class by_hand using btree rename to renamed",
    )
    .await;
    let by_hand = "taken as they are (compare them with the source's): OPERATOR FAMILY public.by_hand USING btree, OPERATOR CLASS public.renamed USING btree";
    assert!(told.contains(by_hand), "{told}");
}
