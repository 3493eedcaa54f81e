//! Servers without a defect: every check is made and told, and none finds anything.
use whimbrel_proto::{agent::v1::CheckLevel, v1::FindingState};

use crate::bench::{Bench, ROLE_PASSWORD};

/// What a well-made database has: keys, a partitioned table, an identity, an unowned sequence, a view, a foreign key,
/// an extension with a table of its own, a function that a policy's role may call.
const SCHEMA: &str = "
    create table public.customer (id bigint generated always as identity primary key, name text not null);
    create table public.orders (id bigint primary key, customer bigint references public.customer);
    create table public.log (at date not null, line text, primary key (at, line)) partition by range (at);
    create table public.log_1 partition of public.log for values from ('2020-01-01') to ('2030-01-01');
    create table public.full_identity (v text);
    alter table public.full_identity replica identity full;
    create sequence public.loose;
    create view public.names as select name from public.customer;
    create extension hstore schema public;
    create temporary table scratch (v int);";

#[tokio::test]
async fn show_no_finding() {
    let source = Bench::shared().await;
    source.sql("postgres", "create database sound; create database \"Other one\"").await;
    source.sql("sound", SCHEMA).await;

    let looked = source.source(&source.superuser(), &["sound", "Other one"]).await;
    looked.assert_told(&[]);
    looked.assert_status(FindingState::FindingSucceeded);
    assert_eq!(
        looked.made(""),
        [
            "AuthenticationAndConnectivityValidation",
            "SourceVersionValidation",
            "PrimaryServerValidation",
            "PgDumpValidation",
            "ServerParametersValidation",
            "ReplicationPrivilegeValidation",
            "RolePasswordsValidation",
            "PreparedTransactionsValidation",
            "LongTransactionsValidation",
            "WalRetentionValidation",
            "SnapshotValidation",
            "SynchronousStandbyValidation",
            "SessionsValidation",
            "PasswordEndValidation",
        ]
    );
    let of_database = [
        "DatabaseExistsValidation",
        "LogicalSlotsValidation",
        "AuthenticationAndConnectivityValidation",
        "ReplicationConnectionValidation",
        "SelectionValidation",
        "ReadPrivilegeValidation",
        "RowSecurityValidation",
        "LargeObjectsValidation",
        "PublicationPrivilegeValidation",
        "ReplicaIdentityValidation",
        "GeneratedIdentityValidation",
        "VirtualColumnsValidation",
        "HashOfEnumValidation",
        "EncodedTextsValidation",
        "UnloggedTablesValidation",
        "PreparedTransactionsValidation",
        "LongTransactionsValidation",
        "ReservedNamesValidation",
        "SystemSchemasValidation",
        "SystemGrantsValidation",
        "ExtensionSchemasValidation",
        "ExtensionDataValidation",
        "ForeignTablesValidation",
        "SubscriptionsValidation",
        "RemovedFeaturesValidation",
        "RegColumnsValidation",
        "RecursiveViewsValidation",
        "EventTriggersValidation",
        "ForeignKeysValidation",
        "SearchPathValidation",
        "OtherTablesValidation",
        "InvalidIndexesValidation",
        "InheritedColumnsValidation",
        "CollationVersionsValidation",
        "ChecksumsValidation",
        "WraparoundValidation",
        "LockTableValidation",
        "SizeEstimateValidation",
    ];
    assert_eq!(looked.made("sound"), of_database);
    assert_eq!(looked.made("Other one"), of_database);
    assert_times(&looked.0);

    let target = Bench::other().await;
    let facts = &looked.0.facts;
    let looked = target.target(&target.superuser(), &["sound", "Other one"], facts).await;
    looked.assert_told(&[]);
    looked.assert_status(FindingState::FindingSucceeded);
    assert_eq!(
        looked.made(""),
        [
            "AuthenticationAndConnectivityValidation",
            "TargetVersionValidation",
            "PrimaryServerValidation",
            "SameServerValidation",
            "CreateDatabasePrivilegeValidation",
            "RolesValidation",
            "RoleAttributesValidation",
            "MigratedRolesValidation",
            "SessionReplicationRoleValidation",
            "ServerParametersValidation",
            "SynchronousStandbyValidation",
            "SessionsValidation",
            "PasswordEndValidation",
            "DifferencesReport",
        ]
    );
    assert_eq!(
        looked.made("sound"),
        [
            "OverwriteValidation",
            "ExtensionsValidation",
            "LocaleValidation",
            "CollationsValidation",
            "TablespacesValidation",
            "PrivilegedObjectsValidation",
            "OwnersValidation",
            "LibrariesValidation",
            "MajorVersionValidation",
            "CarriedSettingsValidation",
            "PreloadedLibrariesValidation",
            "CompressionValidation",
            "XmlValidation",
            "SecurityLabelsValidation",
            "TextSearchFilesValidation",
            "LockTableValidation",
        ]
    );
    assert!(looked.0.existing.is_empty());
    assert_times(&looked.0);
}

fn assert_times(checked: &whimbrel_proto::agent::v1::Checked) {
    let findings = checked.findings.as_ref().unwrap();
    let seconds = |time: &Option<_>| {
        let time: &prost_types::Timestamp = time.as_ref().unwrap();
        (time.seconds, time.nanos)
    };
    let (start, end) = (seconds(&findings.start_time), seconds(&findings.end_time));
    assert!(start <= end);
    for database in &findings.databases {
        assert!(start <= seconds(&database.start_time) && seconds(&database.end_time) <= end);
    }
}

/// A migration does not need a superuser on either side.
#[tokio::test]
async fn show_no_finding_to_a_role_with_just_the_rights() {
    let source = Bench::shared().await;
    let roles = format!(
        "create role granted_owner login; create role granted_mover login replication password '{ROLE_PASSWORD}' in role granted_owner"
    );
    source.sql("postgres", &roles).await;
    source.sql("postgres", "create database granted owner granted_owner").await;
    let as_owner = format!("set role granted_owner; {}", SCHEMA);
    source.sql("granted", &format!("alter schema public owner to granted_owner; {as_owner}")).await;
    let looked = source.source(&source.as_role("granted_mover"), &["granted"]).await;
    looked.assert_told(&[]);

    let target = Bench::other().await;
    target.sql("postgres", &format!("{roles} createdb")).await;
    target
        .sql("postgres", "grant set on parameter session_replication_role to granted_mover")
        .await;
    let looked =
        target.target(&target.as_role("granted_mover"), &["granted"], &looked.0.facts).await;
    looked.assert_told(&[]);
}

#[tokio::test]
async fn are_asked_no_more_than_the_mode_and_the_level_need() {
    let source = Bench::start("wal_level = replica\nmax_wal_senders = 0\n").await;
    source.sql("postgres", "create database app").await;
    source
        .sql("app", "create table public.keyless (v int); create unlogged table public.u (v int)")
        .await;

    let offline =
        source.source_at(&source.superuser(), &["app"], CheckLevel::Preflight, false).await;
    offline.assert_told(&[]);
    assert!(!offline.made("").contains(&"ServerParametersValidation"));
    assert!(!offline.made("app").contains(&"ReplicaIdentityValidation"));

    let first =
        source.source_at(&source.superuser(), &["app"], CheckLevel::Prerequisites, true).await;
    assert_eq!(
        first.made("app"),
        [
            "DatabaseExistsValidation",
            "AuthenticationAndConnectivityValidation",
            "RemovedFeaturesValidation"
        ]
    );
    assert!(first.made("").contains(&"ServerParametersValidation"));
    first.assert_told(&[": WalLevelNotLogical wal_level", ": WalSendersExhausted max_wal_senders"]);
}
