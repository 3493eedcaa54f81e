//! One test a promise of the contract to scripts.
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use crypto_box::{SecretKey, aead::OsRng};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use whimbrel_proto::v1::{
    Agent, DatabaseStatus, Hold, Migration, MigrationEvent, MigrationStatus, SealedSecret,
    WatchMigrationResponse, database_status, hold,
    migration_status::{State, SubState},
    secret::Kind,
};

use crate::fake::{Fake, Script};

fn at(state: State, sub_state: SubState) -> Migration {
    let status = MigrationStatus {
        state: state.into(),
        sub_state: sub_state.into(),
        ..MigrationStatus::default()
    };
    let name = "targets/t/migrations/m".to_owned();
    Migration { name, status: Some(status), ..Migration::default() }
}

fn copying() -> Migration {
    at(State::InProgress, SubState::MigratingData)
}

fn watched(migration: Migration, token: &str) -> WatchMigrationResponse {
    WatchMigrationResponse {
        migration: Some(migration),
        resume_token: token.to_owned(),
        ..WatchMigrationResponse::default()
    }
}

fn watching(watches: Vec<Vec<WatchMigrationResponse>>) -> Fake {
    Fake::start(Script { watches: watches.into(), ..Script::default() })
}

fn answering(answer: Result<Migration, Status>) -> Fake {
    Fake::start(Script { answer: Some(answer), ..Script::default() })
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_exit(output: &Output, exit: i32) {
    assert_eq!(output.status.code(), Some(exit), "out: {}\nerr: {}", out(output), err(output));
}

#[test]
fn a_token_alone_is_on_standard_output() {
    let fake = Fake::start(Script::default());
    let output = fake.run("agent token create", "");
    assert_exit(&output, 0);
    assert_eq!(out(&output), "whj1.abc\n");
    assert!(err(&output).contains("whimbrel-agent run"));
    assert_eq!(fake.script.lock().unwrap().authorizations, ["Bearer let-me-in"]);
    let json = out(&fake.run("agent token create -o json", ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, serde_json::json!({ "token": "whj1.abc", "expiresAt": null }));
}

#[test]
fn a_refusal_says_why_and_has_the_contracts_exit_status() {
    for (code, exit) in [
        (Code::NotFound, 3),
        (Code::FailedPrecondition, 4),
        (Code::InvalidArgument, 2),
        (Code::Unauthenticated, 5),
        (Code::Unavailable, 6),
    ] {
        let metadata = HashMap::from([("allowed".to_owned(), "cancel".to_owned())]);
        let details = ErrorDetails::with_error_info("WrongState", "whimbrel", metadata);
        let fake = answering(Err(Status::with_error_details(code, "it is Succeeded", details)));
        let output = fake.run("migration cutover m --target t", "");
        assert_exit(&output, exit);
        let said = err(&output);
        for word in ["error: it is Succeeded", "code: WrongState", "allowed: cancel"] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(out(&output), "");
    }
}

#[test]
fn names_are_free_taken_or_no_names() {
    let fake = Fake::start(Script::default());
    for (name, exit) in [("free", 0), ("AlreadyExists", 4), ("Invalid", 2)] {
        let output = fake.run(&format!("migration check-name {name} --target t -o json"), "");
        assert_exit(&output, exit);
        let json: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(json["nameAvailable"], exit == 0);
    }
}

#[test]
fn a_controller_that_is_not_there_or_not_ours_is_exit_6() {
    let (one, other) = (Fake::start(Script::default()), Fake::start(Script::default()));
    let context = |fake: &Fake| std::fs::read_to_string(fake.context()).unwrap();
    let address = |text: &str| text.lines().next().unwrap().to_owned();
    let text = context(&one);
    // The one's CA with the other's address: a certificate that our CA did not sign.
    let foreign = text.replace(&address(&text), &address(&context(&other)));
    std::fs::write(one.context(), foreign).unwrap();
    let output = one.run("agent list", "");
    assert_exit(&output, 6);
    assert!(err(&output).contains("certificate"), "{}", err(&output));
    assert!(other.script.lock().unwrap().authorizations.is_empty());
    std::fs::write(one.context(), text.replace(&address(&text), "address: 127.0.0.1:1")).unwrap();
    let output = one.run("agent list", "");
    assert_exit(&output, 6);
    assert!(err(&output).contains("127.0.0.1:1"));
    assert_exit(&one.run("migration watch m --target t", ""), 6);
}

#[test]
fn what_makes_no_sense_is_refused_without_a_controller() {
    let fake = Fake::start(Script::default());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\n \"sslMod\": \"Prefer\"\n}").unwrap();
    let path = file.path().display();
    let output = fake.run(&format!("migration create m --target t --properties {path}"), "");
    assert_exit(&output, 2);
    let said = err(&output);
    assert!(said.contains("line 2: unknown key sslMod; did you mean sslMode?"), "{said}");
    assert_exit(&fake.run("migration update m --target t", ""), 2);
    assert_exit(&fake.run("target update t", ""), 2);
    assert!(fake.script.lock().unwrap().authorizations.is_empty());
}

#[test]
fn wait_goes_on_where_it_was_when_the_controller_restarts() {
    let done = at(State::Succeeded, SubState::Completed);
    let fake = watching(vec![vec![watched(copying(), "5")], vec![], vec![watched(done, "9")]]);
    let output = fake.run("migration wait m --target t --for succeeded --timeout 1m", "");
    assert_exit(&output, 0);
    assert_eq!(fake.script.lock().unwrap().resume_tokens, ["", "5", "5"]);
}

#[test]
fn wait_tells_another_end_a_hold_a_timeout_and_a_wrong_name_apart() {
    let failed = at(State::Failed, SubState::Failed);
    let fake = watching(vec![vec![watched(failed, "1")]]);
    assert_exit(&fake.run("migration wait m --target t --for Succeeded", ""), 1);

    let mut held = copying();
    held.status.as_mut().unwrap().hold = Some(Hold {
        kind: hold::Kind::NeedsCredentials.into(),
        code: "NoPassword".into(),
        remedy: "give it".into(),
        ..Hold::default()
    });
    let fake = watching(vec![vec![watched(held, "1")]]);
    let output = fake.run("migration wait m --target t --for MigratingData", "");
    assert_exit(&output, 1);
    assert!(err(&output).contains("NoPassword") && err(&output).contains("give it"));

    let fake = watching(vec![vec![watched(copying(), "1")], vec![], vec![], vec![]]);
    let output = fake.run("migration wait m --target t --for Succeeded --timeout 300ms", "");
    assert_exit(&output, 6);
    assert!(err(&output).contains("InProgress / MigratingData"), "{}", err(&output));
    assert_exit(&fake.run("migration wait m --target t --for Done", ""), 2);
}

#[test]
fn a_cutover_that_steps_back_is_exit_1_with_the_reason() {
    let waiting = || {
        let mut migration = at(State::WaitingForUserAction, SubState::WaitingForCutoverTrigger);
        migration.status.as_mut().unwrap().databases = vec![DatabaseStatus {
            database: "d".into(),
            state: database_status::State::WaitingForCutoverTrigger.into(),
            ..DatabaseStatus::default()
        }];
        migration
    };
    let back = MigrationEvent {
        r#type: "CutoverSteppedBack".into(),
        database: "d".into(),
        code: "SourceStillWritten".into(),
        message: "stop the writes".into(),
        ..MigrationEvent::default()
    };
    let mut after = watched(waiting(), "2");
    after.events = vec![back];
    let fake = watching(vec![vec![watched(waiting(), "1"), after]]);
    let output = fake.run("migration cutover m --target t --wait", "");
    assert_exit(&output, 1);
    assert!(err(&output).contains("SourceStillWritten"), "{}", err(&output));
    assert!(err(&output).contains("stop the writes"));
}

#[test]
fn a_password_of_standard_input_is_sealed_to_the_agent_that_acts() {
    let key = SecretKey::generate(&mut OsRng);
    let agent = Agent {
        name: "agents/a".into(),
        sealing_key: key.public_key().as_bytes().to_vec(),
        ..Agent::default()
    };
    let fake = Fake::start(Script { agent, ..Script::default() });
    let line = "migration create m --target t --agent a --source h:5432@u --database d \
                --source-password stdin";
    let output = fake.run(line, "hunter2\n");
    assert_exit(&output, 0);
    let created = fake.script.lock().unwrap().created.clone().unwrap();
    let source = created.spec.unwrap().source.unwrap();
    let Some(Kind::Sealed(SealedSecret { copies })) = source.password.unwrap().kind else {
        panic!("not sealed");
    };
    assert_eq!((copies.len(), copies[0].agent.as_str()), (1, "agents/a"));
    assert_eq!(key.unseal(&copies[0].ciphertext).unwrap(), b"hunter2");
    assert!(!(out(&output) + &err(&output)).contains("hunter2"));
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let fake = Fake::start(Script::default());
    let line = "migration create m --target t --source h@u --source-password hunter2";
    let output = fake.run(line, "");
    assert_exit(&output, 2);
    assert!(err(&output).contains("env:VAR") && !err(&output).contains("hunter2"));
    assert!(fake.script.lock().unwrap().created.is_none());
}

#[test]
fn events_are_listed_and_followed_each_once() {
    let event =
        |sequence| MigrationEvent { sequence, r#type: "Step".into(), ..MigrationEvent::default() };
    // What belongs to the final state may come in several messages.
    let mut last = watched(at(State::Succeeded, SubState::Completed), "4");
    last.events = vec![event(2), event(3), event(4)];
    let mut very_last = last.clone();
    very_last.events = vec![event(5)];
    let script = Script {
        watches: vec![vec![watched(copying(), "2"), last, very_last]].into(),
        events: (1..=3).map(event).collect(),
        ..Script::default()
    };
    let output = Fake::start(script).run("migration events m --target t --follow -o json", "");
    assert_exit(&output, 0);
    let lines = out(&output);
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sequences: Vec<_> = lines.map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

#[test]
fn watch_in_a_pipe_is_a_line_a_change_and_ends_with_the_migration() {
    let failed = at(State::Failed, SubState::Failed);
    let fake = watching(vec![vec![
        watched(copying(), "1"),
        watched(copying(), "2"),
        watched(failed, "3"),
    ]]);
    let output = fake.run("migration watch m --target t", "");
    assert_exit(&output, 1);
    let lines = out(&output);
    assert_eq!(lines.lines().filter(|line| line.contains("MigratingData")).count(), 1, "{lines}");
    assert!(lines.contains("m: Failed"), "{lines}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let fake = Fake::start(Script {
        agent: Agent { name: "agents/a".into(), ..<_>::default() },
        ..<_>::default()
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(["agent", "list"])
        .env("WHIMBREL_CONTEXT", fake.context())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with("Name"), "{first}");
    assert_eq!(err(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
