//! What every store must do, as one function a promise; run against each of them.
use std::{collections::BTreeMap, path::Path, time::Duration};

use jiff::Timestamp;

use super::{
    Agent, Change, JoinToken, Memo, MigrationQuery, NewCommand, SqliteStore, Store, StoreError,
    Target, TokenError,
};
use crate::migration::{
    Endpoint, Event, Goal, Migration, Mode, NewMigration, Secret, Spec, SslMode, create, step,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn endpoint() -> Endpoint {
    Endpoint {
        host: "h".to_owned(),
        port: 1,
        user: "u".to_owned(),
        password: Secret::Pgpass,
        ssl_mode: SslMode::Prefer,
    }
}

fn target(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        uid: format!("uid-{id}"),
        version: 1,
        endpoint: endpoint(),
        agent: "a".to_owned(),
        created_at: now(),
        updated_at: now(),
    }
}

fn agent(id: &str) -> Agent {
    Agent {
        id: id.to_owned(),
        uid: format!("uid-{id}"),
        version: 1,
        labels: BTreeMap::from([("own".to_owned(), "1".to_owned())]),
        program_version: String::new(),
        incarnation: String::new(),
        past_incarnations: vec![],
        key_hash: id.as_bytes().to_vec(),
        sealing_key: vec![1; 32],
        postgres_programs: vec![],
        draining: false,
        revoked: false,
        created_at: now(),
        last_seen_at: None,
    }
}

fn memo(id: &str) -> Memo {
    Memo {
        id: id.to_owned(),
        method: "M".to_owned(),
        request_hash: vec![1],
        subject: "s".to_owned(),
        at: now(),
    }
}

fn order(name: &str, term: u64, seconds: u64) -> Change {
    let spec = Spec {
        mode: Mode::Online,
        goal: Goal::Migrate,
        source_type: String::new(),
        source: endpoint(),
        target: endpoint(),
        databases: vec!["d".to_owned()],
        selection: Default::default(),
        overwrite: false,
        migrate_roles: false,
        source_agent: "a".to_owned(),
        target_agent: "a".to_owned(),
        setup_logical_replication: false,
        follow_schema_changes: true,
        limits: Default::default(),
        window_start: None,
        window_end: None,
    };
    let new = NewMigration {
        uid: format!("uid-{name}"),
        target_id: "t".to_owned(),
        name: name.to_owned(),
        spec,
        incarnations: BTreeMap::new(),
    };
    let at = now().checked_add(Duration::from_secs(seconds)).unwrap();
    let outcome = create(new, at);
    change(0, term, outcome.migration, outcome.notes, outcome.commands)
}

fn change(
    expected_version: u64,
    term: u64,
    migration: Migration,
    notes: Vec<crate::migration::Note>,
    commands: Vec<crate::migration::Command>,
) -> Change {
    let commands = commands
        .into_iter()
        .map(|command| NewCommand { id: uuid::Uuid::new_v4().to_string(), command });
    let commands = commands.collect();
    Change { expected_version, term, at: now(), migration, notes, commands, dropped: vec![] }
}

fn cancelled(change_before: &Change, expected: u64) -> Change {
    let cancel = Event::Cancel { databases: vec![] };
    let outcome = step(&change_before.migration, &cancel, now()).unwrap();
    change(expected, change_before.term, outcome.migration, outcome.notes, outcome.commands)
}

async fn a_commit_is_whole(store: &dyn Store) {
    let term = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    let first = order("m", term, 0);
    store.create_migration(first.clone(), Some(memo("r1"))).await.unwrap();
    let again = store.create_migration(first.clone(), None).await;
    assert!(matches!(again, Err(StoreError::NameTaken { .. })), "{again:?}");
    let read = store.migration_named("t", "m").await.unwrap().unwrap();
    assert_eq!((read.version, &read.migration), (1, &first.migration));

    let next = cancelled(&first, 1);
    let wrong = Change { expected_version: 7, ..next.clone() };
    let refused = store.commit(wrong, None).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let repeated = store.commit(next.clone(), Some(memo("r1"))).await;
    assert!(matches!(repeated, Err(StoreError::RequestRepeated { .. })), "{repeated:?}");
    let untouched = store.migration("uid-m").await.unwrap().unwrap();
    assert_eq!(untouched.version, 1, "what is refused leaves nothing");
    assert_eq!(store.last_event("uid-m").await.unwrap(), 1);

    let dropped: Vec<_> =
        store.outbox_of("uid-m").await.unwrap().into_iter().map(|e| e.id).collect();
    assert_eq!(dropped.len(), 1);
    store.commit(Change { dropped, ..next.clone() }, None).await.unwrap();
    let events = store.events("uid-m", 0, 100).await.unwrap();
    let numbers: Vec<_> = events.iter().map(|e| e.sequence).collect();
    let expected: Vec<_> = (1..=events.len() as u64).collect();
    assert_eq!(numbers, expected, "without gaps");
    let outbox = store.outbox("a", 0, 10).await.unwrap();
    assert_eq!(outbox.len(), next.commands.len());
    assert!(store.delivered(&outbox[0].id).await.unwrap().is_some());
    assert!(store.delivered(&outbox[0].id).await.unwrap().is_none());
}

