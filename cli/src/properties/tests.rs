//! The traps of the field's own examples, one by one.
use super::*;

const BODY: &str = include_str!("example.json");

fn problem(text: &str) -> (Problem, Option<usize>) {
    parse(text).map(|_| ()).unwrap_err()
}

#[test]
fn the_fields_own_body_works_as_it_is() {
    let read = parse(BODY).unwrap();
    assert_eq!(read.source.as_deref(), Some("10.0.0.4:5432@app"));
    assert_eq!(read.source_password.as_ref().map(|p| p.as_str()), Some("s3cret"));
    assert_eq!(read.target_password.as_ref().map(|p| p.as_str()), Some("t3cret"));
    assert_eq!(read.source_user.as_deref(), Some("app"));
    assert_eq!(read.target_user.as_deref(), Some("pgadmin"));
    assert_eq!(read.databases, Some(vec!["salesdb".into(), "hr".into()]));
    assert_eq!((read.overwrite, read.migrate_roles), (Some(true), Some(false)));
    assert_eq!(read.mode, Some(MigrationMode::Online));
    assert_eq!(read.option, Some(MigrationOption::ValidateAndMigrate));
    assert_eq!(read.ssl_mode, Some(SslMode::VerifyCa));
    assert_eq!(read.source_type.as_deref(), Some("OnPremises"));
    assert_eq!(read.agent.as_deref(), Some("a1"));
    assert_eq!(read.window_start.map(|t| t.to_string()).as_deref(), Some("2026-01-31T22:00:00Z"));
}

#[test]
fn yaml_without_the_outer_properties_says_the_same() {
    let yaml = "\
SOURCEDBSERVERRESOURCEID: 10.0.0.4:5432@app
secretparameters:
  ADMINCREDENTIALS: {sourceServerPassword: s3cret, targetServerPassword: t3cret}
  sourceServerUsername: app
targetServerUsername: pgadmin
dbsToMigrate: [salesdb, hr]
overwriteDbsInTarget: true
migrateRoles: 'FALSE'
migrationMode: ONLINE
migrationOption: validateandmigrate
sourceType: OnPremises
sslMode: verifyca
migrationWindowStartTimeInUtc: 2026-01-31T22:00:00
migrationRuntimeResourceId: a1
";
    assert!(parse(yaml).unwrap() == parse(BODY).unwrap());
}

