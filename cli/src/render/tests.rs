//! Golden: the contract's shapes, key for key.
use whimbrel_proto::v1::{
    self, DatabaseStatus, Endpoint, Finding, FindingState, Hold, Migration, MigrationMode,
    MigrationOption, MigrationSpec, MigrationStatus, Progress, SslMode, TableProgress, Target,
    Validation, ValidationDetails, database_status, hold, migration_status, secret, table_progress,
};

use super::{agent, bytes, event, migration, next::next, page::page, seconds, server};
use crate::{
    args::{Color, Format},
    screen::Screen,
};

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_767_225_600 + seconds, nanos: 0 })
}

fn screen() -> Screen {
    Screen::new(Format::Table, Color::Never)
}

/// Online, waiting for its cutover, held for the sake of the shape.
pub(crate) fn waiting() -> Migration {
    let held = Hold {
        kind: hold::Kind::Held.into(),
        code: "ConnectionLost".into(),
        message: "the source went away".into(),
        remedy: "start it".into(),
        since: at(7),
    };
    let progress = Progress {
        completed_tables: 12,
        latency_seconds: Some(0.04),
        percent: 100.0,
        applied_lsn: 0x16_B374_D848,
        ..Progress::default()
    };
    let database = DatabaseStatus {
        database: "salesdb".into(),
        state: database_status::State::WaitingForCutoverTrigger.into(),
        operation: "streaming".into(),
        start_time: at(2),
        progress: Some(progress),
        ..DatabaseStatus::default()
    };
    let finding = Finding {
        state: FindingState::FindingWarning.into(),
        code: "NoReplicaIdentity".into(),
        message: "no key".into(),
        object: "public.t".into(),
        remedy: String::new(),
    };
    let check = Validation {
        r#type: "ReplicaIdentityValidation".into(),
        state: FindingState::FindingWarning.into(),
        findings: vec![finding],
    };
    Migration {
        name: "targets/prod/migrations/m1".into(),
        create_time: at(0),
        start_time: at(1),
        spec: Some(MigrationSpec {
            mode: MigrationMode::Online.into(),
            option: MigrationOption::ValidateAndMigrate.into(),
            source_type: "OnPremises".into(),
            source: Some(Endpoint {
                host: "old".into(),
                user: "app".into(),
                ssl_mode: SslMode::Prefer.into(),
                ..Endpoint::default()
            }),
            databases: vec!["salesdb".into()],
            overwrite: true,
            agent: "agents/a1".into(),
            ..MigrationSpec::default()
        }),
        status: Some(MigrationStatus {
            state: migration_status::State::WaitingForUserAction.into(),
            sub_state: migration_status::SubState::WaitingForCutoverTrigger.into(),
            hold: Some(held),
            databases: vec![database],
            validation: Some(ValidationDetails {
                status: FindingState::FindingWarning.into(),
                start_time: at(1),
                end_time: at(2),
                server: vec![check.clone()],
                databases: vec![v1::DatabaseValidation {
                    database: "salesdb".into(),
                    validations: vec![check],
                    ..v1::DatabaseValidation::default()
                }],
            }),
            ..MigrationStatus::default()
        }),
        ..Migration::default()
    }
}

#[test]
fn a_migration_has_the_contracts_shape() {
    let shown = migration::Migration::from(&waiting());
    let json = serde_json::to_string_pretty(&shown).unwrap();
    assert_eq!(json, include_str!("golden_migration.json").trim_end());
}

#[test]
fn yaml_says_the_same() {
    let shown = migration::Migration::from(&waiting());
    let yaml = serde_yaml_ng::to_string(&shown).unwrap();
    let again: serde_json::Value = serde_yaml_ng::from_str(&yaml).unwrap();
    assert_eq!(again, serde_json::to_value(&shown).unwrap());
}

