//! The replication transport against a real server.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;

use std::time::Duration;

use cluster::Cluster;
use tokio::time::timeout;
use whimbrel_agent::{
    postgres::{SslMode, connect},
    replication::{
        Event, ReplicationConnection, ReplicationStream, SlotLife, Snapshot, StreamOptions,
        Streaming,
        pgoutput::{Message, OldTuple, Value, decode},
    },
};
use whimbrel_proto::Lsn;

const HBA: &str = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
const PATIENCE: Duration = Duration::from_secs(60);

async fn next(stream: &mut ReplicationStream) -> Event {
    timeout(PATIENCE, stream.next()).await.expect("no event").unwrap().expect("stream ended")
}

/// Decoded messages up to the next commit, which ends at the returned position.
async fn transaction(stream: &mut ReplicationStream) -> (Vec<Message>, Lsn) {
    let mut messages = Vec::new();
    loop {
        let Event::XLogData { data, .. } = next(stream).await else { continue };
        match decode(data, false).unwrap() {
            Message::Commit { end_lsn, .. } => return (messages, end_lsn),
            message => messages.push(message),
        }
    }
}

#[tokio::test]
async fn a_slot_streams_and_is_acknowledged() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    sql.batch_execute("create table public.t (id int primary key, v text)").await.unwrap();
    sql.batch_execute("create publication p for table public.t").await.unwrap();
    sql.batch_execute("insert into public.t values (0, 'before')").await.unwrap();

    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    assert!(!replication.is_tls());
    let system = replication.identify_system().await.unwrap();
    assert_eq!(system.database, "postgres");
    assert!(system.wal_position > Lsn::ZERO);
    let slot =
        replication.create_slot("s'1", SlotLife::Permanent, Snapshot::Export).await.unwrap_err();
    assert_eq!(slot.sqlstate(), Some("42602"), "a refused command leaves the connection usable");
    let slot = replication.create_slot("s1", SlotLife::Permanent, Snapshot::Export).await.unwrap();

    // The snapshot is usable while the connection is idle.
    let snapshot = slot.snapshot.expect("exported");
    sql.batch_execute("insert into public.t values (1, 'after')").await.unwrap();
    sql.batch_execute(&format!(
        "begin isolation level repeatable read; set transaction snapshot '{snapshot}'"
    ))
    .await
    .unwrap();
    let rows = sql.query("select id from public.t", &[]).await.unwrap();
    assert_eq!(rows.len(), 1, "the snapshot is from before the second row");
    sql.batch_execute("commit").await.unwrap();

    let version = replication.server_version_num();
    let options = StreamOptions::for_server(version, vec!["p".into()]);
    let mut stream = replication.start("s1", slot.consistent_point, &options).await.unwrap();
    let (messages, _) = transaction(&mut stream).await;
    let Some(Message::Insert { new, .. }) = messages.last() else { panic!("{messages:?}") };
    assert_eq!(new[1], Value::Text("after".into()));

    sql.batch_execute(
        "update public.t set v = 'x' where id = 1; delete from public.t where id = 0",
    )
    .await
    .unwrap();
    let (messages, end) = transaction(&mut stream).await;
    assert!(matches!(messages[1], Message::Update { old: None, .. }), "{messages:?}");
    assert!(matches!(messages[2], Message::Delete { .. }), "{messages:?}");

    stream.status(end, end, end, true).await.unwrap();
    // A keepalive that the server sent by itself may come before the answer.
    let confirmed = async {
        loop {
            while !matches!(next(&mut stream).await, Event::Keepalive { .. }) {}
            let at = "select confirmed_flush_lsn::text from pg_replication_slots";
            let at: String = sql.query_one(at, &[]).await.unwrap().get(0);
            if at.parse() == Ok(end) {
                break;
            }
            stream.status(end, end, end, true).await.unwrap();
        }
    };
    timeout(Duration::from_secs(60), confirmed).await.expect("the slot did not move");

    let mut replication = stream.stop().await.unwrap();
    replication.identify_system().await.unwrap();
    replication.drop_slot("s1").await.unwrap();
    let row = sql.query_one("select count(*) from pg_replication_slots", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn cancelled_reads_lose_nothing() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.socket_endpoint();
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    sql.batch_execute("create table public.t (id int primary key, v text)").await.unwrap();
    sql.batch_execute("create publication p for table public.t").await.unwrap();
    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    let slot = replication.create_slot("s1", SlotLife::Temporary, Snapshot::Nothing).await.unwrap();
    let options = StreamOptions::for_server(replication.server_version_num(), vec!["p".into()]);
    let mut stream = replication.start("s1", slot.consistent_point, &options).await.unwrap();
    sql.batch_execute(
        "insert into public.t select i, repeat('x', 5000) from generate_series(1, 2000) i",
    )
    .await
    .unwrap();

    let mut rows = 0;
    let committed = async {
        loop {
            // Polled once and dropped, over and over, with a status between: as in a busy select loop.
            let event = tokio::select! {
                biased;
                event = stream.next() => event.unwrap().unwrap(),
                () = tokio::task::yield_now() => {
                    stream.status(Lsn::ZERO, Lsn::ZERO, Lsn::ZERO, false).await.unwrap();
                    continue;
                }
            };
            let Event::XLogData { data, .. } = event else { continue };
            match decode(data, false).unwrap() {
                Message::Insert { .. } => rows += 1,
                Message::Commit { .. } => break,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, committed).await.expect("no commit");
    assert_eq!(rows, 2000);
}

#[tokio::test]
async fn a_server_that_goes_away_ends_the_stream_with_a_transient_error() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.socket_endpoint();
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    sql.batch_execute("create publication p").await.unwrap();
    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    let slot = replication.create_slot("s1", SlotLife::Temporary, Snapshot::Nothing).await.unwrap();
    let options = StreamOptions::for_server(replication.server_version_num(), vec!["p".into()]);
    let mut stream = replication.start("s1", slot.consistent_point, &options).await.unwrap();
    sql.execute("select pg_terminate_backend(pid) from pg_stat_replication", &[]).await.unwrap();
    let error = loop {
        match timeout(PATIENCE, stream.next()).await.expect("no end") {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
    };
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.sqlstate(), Some("57P01"), "{error}");
}

/// A walsender whose server is told to stop waits for our acknowledgement, and says that the command is complete: without
/// saying before that the copy is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_ends_the_stream_in_good_order() {
    let cluster = std::sync::Arc::new(Cluster::start(HBA, ""));
    let endpoint = cluster.socket_endpoint();
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    sql.batch_execute("create publication p").await.unwrap();
    drop(sql);
    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    let slot = replication.create_slot("s1", SlotLife::Permanent, Snapshot::Nothing).await.unwrap();
    let options = StreamOptions::for_server(replication.server_version_num(), vec!["p".into()]);
    let mut stream = replication.start("s1", slot.consistent_point, &options).await.unwrap();
    let stopping = std::sync::Arc::clone(&cluster);
    let stopped = tokio::task::spawn_blocking(move || stopping.stop());
    while let Some(event) = timeout(PATIENCE, stream.next()).await.expect("no end").unwrap() {
        if let Event::Keepalive { wal_end, .. } = event {
            stream.status(wal_end, wal_end, wal_end, false).await.unwrap();
        }
    }
    stopped.await.unwrap();
}

