//! What the source's role may not do.
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, ROLE_PASSWORD};

#[tokio::test]
async fn reading_publishing_and_row_security() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role \"Rights owner\"; create role rights_mover login replication password '{ROLE_PASSWORD}'"),
        )
        .await;
    bench.sql("postgres", "create database rights").await;
    bench
        .sql(
            "rights",
            "grant create on schema public to \"Rights owner\";
             create schema hidden authorization \"Rights owner\";
             create table hidden.a (id int primary key);
             create sequence hidden.s;
             alter table hidden.a owner to \"Rights owner\"; alter sequence hidden.s owner to \"Rights owner\";
             create table public.ours (id int primary key);
             create table public.secret (id int primary key);
             alter table public.secret enable row level security;
             grant select on public.ours, public.secret to rights_mover;
             alter table public.ours owner to rights_mover;",
        )
        .await;
    let looked = bench.source(&bench.as_role("rights_mover"), &["rights"]).await;
    looked.assert_told(&[
        "rights: ReadPrivilegeMissing hidden.a, hidden.s",
        "rights: RowSecurityHidesRows public.secret",
        "rights: NotTableOwner hidden.a",
        "rights: NotTableOwner public.secret",
        "rights: CreatePrivilegeMissing rights",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    looked.paste(&bench).await;
    bench.source(&bench.as_role("rights_mover"), &["rights"]).await.assert_told(&[]);
}

#[tokio::test]
async fn a_member_that_does_not_inherit_does_not_own() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!(
                "create role owner; \
                 create role member_mover login replication noinherit password '{ROLE_PASSWORD}' in role owner"
            ),
        )
        .await;
    bench.sql("postgres", "create database member").await;
    bench
        .sql(
            "member",
            "grant create on database member to member_mover; create table public.t (id int primary key); \
             grant select on public.t to member_mover; alter table public.t owner to owner",
        )
        .await;
    let looked = bench.source(&bench.as_role("member_mover"), &["member"]).await;
    looked.assert_told(&["member: NotTableOwner public.t"]);
    looked.paste(&bench).await;
    bench.source(&bench.as_role("member_mover"), &["member"]).await.assert_told(&[]);
}

#[tokio::test]
async fn row_security_that_is_forced_counts_for_the_owner() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role forced_db_mover login replication password '{ROLE_PASSWORD}'"),
        )
        .await;
    bench.sql("postgres", "create database forced_db owner forced_db_mover").await;
    bench
        .sql(
            "forced_db",
            "create table public.plain (id int primary key); create table public.forced (id int primary key);
             alter table public.plain owner to forced_db_mover; alter table public.forced owner to forced_db_mover;
             alter table public.plain enable row level security;
             alter table public.forced enable row level security, force row level security;",
        )
        .await;
    let looked = bench.source(&bench.as_role("forced_db_mover"), &["forced_db"]).await;
    looked.assert_told(&["forced_db: RowSecurityHidesRows public.forced"]);
    bench.source(&bench.superuser(), &["forced_db"]).await.assert_told(&[]);
    looked.paste(&bench).await;
    bench.source(&bench.as_role("forced_db_mover"), &["forced_db"]).await.assert_told(&[]);
}

#[tokio::test]
async fn connecting_to_one_of_the_databases() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role closed_mover login replication password '{ROLE_PASSWORD}'"),
        )
        .await;
    bench.sql("postgres", "create database closed").await;
    bench.sql("postgres", "create database open owner closed_mover").await;
    bench.sql("postgres", "revoke connect on database closed from public").await;
    let looked = bench.source(&bench.as_role("closed_mover"), &["closed", "open"]).await;
    looked.assert_told(&["closed: ConnectionNotPermitted closed"]);
    assert_eq!(
        looked.made("closed"),
        [
            "DatabaseExistsValidation",
            "LogicalSlotsValidation",
            "AuthenticationAndConnectivityValidation"
        ]
    );
    looked.paste(&bench).await;
    let looked = bench.source(&bench.as_role("closed_mover"), &["closed", "open"]).await;
    looked.assert_told(&["closed: CreatePrivilegeMissing closed"]);
}
