//! Roles that are to be migrated.
use whimbrel_proto::v1::FindingState;

use crate::bench::{Bench, ROLE_PASSWORD};

#[tokio::test]
async fn what_of_them_can_not_be_made_is_told() {
    let (source, target) = (Bench::start("").await, Bench::start("").await);
    let mover = format!("create role mover login createdb replication password '{ROLE_PASSWORD}'");
    source.sql("postgres", &format!("{mover}; create database staffed owner mover")).await;
    source
        .sql(
            "postgres",
            "create role chief superuser bypassrls createdb; set password_encryption = md5;
             create role old login password 'x'",
        )
        .await;
    target.sql("postgres", &mover).await;

    let looked = source
        .source_with(&source.as_role("mover"), &["staffed"], |input| {
            (input.migrate_roles, input.online) = (true, false);
        })
        .await;
    looked.assert_told(&[": RolePasswordsHidden pg_authid"]);
    assert!(looked.only("RolePasswordsHidden").message.contains("mover, old"), "{:?}", looked.0);
    looked.paste(&source).await;
    let looked = source
        .source_with(&source.as_role("mover"), &["staffed"], |input| {
            (input.migrate_roles, input.online) = (true, false);
        })
        .await;
    looked.assert_told(&[]);
    let facts = &looked.0.facts;

    let ours = target.as_role("mover");
    let look = || {
        target.target_with(&ours, &["staffed"], facts, |input| {
            (input.migrate_roles, input.online) = (true, false);
        })
    };
    let found = look().await;
    found.assert_told(&[
        ": CreateRolePrivilegeMissing mover",
        ": RoleAttributeNotCarried chief",
        ": PasswordMd5 old",
    ]);
    found.assert_status(FindingState::FindingFailed);
    found.paste_outside(&target).await;
    target.sql("postgres", "create role chief superuser; create role old login password 'x'").await;
    look().await.assert_told(&[": RoleDiffers chief"]);
    look().await.paste_outside(&target).await;
    look().await.assert_told(&[]);
}

/// Roles that a managed service makes in its servers are never made elsewhere: a target of another kind has to have them
/// before, or nothing that is theirs could be restored.
#[tokio::test]
async fn a_services_own_role_that_is_needed_and_missing_is_told() {
    let (source, target) = (Bench::start("").await, Bench::start("").await);
    source.sql("postgres", "create role supabase_admin; create role plain").await;
    source.sql("postgres", "create database hosted").await;
    source
        .sql(
            "hosted",
            "create table theirs (id int primary key);
             grant select on theirs to supabase_admin, plain",
        )
        .await;
    let looked = source
        .source_with(&source.superuser(), &["hosted"], |input| input.migrate_roles = true)
        .await;
    let facts = &looked.0.facts;
    let superuser = target.superuser();
    let look =
        || target.target_with(&superuser, &["hosted"], facts, |input| input.migrate_roles = true);
    let found = look().await;
    found.assert_told(&[": RolesMissing supabase_admin"]);
    found.assert_status(FindingState::FindingFailed);
    found.paste_outside(&target).await;
    look().await.assert_told(&[]);
}
