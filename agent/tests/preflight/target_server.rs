//! Defects of a target's server.
use serde_json::{Value, json};
use whimbrel_agent::postgres::Endpoint;
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, Looked, ROLE_PASSWORD};

/// The source as its agent would tell of it if one thing were different.
pub(crate) fn facts_with(looked: &Looked, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut facts: Value = serde_json::from_slice(&looked.0.facts).unwrap();
    change(&mut facts);
    facts.to_string().into_bytes()
}

/// Another server than the one that is looked at.
pub(crate) fn elsewhere(facts: &mut Value) {
    facts["identity"]["started"] = json!("1");
}

#[tokio::test]
async fn that_is_the_source_or_older() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database same").await;
    let source = bench.source(&bench.superuser(), &["same"]).await;
    let looked = bench.target(&bench.superuser(), &["same"], &source.0.facts).await;
    looked.assert_told(&[&format!(": SourceIsTarget {}", bench.superuser().address())]);
    looked.assert_status(FindingState::FindingFailed);
    let existing = &looked.0.existing;
    assert_eq!(existing.len(), 1);
    assert_eq!(existing[0].database, "same");
    assert_ne!(existing[0].oid, 0);

    let newer = facts_with(&source, |facts| {
        elsewhere(facts);
        facts["server_version_num"] = json!(990_001);
        facts["server_version"] = json!("99.1");
    });
    let looked = bench.target(&bench.superuser(), &["same"], &newer).await;
    let finding = looked.only("TargetOlderThanSource");
    assert!(finding.message.contains("99.1") && finding.remedy.contains("99"), "{finding:?}");

    let nameless = facts_with(&source, |facts| facts["identity"] = Value::Null);
    let looked = bench.target(&bench.superuser(), &["same"], &nameless).await;
    looked.assert_told(&[": CheckImpossible source"]);
    looked.assert_status(FindingState::FindingWarning);
}

/// A source that was not reached has said so; the target is looked at alone. One whose facts are of no use is another matter.
#[tokio::test]
async fn that_is_told_nothing_of_the_source() {
    let bench = Bench::shared().await;
    let looked = bench.target(&bench.superuser(), &["app"], b"").await;
    looked.assert_told(&[]);
    assert_eq!(
        looked.made(""),
        [
            "AuthenticationAndConnectivityValidation",
            "PrimaryServerValidation",
            "CreateDatabasePrivilegeValidation",
            "MigratedRolesValidation",
            "SessionReplicationRoleValidation",
            "SynchronousStandbyValidation",
            "SessionsValidation",
            "PasswordEndValidation",
        ]
    );
    assert_eq!(looked.made("app"), ["OverwriteValidation"]);

    let looked = bench.target(&bench.superuser(), &["app"], b"of another form").await;
    looked.assert_status(FindingState::FindingFailed);
    assert!(
        looked.told().iter().all(|told| told.contains("CheckImpossible")),
        "{:?}",
        looked.told()
    );
}

/// Why it is not known, the source's findings say; the target's checks are silent about it.
#[tokio::test]
async fn that_is_told_nothing_of_a_database() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database told_of").await;
    let source = bench.source(&bench.superuser(), &["told_of", "nowhere"]).await;
    source.assert_told(&["nowhere: DatabaseDoesNotExist nowhere"]);
    let facts = facts_with(&source, elsewhere);
    let looked = bench.target(&bench.superuser(), &["told_of", "nowhere"], &facts).await;
    looked.assert_told(&[]);
    assert_eq!(looked.made("nowhere"), ["OverwriteValidation"]);
    assert!(looked.made("told_of").len() > 10);
}

/// A name, an address, another name: it is known by what it is.
#[tokio::test]
async fn that_is_the_source_by_another_name() {
    let bench = Bench::start("").await;
    bench.cluster.append("postgresql.auto.conf", "listen_addresses = '127.0.0.1, 127.0.0.2'\n");
    bench.cluster.append("pg_hba.conf", "host all all 127.0.0.0/8 scram-sha-256\n");
    bench.cluster.restart();
    bench.sql("postgres", "create database twofold").await;
    let source = bench.source(&bench.superuser(), &["twofold"]).await;
    for host in ["127.0.0.2", "localhost"] {
        let other = Endpoint { host: host.into(), ..bench.superuser() };
        let looked = bench.target(&other, &["twofold"], &source.0.facts).await;
        looked.assert_told(&[&format!(": SourceIsTarget {}", other.address())]);
    }
}

