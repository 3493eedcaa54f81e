//! What a change of the schema costs the application's own statement (DESIGN.md, law 5).
use crate::{cut_over_alike, driver::session, following};

/// In a database of a hundred thousand objects each of them would take as long as reading them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_catalog_is_read_whole() {
    let (source, target, mut driver) = following("create domain few as int").await;
    let app = session(&source, "shop").await;
    app.batch_execute(
        "begin; create table made (id few primary key, v text, w numeric(4, 1)[]);
         alter table made add x few default 3; create index on made (v); create type pair as (a int, b few)",
    )
    .await
    .unwrap();
    // As rows of whole scans and rows that an index led to; the views of these counters read catalogs themselves.
    let read = "select catalog, pg_stat_get_xact_tuples_returned(catalog::regclass) + pg_stat_get_xact_tuples_fetched(catalog::regclass)
                from unnest(array['pg_class', 'pg_type', 'pg_proc', 'pg_depend', 'pg_constraint', 'pg_attribute']) catalog";
    let rows = app.query(read, &[]).await.unwrap();
    let read: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let whole = app.query_one("select count(*) from pg_class", &[]).await.unwrap().get::<_, i64>(0);
    let read: Vec<_> = read.into_iter().filter(|(_, rows)| *rows > whole).collect();
    assert!(read.is_empty(), "{read:?}");
    app.batch_execute("commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
