//! What is set on the database itself, or on roles in it: tried before the switch, so that its error says what is refused and
//! mending it on the source is enough.
use whimbrel_proto::agent::v1::{Failure, Step};

use super::{cut_over, following};
use crate::{
    cluster::Cluster,
    driver::{Driver, sql, value},
};

/// PostgreSQL looks at a library when a session begins, and takes whatever stands in its catalog then with a warning.
const SCHEMA: &str = "
    create table t (id int primary key);
    insert into t values (1);
    alter database shop set default_transaction_read_only = off;
    alter database shop set work_mem = '5MB';
    alter database shop set my.tenant = 'hush to hush';
    update pg_db_role_setting set setconfig = setconfig || '{TimeZone=Hush/Hush,plpgsql.hush=x}'::text[];
    alter role app in database shop set session_preload_libraries = 'auto_explain', 'only_there';
    alter role app in database shop set search_path = 'app'";

/// The steps up to the one that fails.
async fn refused(driver: &mut Driver, attempt: u32) -> Failure {
    let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, attempt, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, attempt, &[], end).await.unwrap_err();
    driver.back(attempt).await;
    assert!(!format!("{failure:?}").contains("ush/"), "{failure:?}");
    failure
}

async fn set_on(cluster: &Cluster) -> String {
    let settings = "select string_agg(s, ' ' order by s) from pg_db_role_setting, unnest(setconfig) s where setdatabase = \
        (select oid from pg_database where datname = 'shop')";
    value(cluster, "shop", settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_target_refuses_is_named_and_mended_on_the_source() {
    let (source, target, mut driver) = following(SCHEMA).await;
    for (attempt, name, database) in
        [(1, "\"TimeZone\"", "shop"), (2, "\"plpgsql\".\"hush\"", "postgres")]
    {
        let failure = refused(&mut driver, attempt).await;
        assert!(failure.message.contains(&format!("set {name}: ")), "{failure:?}");
        let remedy = failure.remedy.split_once(" -- ").unwrap().0;
        assert_eq!(remedy, format!("alter database shop reset {name};"));
        sql(&source, database, remedy).await;
    }
    let failure = refused(&mut driver, 3).await;
    assert_eq!(failure.code, "PreloadedLibraryMissing");
    assert!(failure.message.contains("can't load only_there"), "{failure:?}");
    // Other values than were refused are taken; what stops the writes stays with the source.
    sql(
        &source,
        "postgres",
        "alter role app in database shop set session_preload_libraries = 'auto_explain';
         alter database shop set default_transaction_read_only = on;
         alter database shop reset work_mem",
    )
    .await;
    cut_over(&mut driver, 4).await;
    assert_eq!(
        set_on(&target).await,
        "default_transaction_read_only=off my.tenant=hush to hush search_path=app session_preload_libraries=auto_explain \
         work_mem=5MB"
    );
}