#[tokio::test]
async fn making_a_slot_can_be_cancelled() {
    let cluster = Cluster::start(HBA, "");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    // A transaction that writes: making a slot waits for it.
    sql.batch_execute("begin; create table public.t ()").await.unwrap();
    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    let canceller = replication.canceller();
    let making = replication.create_slot("s1", SlotLife::Permanent, Snapshot::Export);
    let watch = connect(&endpoint, "postgres", "watch").await.unwrap();
    let cancelling = async {
        let waiting = "select count(*) from pg_stat_activity \
                       where backend_type = 'walsender' and wait_event_type = 'Lock'";
        while watch.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        canceller.cancel().await.unwrap();
    };
    let (made, ()) = timeout(PATIENCE, async { tokio::join!(making, cancelling) }).await.unwrap();
    assert_eq!(made.unwrap_err().sqlstate(), Some("57014"));
    let row = watch.query_one("select count(*) from pg_replication_slots", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    replication.identify_system().await.unwrap();
}

/// Every message until `wanted` says it is the last; blocks of a stream are followed.
async fn messages_until(
    stream: &mut ReplicationStream,
    wanted: impl Fn(&Message) -> bool,
) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut in_stream = false;
    loop {
        let Event::XLogData { data, .. } = next(stream).await else { continue };
        let message = decode(data, in_stream).unwrap();
        match message {
            Message::StreamStart { .. } => in_stream = true,
            Message::StreamStop => in_stream = false,
            _ => {}
        }
        let last = wanted(&message);
        messages.push(message);
        if last {
            return messages;
        }
    }
}

