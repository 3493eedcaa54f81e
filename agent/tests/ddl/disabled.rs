//! Event triggers that are there, and have not told all: somebody had switched them off for a while.
use whimbrel_proto::agent::v1::{Step, report::Kind};

use super::{cut_over_alike, following, steps};
use crate::{
    cluster::Cluster,
    driver::{Driver, session, sql, value},
};

/// Does what no trigger tells.
async fn untold(source: &Cluster, change: &str) {
    let triggers = |how: &str| {
        ["ddl_command_end", "sql_drop", "table_rewrite"]
            .map(|event| format!("alter event trigger whimbrel_test_shop_{event} {how}"))
            .join(";\n")
    };
    let script = format!("{};\n{change};\n{}", triggers("disable"), triggers("enable always"));
    sql(source, "shop", &script).await;
}

/// The shapes agree once a person has made the table as told, and nothing but its rows is missing. It is published, as the
/// next agent would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_a_disabled_trigger_did_not_tell_comes_with_its_rows() {
    let (source, target, mut driver) = following("create table t (id int primary key)").await;
    let made = "create table made (id int primary key, v text)";
    untold(
        &source,
        &format!(
            "{made};
             insert into made values (1, 'one');
             alter publication whimbrel_test_shop add table made;
             create schema more;
             create table more.logs (at serial primary key, v text);
             insert into more.logs (v) values ('a'), ('b')"
        ),
    )
    .await;
    sql(&target, "shop", made).await;
    sql(&source, "shop", "insert into t values (1);\ncreate table told as select 1 as id").await;
    let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    assert!(notes.contains("public.made") && notes.contains("more.logs"), "{notes}");
}

/// The same of a table whose values a person can't make again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_that_a_disabled_trigger_did_not_tell_comes_with_its_rows() {
    let schema = "create table t (id int primary key, v int); insert into t values (1, 1)";
    let (source, target, mut driver) = following(schema).await;
    untold(&source, "alter table t alter v type text using md5(v::text)").await;
    sql(&target, "shop", "alter table t alter v type text").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Here the column is of the domain still, and would go with it, with all its values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_is_kept_whose_domain_goes_after_a_disabled_trigger_did_not_tell_that_it_left_it()
{
    let schema = "create domain word as text; create table t (id int primary key, v word); \
                  insert into t values (1, 'a'), (2, 'b')";
    let (source, target, mut driver) = following(schema).await;
    let oid = driver.target_oid();
    let leave = "alter table t alter v type text";
    untold(&source, leave).await;
    sql(&source, "shop", "drop domain word;\ninsert into t values (3, 'c')").await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SchemaChangeNotCarried", "{failure:?}");
    let said = "DROP DOMAIN on the source can't be carried: type public.word is gone there, and column \"v\" of table \"public\".\"t\"";
    assert!(failure.message.starts_with(said), "{}", failure.message);
    assert_eq!(value(&target, "shop", "select string_agg(v, '' order by id) from t").await, "ab");

    sql(&target, "shop", leave).await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, oid).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut next, 1).await;
}

/// The same of a table that had left its schema.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_kept_whose_schema_goes_after_a_disabled_trigger_did_not_tell_that_it_left_it() {
    let schema = "create schema s; create table s.t (id int primary key, v text); \
                  insert into s.t values (1, 'a'), (2, 'b')";
    let (source, target, mut driver) = following(schema).await;
    untold(&source, "alter table s.t set schema public").await;
    sql(&source, "shop", "drop schema s;\ninsert into t values (3, 'c')").await;
    let failure = driver.failure().await;
    assert!(
        failure.message.contains("table \"s\".\"t\", which the source has still"),
        "{failure:?}"
    );
    assert_eq!(value(&target, "shop", "select count(*) from s.t").await, "2");
}

/// Whatever made it so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_the_ledger_does_not_know_is_not_left_behind() {
    let (source, target, mut driver) = following("create table t (id int primary key)").await;
    sql(&source, "shop", "insert into t values (1)").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    steps(&mut driver, 1, end, &[Step::Drain, Step::Complete, Step::Sequences]).await;
    sql(&target, "shop", "delete from whimbrel.part;\ndelete from whimbrel.relation").await;
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    assert!(failure.message.contains("public.t"), "{failure:?}");
}

/// What keeps a trigger from telling: somebody has a lock on a catalog that it reads, or on a table of the family.
async fn under_lock(source: &Cluster, lock: &str, change: &str) {
    let blocks = session(source, "shop").await;
    blocks
        .batch_execute(&format!("begin; lock table {lock} in access exclusive mode"))
        .await
        .unwrap();
    sql(source, "shop", change).await;
    blocks.batch_execute("rollback").await.unwrap();
}

/// Type and shape are as before, and all values are other ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_that_a_trigger_failed_to_tell_comes_with_its_rows() {
    let schema =
        "create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b')";
    let (source, target, mut driver) = following(schema).await;
    under_lock(&source, "pg_publication_rel", "alter table t alter v type text using upper(v)")
        .await;
    sql(&source, "shop", "insert into t values (3, 'c')").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Nobody has to make by hand what a lock of some milliseconds has kept from being told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_trigger_failed_to_tell_comes_with_the_cutover() {
    let schema = "create table p (id int primary key, v text default 'a') partition by range (id);
        create table p1 partition of p for values from (0) to (10);
        create table p2 (id int primary key, v text default 'b');
        create table t (id int primary key, v text);
        insert into p values (1); insert into p2 values (11); insert into t values (1, 'a')";
    let (source, target, mut driver) = following(schema).await;
    under_lock(&source, "p1", "alter table p attach partition p2 for values from (10) to (20)")
        .await;
    under_lock(
        &source,
        "pg_publication_rel",
        "alter table t add w int default 3, alter v set default 'x'",
    )
    .await;
    sql(&source, "shop", "insert into p values (12); insert into t values (2)").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// They are in no stream: the table is published by a trigger of ours that comes after the application's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_an_event_trigger_of_the_applications_gives_a_new_table_arrive() {
    let schema = "create table t (id int primary key);
        create function seed() returns event_trigger language plpgsql as '
            declare made record; begin for made in select * from pg_event_trigger_ddl_commands() where object_type = ''table''
            loop execute format(''insert into %s values (0)'', made.object_identity); end loop; end';
        create event trigger aaa_seed on ddl_command_end when tag in ('CREATE TABLE') execute function seed()";
    let (source, target, mut driver) = following(schema).await;
    sql(&source, "shop", "create table fresh (id int primary key); insert into fresh values (1)")
        .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// It has the older one's name and type, so that the stream's rows seem to fit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_made_anew_that_a_trigger_failed_to_tell_has_its_own_values() {
    let schema = "create table t (id int primary key, c int); insert into t values (1, 1), (2, 2)";
    let (source, target, mut driver) = following(schema).await;
    for change in ["alter table t drop column c", "alter table t add column c int"] {
        under_lock(&source, "pg_publication_rel", change).await;
    }
    sql(&source, "shop", "update t set c = 5 where id = 1").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
