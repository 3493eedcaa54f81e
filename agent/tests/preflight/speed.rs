//! The checks are quick, however many tables there are: they ask the same questions of a thousand as of ten, and each question
//! is about all of them.
use std::time::{Duration, Instant};

use crate::bench::Bench;

/// Makes tables with a key, an index, a text column (so a TOAST table) and, each tenth, a sequence.
const MAKE: &str = "do $$ begin
    for i in %from%..%to% loop
        execute format('create table public.t%s (id int primary key, a text, b int default 1)', i);
        execute format('create index on public.t%s (b)', i);
        if i % 10 = 0 then execute format('create sequence public.s%s', i); end if;
    end loop;
end $$";

/// Tables that one transaction makes: its locks must have room.
const BATCH: usize = 1000;

/// What all checks of a database cost.
struct Cost {
    took: Duration,
    /// Statements that both servers were sent.
    statements: usize,
}

async fn all_checks(tables: usize) -> Cost {
    let settings = "max_locks_per_transaction = 2000\nautovacuum = off\nlog_statement = all\n";
    let source = Bench::start(settings).await;
    let target = Bench::start(settings).await;
    source.sql("postgres", "create database large").await;
    let client = source.client("large").await;
    for from in (1..=tables).step_by(BATCH) {
        let sql = MAKE
            .replace("%from%", &from.to_string())
            .replace("%to%", &(from + BATCH - 1).min(tables).to_string());
        client.batch_execute(&sql).await.unwrap();
    }
    let before = sent(&source) + sent(&target);
    let begun = Instant::now();
    let looked = source.source(&source.superuser(), &["large"]).await;
    looked.assert_told(&[]);
    let seen = target.target(&target.superuser(), &["large"], &looked.0.facts).await;
    seen.assert_told(&[]);
    Cost { took: begun.elapsed(), statements: sent(&source) + sent(&target) - before }
}

fn sent(server: &Bench) -> usize {
    let log = server.cluster.log();
    log.matches("LOG:  execute ").count() + log.matches("LOG:  statement: ").count()
}

#[tokio::test]
async fn a_thousand_tables_are_asked_no_more_than_ten() {
    let (few, many) = (all_checks(10).await, all_checks(1000).await);
    println!("1,000 tables: {:?}, {} statements", many.took, many.statements);
    assert!(few.statements > 50, "{} statements are not all that was sent", few.statements);
    assert_eq!(few.statements, many.statements);
}

/// Twenty seconds are what an operator waits for. Makes the tables first, which takes minutes: `cargo test -- --ignored`.
#[tokio::test]
#[ignore = "takes minutes"]
async fn of_twenty_thousand_tables_in_twenty_seconds() {
    let cost = all_checks(20_000).await;
    println!("20,000 tables: {:?}, {} statements", cost.took, cost.statements);
    assert!(cost.took < Duration::from_secs(20), "{:?}", cost.took);
}