#[tokio::test]
async fn every_kind_of_change_is_decoded() {
    let cluster = Cluster::start(HBA, "logical_decoding_work_mem = '64kB'");
    let endpoint = cluster.endpoint(SslMode::Prefer);
    let sql = connect(&endpoint, "postgres", "test").await.unwrap();
    if sql.server_major() < 14 {
        return;
    }
    for statement in [
        "create type public.mood as enum ('ok')",
        "create table public.t (id int primary key, v text, m public.mood)",
        "alter table public.t alter v set storage external",
        "create table public.full_identity (a int, b text)",
        "alter table public.full_identity replica identity full",
        "create publication p for table public.t, public.full_identity",
    ] {
        sql.batch_execute(statement).await.unwrap();
    }
    let mut replication =
        ReplicationConnection::connect(&endpoint, "postgres", "slot").await.unwrap();
    let slot = replication.create_slot("s1", SlotLife::Temporary, Snapshot::Nothing).await.unwrap();
    let mut options = StreamOptions::for_server(sql.server_version_num(), vec!["p".into()]);
    (options.protocol, options.streaming) = (2, Streaming::On);
    let mut stream = replication.start("s1", slot.consistent_point, &options).await.unwrap();

    sql.batch_execute(
        "begin; insert into public.t values (1, repeat('x', 9000), 'ok'); \
         update public.t set m = null; update public.t set id = 2; \
         insert into public.full_identity values (1, null); delete from public.full_identity; \
         truncate public.t, public.full_identity restart identity; \
         select pg_logical_emit_message(true, 'whimbrel', 'hello'); commit",
    )
    .await
    .unwrap();
    let messages = messages_until(&mut stream, |m| matches!(m, Message::Commit { .. })).await;
    let has =
        |wanted: &dyn Fn(&Message) -> bool| assert!(messages.iter().any(wanted), "{messages:?}");
    has(&|m| matches!(m, Message::Type { name, .. } if name == "mood"));
    has(
        &|m| matches!(m, Message::Relation(r) if r.name == "full_identity" && r.replica_identity == b'f'),
    );
    has(
        &|m| matches!(m, Message::Update { old: None, new, .. } if new[1] == Value::UnchangedToast),
    );
    has(&|m| matches!(m, Message::Update { old: Some(OldTuple::Key(_)), .. }));
    has(
        &|m| matches!(m, Message::Delete { old: OldTuple::Full(row), .. } if row[1] == Value::Null),
    );
    has(
        &|m| matches!(m, Message::Truncate { relations, restart_identity: true, .. } if relations.len() == 2),
    );
    has(&|m| {
        matches!(m, Message::Message { transactional: true, prefix, content, .. }
        if prefix == "whimbrel" && content == "hello")
    });

    // Larger than the server's memory for decoding: streamed before it ends, with a part rolled back.
    sql.batch_execute(
        "begin; insert into public.t select i, repeat('y', 100) from generate_series(1, 3000) i; \
         savepoint s; insert into public.t select i, repeat('z', 100) from generate_series(3001, 6000) i; \
         rollback to s; commit",
    )
    .await
    .unwrap();
    let messages = messages_until(&mut stream, |m| matches!(m, Message::StreamCommit { .. })).await;
    assert!(messages.iter().any(|m| matches!(m, Message::StreamStart { first: true, .. })));
    assert!(messages.iter().any(|m| matches!(m, Message::StreamAbort { .. })), "no abort");
    let streamed = messages.iter().filter(|m| matches!(m, Message::Insert { xid: Some(_), .. }));
    assert!(streamed.count() >= 3000);
}
