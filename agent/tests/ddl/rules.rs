//! Tables that a rule makes views of, as restored dumps of old versions do; from 16 on no server does it.
use whimbrel_proto::agent::v1::report::Kind;

use super::{cut_over_alike, following, following_as};
use crate::driver::{Driver, sql, value};

const SCHEMA: &str = "
    create table t (id int primary key, v text);
    create table before (id int, v text);
    create table other (id int, v text);
    insert into t select g, 'x' from generate_series(1, 20) g";

fn made_view(table: &str) -> String {
    format!(r#"create rule "_RETURN" as on select to {table} do instead select id, v from t"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_a_rule_makes_a_view_of_is_one_here_too() {
    made_views(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_became_a_view_untold_is_one_after_the_cutover() {
    made_views(false).await;
}

async fn made_views(follow: bool) {
    let (source, target, mut driver) = following_as(SCHEMA, follow).await;
    let script = format!(
        "create table made (id int, v text); {}; {}; insert into t values (21, 'y'); grant select on before to reader;
         {}; drop view other",
        made_view("made"),
        made_view("before"),
        made_view("other"),
    );
    sql(&source, "shop", &script).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select count(*)::text from before, made").await, "441");
}

/// What hangs on the table here is a person's to mend, by dropping it on both sides if they like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cant_be_carried_leaves_nothing_behind_once_it_is_dropped_by_hand() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(&target, "shop", "create view in_the_way as select id from other").await;
    sql(&source, "shop", &made_view("other")).await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SchemaChangeNotCarried", "{failure:?}");
    assert!(failure.remedy.contains("drop table \"public\".\"other\""), "{failure:?}");
    sql(&target, "shop", "drop table other cascade; create view other as select id, v from t")
        .await;
    sql(&source, "shop", "drop view other; insert into t values (21, 'y')").await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    cut_over_alike(&source, &target, &mut next, 1).await;
}