/// Also of commands that are delivered; and a store that was restored gives numbers that it can't have given before.
async fn a_commands_number_is_never_given_again(store: &dyn Store) {
    let term = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    assert_eq!(store.last_command().await.unwrap(), 0);
    store.skip_terms(10).await.unwrap();
    let orders = [order("m", term + 10, 0), order("n", term + 10, 1)];
    let mut before = store.last_command().await.unwrap();
    assert_eq!(before, 10);
    for order in orders {
        let commands = order.commands.len() as u64;
        assert!(commands > 0);
        store.create_migration(order.clone(), None).await.unwrap();
        let given = store.outbox_of(&order.migration.uid).await.unwrap();
        assert!(given.iter().all(|entry| entry.position > before), "{given:?}");
        for entry in given {
            store.delivered(&entry.id).await.unwrap();
        }
        assert_eq!(store.last_command().await.unwrap(), before + commands);
        store.skip_terms(0).await.unwrap();
        before += commands;
    }
}

async fn a_target_changes_with_its_migrations_or_not_at_all(store: &dyn Store) {
    let term = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    let orders = [order("m", term, 0), order("n", term, 1)];
    for order in &orders {
        store.create_migration(order.clone(), None).await.unwrap();
    }
    let next = Target { version: 2, agent: "b".to_owned(), ..target("t") };
    let [m, n] = &orders;
    let wrong = vec![cancelled(m, 1), cancelled(n, 7)];
    let refused = store.update_target(next.clone(), wrong, None).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let version =
        |uid: &'static str| async { store.migration(uid).await.unwrap().unwrap().version };
    assert_eq!(store.target("t").await.unwrap().unwrap(), target("t"));
    assert_eq!((version("uid-m").await, version("uid-n").await), (1, 1));
    let right = vec![cancelled(m, 1), cancelled(n, 1)];
    store.update_target(next.clone(), right, None).await.unwrap();
    assert_eq!(store.target("t").await.unwrap().unwrap(), next);
    assert_eq!((version("uid-m").await, version("uid-n").await), (2, 2));
}

async fn an_older_term_writes_nothing(store: &dyn Store) {
    let old = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    let first = order("m", old, 0);
    store.create_migration(first.clone(), None).await.unwrap();
    assert_eq!(store.begin_term().await.unwrap(), old + 1);
    let refused = store.commit(cancelled(&first, 1), None).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let refused = store.create_migration(order("n", old, 0), None).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
}

