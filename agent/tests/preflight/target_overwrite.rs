//! Databases of the target that are to be replaced, and can't be.
use whimbrel_proto::v1::FindingState;

use crate::{
    bench::{Bench, Looked, ROLE_PASSWORD},
    target_server::{elsewhere, facts_with},
};

async fn look(bench: &Bench, user: Option<&str>, facts: &[u8]) -> Looked {
    let endpoint = user.map_or_else(|| bench.superuser(), |user| bench.as_role(user));
    bench.target_with(&endpoint, &["old"], facts, |input| input.overwrite = true).await
}

#[tokio::test]
async fn while_something_holds_them() {
    let bench = Bench::start("max_prepared_transactions = 5\n").await;
    bench.sql("postgres", "create database old; create role holder").await;
    let mover =
        format!("create role over_mover login createdb password '{ROLE_PASSWORD}' in role holder");
    bench.sql("postgres", &mover).await;
    bench.sql("postgres", "grant set on parameter session_replication_role to over_mover").await;
    let source = bench.source(&bench.superuser(), &["old"]).await;
    let facts = facts_with(&source, elsewhere);
    look(&bench, None, &facts).await.assert_told(&[]);

    bench
        .sql(
            "old",
            "create subscription sub connection 'dbname=nowhere' publication p with (connect = false);
             begin; create table public.t (id int primary key); prepare transaction 'it''s'",
        )
        .await;
    let looked = look(&bench, None, &facts).await;
    looked.assert_told(&["old: OverwriteBlocked old", "old: OverwriteBlocked old"]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    look(&bench, None, &facts).await.assert_told(&[]);
}

#[tokio::test]
async fn while_somebody_is_connected() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create role \"old owner\"").await;
    for role in ["user_one", "plain_over_mover"] {
        let role = format!("create role {role} login createdb password '{ROLE_PASSWORD}'");
        bench.sql("postgres", &role).await;
    }
    bench.sql("postgres", "grant \"old owner\" to plain_over_mover").await;
    bench
        .sql("postgres", "grant set on parameter session_replication_role to plain_over_mover")
        .await;
    bench.sql("postgres", "create database old owner \"old owner\"").await;
    let source = bench.source(&bench.superuser(), &["old"]).await;
    let facts = facts_with(&source, elsewhere);
    let user =
        whimbrel_agent::postgres::connect(&bench.as_role("user_one"), "old", "test").await.unwrap();
    user.batch_execute("set application_name = 'shop'").await.unwrap();

    let told = ["old: OverwriteDatabaseInUse old"];
    let looked = look(&bench, Some("plain_over_mover"), &facts).await;
    looked.assert_told(&told);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste_outside(&bench).await;
    let looked = look(&bench, Some("plain_over_mover"), &facts).await;
    looked.assert_told(&told);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste_outside(&bench).await;
    let client = bench.client("postgres").await;
    let gone = "select not exists (select from pg_stat_activity where datname = 'old')";
    while !client.query_one(gone, &[]).await.unwrap().get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    look(&bench, Some("plain_over_mover"), &facts).await.assert_told(&[]);
}
