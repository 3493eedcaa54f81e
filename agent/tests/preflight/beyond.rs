//! What was lost, refused or held without a word of it before.
use whimbrel_proto::v1::FindingState;

use crate::{
    bench::{Bench, ROLE_PASSWORD},
    target_server::{elsewhere, facts_with},
};

/// The labels' OIDs are others on each server.
#[tokio::test]
async fn partitions_by_the_hash_of_an_enum() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database hashed").await;
    bench
        .sql(
            "hashed",
            "create type public.mood as enum ('sad', 'merry');
             create domain public.dim as public.mood;
             create type public.pair as (n int, m public.mood);
             create table public.by_enum (m public.mood) partition by hash (m);
             create table public.by_key (id int, m public.dim) partition by hash (id, m);
             create table public.by_array (m public.mood[]) partition by hash (m);
             create table public.by_pair (p public.pair) partition by hash (p);
             create table public.by_text (m text, n int[]) partition by hash (m, n);
             create table public.by_list (m public.mood) partition by list (m)",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["hashed"]).await;
    looked.assert_told(&[
        "hashed: PartitionedByEnumHash public.by_array",
        "hashed: PartitionedByEnumHash public.by_enum",
        "hashed: PartitionedByEnumHash public.by_key",
        "hashed: PartitionedByEnumHash public.by_pair",
    ]);
    looked.assert_status(FindingState::FindingFailed);
}

/// A database that knows no encoding takes any bytes; rows go well.
#[tokio::test]
async fn definitions_that_are_no_utf8() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            "create database bytes encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0",
        )
        .await;
    bench
        .sql(
            "bytes",
            "create table public.fine (id int primary key, v text default 'caf\u{e9}');
             create table public.latin (id int primary key, v text default E'caf\\xe9');
             insert into public.fine values (1, E'\\xe9');
             create function public.old() returns text language sql as E'select ''\\xe9''::text';
             comment on table public.fine is E'\\xe9';
             create type public.label as enum (E'\\xe9')",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["bytes"]).await;
    assert_eq!(
        looked.objects("DefinitionNotUtf8"),
        [
            "column v of table public.latin",
            "function public.old()",
            "table public.fine",
            "type public.label",
        ]
    );
    looked.assert_status(FindingState::FindingFailed);
}

/// They are no part of the replica identity.
#[tokio::test]
async fn columns_that_a_key_only_includes_are_no_identity() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database included").await;
    bench
        .sql(
            "included",
            "create table public.t (id int, g int generated always as (id + 1) stored,
                 primary key (id) include (g));
             create table public.k (id int, g int generated always as (id + 1) stored, primary key (g));
             create table public.n (id int not null, v int);
             create unique index n_id on public.n (id) include (v)",
        )
        .await;
    let looked = bench.source(&bench.superuser(), &["included"]).await;
    assert_eq!(looked.objects("ReplicaIdentityGenerated"), ["public.k"]);
    let remedies = looked.remedies().join("\n");
    assert!(remedies.contains("using index \"n_id\""), "{remedies}");
}

/// Roles that are there already are left as they are, so somebody has to be told.
#[tokio::test]
async fn roles_that_may_less_than_on_the_source() {
    let source = Bench::shared().await;
    source
        .sql(
            "postgres",
            "create role less login noinherit createdb createrole replication valid until '2099-01-01 00:00:00+00';
             grant pg_read_all_data to less; grant set on parameter log_statement to less;
             create database lesser owner less",
        )
        .await;
    let looked = source.source(&source.superuser(), &["lesser"]).await;
    let facts = facts_with(&looked, elsewhere);
    let target = Bench::other().await;
    target.sql("postgres", "create role less login").await;
    let looked = target.target(&target.superuser(), &["lesser"], &facts).await;
    looked.assert_told(&[
        ": RoleDiffers less",
        ": RoleMembershipMissing less",
        ": RoleParameterMissing less",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste_outside(&target).await;
    target.target(&target.superuser(), &["lesser"], &facts).await.assert_told(&[]);
}

/// What the role that initdb made owns besides tables.
#[tokio::test]
async fn owners_of_what_is_no_table() {
    let source = Bench::shared().await;
    source.sql("postgres", "create role of_things login createdb").await;
    let (all, things) = (
        ["published", "large", "defaults"],
        [
            "create table public.t (id int primary key); alter table public.t owner to of_things; create publication p for table public.t",
            "select lo_create(77)",
            "alter default privileges in schema public grant select on tables to of_things",
        ],
    );
    for (database, sql) in all.iter().zip(things) {
        source.sql("postgres", &format!("create database {database} owner of_things")).await;
        source.sql(database, sql).await;
    }
    let target = Bench::other().await;
    target
        .sql(
            "postgres",
            &format!(
                "create role of_things login createdb password '{ROLE_PASSWORD}';
                 grant set on parameter session_replication_role to of_things"
            ),
        )
        .await;
    for database in all {
        let looked = source.source(&source.superuser(), &[database]).await;
        let facts = facts_with(&looked, elsewhere);
        let looked = target.target(&target.as_role("of_things"), &[database], &facts).await;
        assert_eq!(looked.objects("RoleNotGranted"), ["postgres"], "{database}");
    }
}

/// A superuser gave it to the role, or took the right away later; another one can't.
#[tokio::test]
async fn owners_that_may_not_create_in_their_schema() {
    let source = Bench::shared().await;
    source
        .sql("postgres", "create role apart; create role giver login createdb; create database aparted owner giver")
        .await;
    source
        .sql(
            "aparted",
            "create schema s authorization giver; create table s.t (id int primary key); alter table s.t owner to apart;
             create table s.mine (id serial primary key); alter table s.mine owner to giver",
        )
        .await;
    let looked = source.source(&source.superuser(), &["aparted"]).await;
    let target = Bench::other().await;
    target
        .sql(
            "postgres",
            &format!(
                "create role apart; create role giver login createdb password '{ROLE_PASSWORD}'; grant apart to giver;
                 grant set on parameter session_replication_role to giver"
            ),
        )
        .await;
    let facts = facts_with(&looked, elsewhere);
    let looked = target.target(&target.as_role("giver"), &["aparted"], &facts).await;
    looked.assert_told(&["aparted: OwnerMayNotCreate apart in s"]);
    target.target(&target.superuser(), &["aparted"], &facts).await.assert_told(&[]);
    source.sql("aparted", "grant create on schema s to apart").await;
    let looked = source.source(&source.superuser(), &["aparted"]).await;
    let facts = facts_with(&looked, elsewhere);
    target.target(&target.as_role("giver"), &["aparted"], &facts).await.assert_told(&[]);
}