async fn lists_are_ordered_and_paged(store: &dyn Store) {
    let term = store.begin_term().await.unwrap();
    for id in ["t", "c", "b"] {
        store.create_target(target(id), None).await.unwrap();
    }
    let ids: Vec<_> = store.targets("b", 10).await.unwrap().into_iter().map(|t| t.id).collect();
    assert_eq!(ids, ["c", "t"]);
    for (index, name) in ["m1", "m2", "m3"].iter().enumerate() {
        store.create_migration(order(name, term, index as u64), None).await.unwrap();
    }
    let over = cancelled(&order("m2", term, 1), 1);
    store.commit(over, None).await.unwrap();
    let list = |active, before, limit| {
        let query = MigrationQuery { target_id: Some("t".to_owned()), active, before, limit };
        async {
            let found = store.migrations(query).await.unwrap();
            found.into_iter().map(|r| r.migration.name).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(false, None, 2).await, ["m3", "m2"]);
    let after = now().checked_add(Duration::from_secs(1)).unwrap().as_microsecond();
    assert_eq!(list(false, Some((after, "uid-m2".to_owned())), 2).await, ["m1"]);
    assert_eq!(list(true, None, 10).await, ["m3", "m1"]);
    let busy = store.delete_target("t", 1, None).await;
    assert!(matches!(busy, Err(StoreError::Conflict { .. })), "migrations are not over");
    let busy = store.delete_migration("uid-m3", 1, None).await;
    assert!(matches!(busy, Err(StoreError::Conflict { .. })), "it is not over");
    store.delete_migration("uid-m2", 2, None).await.unwrap();
    assert!(store.migration("uid-m2").await.unwrap().is_none());
    assert_eq!(store.last_event("uid-m2").await.unwrap(), 0);
}

async fn a_token_is_good_once(store: &dyn Store) {
    let later = now().checked_add(Duration::from_secs(60)).unwrap();
    let labels = BTreeMap::from([
        ("own".to_owned(), "token's".to_owned()),
        ("site".to_owned(), "x".to_owned()),
    ]);
    let token =
        |hash: u8| JoinToken { hash: vec![hash], labels: labels.clone(), expires_at: later };
    store.add_token(token(1), None).await.unwrap();
    store.add_token(token(2), None).await.unwrap();
    let joined = store.enrol(&[1], agent("a"), now()).await.unwrap();
    assert_eq!(joined.labels["own"], "1", "the agent's own word wins");
    assert_eq!(joined.labels["site"], "x");
    let refuse = |hash: u8, id: &'static str, at| async move {
        match store.enrol(&[hash], agent(id), at).await {
            Err(StoreError::Token(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refuse(1, "b", now()).await, TokenError::Used);
    assert_eq!(refuse(9, "b", now()).await, TokenError::Unknown);
    assert_eq!(refuse(2, "b", later).await, TokenError::Expired);
    for other in [
        Agent { key_hash: b"another".to_vec(), ..agent("a") },
        Agent { sealing_key: vec![2; 32], ..agent("a") },
    ] {
        let taken = store.enrol(&[2], other, now()).await;
        assert!(matches!(taken, Err(StoreError::NameTaken { .. })), "{taken:?}");
    }
    // A name that is taken has cost no token.
    store.enrol(&[2], agent("b"), now()).await.unwrap();
    // With the same keys and a new token it is the same agent, unless that was revoked.
    store.add_token(token(3), None).await.unwrap();
    store.add_token(token(4), None).await.unwrap();
    let again = Agent { uid: "made anew".to_owned(), ..agent("a") };
    assert_eq!(store.enrol(&[3], again.clone(), now()).await.unwrap(), joined);
    assert_eq!(refuse(3, "b", now()).await, TokenError::Used);
    store.update_agent(Agent { revoked: true, version: 2, ..joined }, None).await.unwrap();
    let taken = store.enrol(&[4], again, now()).await;
    assert!(matches!(taken, Err(StoreError::NameTaken { .. })), "{taken:?}");
    let mut changed = store.agent("b").await.unwrap().unwrap();
    changed.draining = true;
    changed.version += 1;
    store.update_agent(changed.clone(), None).await.unwrap();
    let stale = store.update_agent(changed, None).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
}

async fn a_request_is_remembered_for_a_day(store: &dyn Store) {
    store.create_target(target("t"), Some(memo("r1"))).await.unwrap();
    assert_eq!(store.request("r1").await.unwrap(), Some(memo("r1")));
    let at = now().checked_add(Duration::from_secs(25 * 60 * 60)).unwrap();
    store.create_target(target("u"), Some(Memo { at, ..memo("r2") })).await.unwrap();
    assert_eq!(store.request("r1").await.unwrap(), None);
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("store.db")).unwrap()
}

macro_rules! sqlite {
    ($($promise:ident),* $(,)?) => {$(
        mod $promise {
            #[tokio::test]
            async fn sqlite() {
                let dir = tempfile::tempdir().unwrap();
                super::$promise(&super::open(dir.path())).await;
            }
        }
    )*};
}

sqlite!(
    a_commit_is_whole,
    a_commands_number_is_never_given_again,
    a_target_changes_with_its_migrations_or_not_at_all,
    an_older_term_writes_nothing,
    lists_are_ordered_and_paged,
    a_token_is_good_once,
    a_request_is_remembered_for_a_day,
);

/// As after kill -9: the file and its log as they are, without a close.
#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let term = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    store.create_migration(order("m", term, 0), None).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let again = open(copy.path());
    assert_eq!(again.begin_term().await.unwrap(), term + 1);
    assert!(again.migration("uid-m").await.unwrap().is_some());
    assert_eq!(again.outbox("a", 0, 10).await.unwrap().len(), 1);
}

/// The laws in the schema hold against any program.
#[tokio::test]
async fn the_schema_refuses_what_is_against_the_laws() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let term = store.begin_term().await.unwrap();
    store.create_target(target("t"), None).await.unwrap();
    let first = order("m", term, 0);
    store.create_migration(first.clone(), None).await.unwrap();
    store.commit(cancelled(&first, 1), None).await.unwrap();
    let raw = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    for sql in [
        "update migration set over = 0, version = version + 1",
        "update migration set version = version + 2",
        "insert into migration_event values ('uid-m', 99, 0, '', '', '', '', '')",
    ] {
        assert!(raw.execute(sql, []).is_err(), "{sql}");
    }
}
