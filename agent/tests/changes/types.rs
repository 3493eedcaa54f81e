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
    for nth in [1, 2] {
        for kind in &kinds {
            let n: i32 = kind.get(0);
            followed.write(&format!("select round(kind, {nth}) from kind where n = {n}")).await;
        }
        followed.assert_alike().await;
    }
    for nth in [3, 4] {
        followed.write(&format!("select round(kind, {nth}) from kind order by n")).await;
        followed.assert_alike().await;
    }
}