/// Nobody could log in again, were a session lost later.
#[tokio::test]
async fn whose_password_ends_soon() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!("create role \"Ending\" login superuser password '{ROLE_PASSWORD}' valid until '2001-01-01'"),
        )
        .await;
    bench.sql("postgres", "create database ending").await;
    let refused = bench.source(&bench.as_role("Ending"), &["ending"]).await;
    assert_eq!(refused.told().len(), 1, "{:?}", refused.told());
    let client = bench.client("postgres").await;
    let soon = "do $$ begin execute format('alter role \"Ending\" valid until %L', now() + interval '6 days'); end $$";
    client.batch_execute(soon).await.unwrap();
    let ending = bench.as_role("Ending");
    let looked = bench.source(&ending, &["ending"]).await;
    looked.assert_told(&[": PasswordEnds Ending"]);
    looked.assert_status(FindingState::FindingWarning);
    bench.target(&ending, &["ending"], b"").await.assert_told(&[": PasswordEnds Ending"]);
    looked.paste(&bench).await;
    bench.source(&ending, &["ending"]).await.assert_told(&[]);
    bench.target(&ending, &["ending"], b"").await.assert_told(&[]);
}

#[tokio::test]
async fn whose_role_has_too_few_rights() {
    let bench = Bench::shared().await;
    bench
        .sql(
            "postgres",
            &format!(
                "create role weak_owner; create role weak_mover login password '{ROLE_PASSWORD}'"
            ),
        )
        .await;
    bench.sql("postgres", "create database weak owner weak_owner").await;
    // A range's constructors are the first role's, whoever made it.
    bench
        .sql(
            "weak",
            "set role weak_owner; create schema s; create type s.span as range (subtype = float8)",
        )
        .await;
    let source = bench.source(&bench.superuser(), &["weak"]).await;
    let facts = facts_with(&source, elsewhere);
    let weak_mover = bench.as_role("weak_mover");
    let look = async || {
        bench.target_with(&weak_mover, &["weak"], &facts, |input| input.overwrite = true).await
    };
    let looked = look().await;
    looked.assert_told(&[
        ": CreateDatabasePrivilegeMissing weak_mover",
        ": RoleNotGranted weak_owner",
        ": ForeignKeysAtCutover session_replication_role",
        "weak: OverwriteNotPermitted weak",
    ]);
    looked.paste(&bench).await;
    look().await.assert_told(&[]);
}

#[tokio::test]
async fn without_the_sources_roles() {
    let source = Bench::shared().await;
    source
        .sql(
            "postgres",
            "create role \"Owner\"; create role reader login; create role policed; create role grantee; \
             create role connects; create role settled; create role temp_only",
        )
        .await;
    source.sql("postgres", "create database peopled").await;
    source
        .sql(
            "peopled",
            "create table public.t (id int primary key); alter table public.t owner to \"Owner\";
             grant select on public.t to reader;
             create function public.f() returns int language sql as 'select 1';
             grant execute on function public.f() to grantee;
             create policy p on public.t to policed;
             grant connect on database peopled to connects;
             alter role settled in database peopled set work_mem = '7MB';
             create temporary table scratch (v int); alter table scratch owner to temp_only;",
        )
        .await;
    let looked = source.source(&source.superuser(), &["peopled"]).await;
    looked.assert_told(&[]);
    let facts = &looked.0.facts;

    let target = Bench::other().await;
    let looked = target.target(&target.superuser(), &["peopled"], facts).await;
    looked.assert_told(&[
        ": RolesMissing Owner",
        ": RolesMissing connects",
        ": RolesMissing grantee",
        ": RolesMissing policed",
        ": RolesMissing reader",
        ": RolesMissing settled",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    let superuser = target.superuser();
    let with_roles = target
        .target_with(&superuser, &["peopled"], facts, |input| input.migrate_roles = true)
        .await;
    with_roles.assert_told(&[]);
    looked.paste(&target).await;
    target.target(&target.superuser(), &["peopled"], facts).await.assert_told(&[]);
}
