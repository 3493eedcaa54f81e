//! Tables of every build, and every kind of change to them.
use whimbrel_proto::agent::v1::Step;

use crate::{
    Followed,
    driver::{self, moved_alike},
};

const SCHEMA: &str = include_str!("sql/kinds.sql");
const WRITES: &str = include_str!("sql/kinds_writes.sql");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_arrives() {
    let mut followed = Followed::start("kinds", SCHEMA).await;
    followed.write(WRITES).await;
    commit_in_another_order(&followed).await;
    followed.assert_alike_but(&["nothing", "loose_leaf"]).await;
    // The same once more, as one long transaction where that can be, which goes set-wise.
    let parts = WRITES.split("\n\n").filter(|part| !alone(part));
    let long: Vec<String> =
        parts.map(|part| part.replace("begin;", "").replace("; commit", "")).collect();
    followed.write(&format!("begin; {}; commit", long.join(";\n"))).await;
    followed.assert_alike_but(&["nothing", "loose_leaf"]).await;
    let end = followed.driver.step(Step::MarkEnd, 9, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        followed.driver.step(step, 9, &[], end).await.unwrap();
    }
    moved_alike(&followed.source, &followed.target, "kinds").await;
}

/// What can't stand in a transaction with others.
fn alone(part: &str) -> bool {
    ["prepare", "rollback", "vacuum", "set constraints"].iter().any(|word| part.contains(word))
}

/// Of transactions that run beside each other the first to begin is the last to end.
async fn commit_in_another_order(followed: &Followed) {
    let mut open = Vec::new();
    for number in 0..5 {
        let session = driver::session(&followed.source, "kinds").await;
        let insert = format!("begin; insert into log (tx) values ('open {number}')");
        session.batch_execute(&insert).await.unwrap();
        open.push(session);
    }
    while let Some(session) = open.pop() {
        let write = "update only_key set id = id where id = 1; commit";
        session.batch_execute(write).await.unwrap();
    }
}