#[test]
fn tables_go_to_their_database() {
    let mut shown = migration::Migration::from(&waiting());
    let table = |database: &str, table: &str| TableProgress {
        database: database.into(),
        schema: "public".into(),
        table: table.into(),
        state: table_progress::State::Loading.into(),
        copied_bytes: 5,
        total_bytes: 10,
        ..TableProgress::default()
    };
    shown.set_tables(&[table("salesdb", "t"), table("other", "u")]);
    let json = serde_json::to_value(&shown.databases()["salesdb"]).unwrap();
    let expected = serde_json::json!([{ "schema": "public", "table": "t", "state": "Loading",
        "copiedBytes": 5, "totalBytes": 10, "percent": 50.0, "copiedRows": 0, "cdcInsertCounter": 0,
        "cdcUpdateCounter": 0, "cdcDeleteCounter": 0, "message": null }]);
    assert_eq!(json["tables"], expected);
    assert!(page(&shown, &screen()).contains("public.t"));
}

#[test]
fn an_empty_migration_is_nulls_not_a_panic() {
    let shown = migration::Migration::from(&Migration::default());
    let json = serde_json::to_value(&shown).unwrap();
    assert!(json["properties"]["currentStatus"]["error"].is_null());
    assert!(json["properties"]["currentStatus"]["hold"].is_null());
    assert!(json["startedAt"].is_null());
    assert!(!page(&shown, &screen()).is_empty());
}

#[test]
fn the_page_says_the_hold_and_what_to_do_next() {
    let mut migration = waiting();
    let text = page(&migration::Migration::from(&migration), &screen());
    for part in ["ConnectionLost", "start it", "retry m1 --target prod", "no key", "0.04 s"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    migration.status.as_mut().unwrap().hold = None;
    let hint = next(&migration::Migration::from(&migration)).unwrap();
    assert!(hint.contains("migration cutover m1 --target prod"), "{hint}");
}

#[test]
fn the_list_has_the_contracts_columns() {
    let text = migration::table(&[(&waiting()).into()], &screen());
    let mut lines = text.lines();
    let header = lines.next().unwrap().split("  ").map(str::trim).filter(|c| !c.is_empty());
    let expected = [
        "Name",
        "Status",
        "Migration mode",
        "Migration type",
        "Source server",
        "Source server type",
        "Databases",
        "Duration",
        "Start time",
    ];
    assert_eq!(header.collect::<Vec<_>>(), expected);
    assert!(lines.next().unwrap().contains("old:5432"));
}

#[test]
fn a_target_tells_the_kind_of_its_password_only() {
    let target = Target {
        name: "targets/prod".into(),
        endpoint: Some(Endpoint {
            host: "db".into(),
            port: 5433,
            user: "u".into(),
            password: Some(v1::Secret { kind: Some(secret::Kind::Env("HUSH".into())) }),
            ssl_mode: SslMode::VerifyCa.into(),
        }),
        agent: "agents/a1".into(),
        create_time: at(0),
        ..Target::default()
    };
    let json = serde_json::to_value(server::Target::from(target)).unwrap();
    let expected = serde_json::json!({ "name": "prod", "host": "db", "port": 5433, "user": "u",
        "passwordKind": "env", "sslMode": "VerifyCA", "agent": "a1",
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": null });
    assert_eq!(json, expected);
}

#[test]
fn a_token_and_an_event_have_the_contracts_shape() {
    let token = v1::JoinToken { token: "whj1.x".into(), expire_time: at(0) };
    let json = serde_json::to_string(&agent::Token::from(token)).unwrap();
    assert_eq!(json, r#"{"token":"whj1.x","expiresAt":"2026-01-01T00:00:00Z"}"#);
    let event = v1::MigrationEvent {
        sequence: 3,
        time: at(0),
        database: "d".into(),
        r#type: "CopyFinished".into(),
        message: "copied".into(),
        ..v1::MigrationEvent::default()
    };
    let event = event::Event::from(&event);
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"sequence":3,"time":"2026-01-01T00:00:00Z","database":"d","type":"CopyFinished","code":null,"message":"copied","actor":null}"#
    );
    assert_eq!(event.line(), "2026-01-01T00:00:00Z CopyFinished [d]: copied");
}

#[test]
fn sizes_and_times_are_for_people() {
    assert_eq!(bytes(1023), "1023 B");
    assert_eq!(bytes(1024), "1.0 kB");
    assert_eq!(bytes(350 * 1024 * 1024), "350 MB");
    assert_eq!(bytes(u64::MAX), "16.0 EB");
    assert_eq!(seconds(3725.4), "1h 2m 5s");
    assert_eq!(seconds(f64::NAN), "0s");
    assert_eq!(seconds(-1.0), "0s");
}