#[test]
fn patterns_are_lists_of_texts() {
    let text =
        r#"{"includeSchemas": ["app"], "excludetables": ["app.log*"], "excludeSchemas": null}"#;
    let selection = parse(text).unwrap().selection;
    assert_eq!(selection.include_schemas, ["app"]);
    assert_eq!(selection.exclude_tables, ["app.log*"]);
    assert!(selection.exclude_schemas.is_empty());
    assert_eq!(
        problem(r#"{"includeTables": "app.t"}"#).0.to_string(),
        "includeTables: expected a list of patterns, found a text"
    );
}

#[test]
fn a_user_name_is_taken_at_either_level_but_once() {
    let both =
        r#"{"targetServerUsername": "a", "secretParameters": {"targetServerUsername": "b"}}"#;
    let key = "secretParameters.targetServerUsername".to_owned();
    assert_eq!(problem(both).0, Problem::Twice { key });
    for text in [
        r#"{"properties": {"targetServerUsername": "a"}}"#,
        r#"{"properties": {"secretParameters": {"targetServerUsername": "a"}}}"#,
    ] {
        assert_eq!(parse(text).unwrap().target_user.as_deref(), Some("a"));
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let json = "{\n  \"properties\": {\n    \"dbsToMigrat\": []\n  }\n}";
    let key = "properties.dbsToMigrat".to_owned();
    assert_eq!(
        problem(json),
        (Problem::UnknownKey { key, nearest: Some("dbsToMigrate") }, Some(3))
    );
    let yaml = "properties:\n  sslMode: Prefer\n  colour: red\n";
    let key = "properties.colour".to_owned();
    assert_eq!(problem(yaml), (Problem::UnknownKey { key, nearest: None }, Some(3)));
}

#[test]
fn a_key_at_the_wrong_level_is_refused() {
    let text = r#"{"secretParameters": {"sourceServerPassword": "hunter2"}}"#;
    let (problem, _) = problem(text);
    assert!(matches!(problem, Problem::UnknownKey { .. }));
    assert!(!problem.to_string().contains("hunter2"));
}

#[test]
fn a_key_twice_in_another_case_is_refused() {
    let (problem, line) = problem("{\"sslMode\": \"Prefer\",\n \"SSLMODE\": \"Require\"}");
    assert_eq!(problem, Problem::Twice { key: "SSLMODE".into() });
    assert_eq!(line, Some(2));
}

#[test]
fn a_password_that_is_no_text_is_refused_and_not_repeated() {
    let yaml = "secretParameters:\n  adminCredentials:\n    sourceServerPassword: 987654\n";
    let (problem, line) = problem(yaml);
    assert_eq!(line, Some(3));
    let text = problem.to_string();
    assert!(text.contains("quote") && !text.contains("987654"), "{text}");
}

#[test]
fn null_is_as_if_the_key_were_not_there() {
    let text =
        r#"{"properties": {"sslMode": null, "secretParameters": null, "dbsToMigrate": null}}"#;
    assert!(parse(text).unwrap() == Properties::default());
}

#[test]
fn values_that_can_not_be_are_refused_with_what_would_do() {
    for (text, expected) in [
        (r#"{"migrationMode": "sideways"}"#, "Offline or Online"),
        (r#"{"overwriteDbsInTarget": "yes"}"#, "true or false"),
        (r#"{"overwriteDbsInTarget": 1}"#, "true or false"),
        (r#"{"dbsToMigrate": "salesdb"}"#, "a list of database names"),
        (r#"{"dbsToMigrate": [2024]}"#, "quote it"),
        (r#"{"sslMode": "on"}"#, "VerifyCA"),
        (r#"{"sourceDbServerResourceId": ""}"#, "an empty text"),
        (r#"{"migrationWindowStartTimeInUtc": "tomorrow"}"#, "2026-01-31T22:00:00Z"),
        (r#"{"migrationRuntimeResourceId": "/subscriptions/1/x"}"#, "the name of an agent"),
        (r#"{"properties": []}"#, "an object"),
        ("[1]", "an object"),
        ("", "an object"),
    ] {
        let said = problem(text).0.to_string();
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn broken_text_is_refused_with_its_line_and_without_its_contents() {
    let (problem, line) = problem("{\n \"sourceServerPassword\": \"hunter2\n}");
    assert_eq!(problem, Problem::Syntax { language: "JSON" });
    assert!(line.is_some() && !problem.to_string().contains("hunter2"));
}

#[test]
fn a_byte_order_mark_and_tabs_are_taken() {
    assert_eq!(
        parse("\u{feff}{\n\t\"sslMode\": \"Require\"\n}").unwrap().ssl_mode,
        Some(SslMode::Require)
    );
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_refused() {
    let error = read(Path::new("/nonexistent/p.json")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/p.json"), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), [0xff, 0xfe, b'{', 0]).unwrap();
    assert_eq!(read(file.path()).map(|_| ()).unwrap_err().problem, Problem::Encoding);
}

#[test]
fn limits_are_numbers_or_texts_with_units() {
    let read = parse(
        r#"{"copyJobs": 3, "copyRateLimit": "50MB", "snapshotMaxAge": "30m", "maxRetainedWal": 1024}"#,
    );
    let limits = read.unwrap().limits.unwrap();
    assert_eq!((limits.copy_jobs, limits.copy_bytes_per_second), (3, 50 << 20));
    assert_eq!(limits.snapshot_age.map(|age| age.seconds), Some(1800));
    assert_eq!(limits.retained_wal_bytes, 1024);
    assert!(parse(r#"{"dbsToMigrate": ["a"]}"#).unwrap().limits.is_none());
    for wrong in [r#"{"copyJobs": -1}"#, r#"{"copyRateLimit": "fast"}"#, r#"{"snapshotMaxAge": 5}"#]
    {
        assert!(matches!(problem(wrong).0, Problem::Value { .. }), "{wrong}");
    }
}
