//! Every type, in columns and in keys.
use crate::Followed;

const SCHEMA: &str = include_str!("sql/types.sql");
const ROUND: &str = include_str!("sql/type_changes.sql");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_found_by_its_old_value() {
    let mut followed = Followed::start("types", &format!("{SCHEMA}\n\n{ROUND}")).await;
    // Short transactions go row by row, long ones set-wise.
    let client = crate::driver::session(&followed.source, "types").await;
    let kinds = client.query("select n from kind order by n", &[]).await.unwrap();
    for kind in &kinds {
        client
            .execute("select round(kind, 1) from kind where n = $1", &[&kind.get::<_, i32>(0)])
            .await
            .unwrap();
    }
    followed.assert_alike().await;
    client.execute("select round(kind, 2) from kind order by n", &[]).await.unwrap();
    followed.assert_alike().await;
}
