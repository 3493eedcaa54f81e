//! The checks are quick, however many tables there are.
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

async fn time_of_all_checks(tables: usize) -> Duration {
    let settings = "max_locks_per_transaction = 2000\nautovacuum = off\n";
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
    let begun = Instant::now();
    let looked = source.source(&source.superuser(), &["large"]).await;
    looked.assert_told(&[]);
    let seen = target.target(&target.superuser(), &["large"], &looked.0.facts).await;
    seen.assert_told(&[]);
    begun.elapsed()
}

#[tokio::test]
async fn of_a_thousand_tables_in_two_seconds() {
    let took = time_of_all_checks(1000).await;
    println!("1,000 tables: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Makes 20,000 tables first, which takes minutes: `cargo test -- --ignored`.
#[tokio::test]
#[ignore = "takes minutes"]
async fn of_twenty_thousand_tables_in_twenty_seconds() {
    let took = time_of_all_checks(20_000).await;
    println!("20,000 tables: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}
