//! Random changes of the schema among random changes of rows: what the source ends with, the target ends with.
//!
//! `WHIMBREL_SEED=7` runs that one, with `WHIMBREL_SEEDS=100` so many from there. A seed that fails is printed with what it has run. Not every seed has to
//! pass: some come to what is refused with a reason (a row that another schema's rule forbids here); those of an ordinary run do.
mod words;

use std::{env, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;
use whimbrel_agent::postgres::Client;

use self::words::Words;
use crate::{cut_over_alike, driver::session, following_as};

/// Seeds of an ordinary run: each has found something.
const TOLD: [u64; 2] = [4, 7];
const UNTOLD: [u64; 3] = [4, 7, 202];

const SCHEMA: &str = include_str!("random/schema.sql");

/// Runs transactions, and gives what was committed.
async fn transactions(rng: &mut StdRng, client: &Client, count: usize) -> Vec<String> {
    let mut words = Words::default();
    let mut told = Vec::new();
    let share = [0.3, 0.6, 0.85][rng.random_range(0..3)];
    for _ in 0..count {
        client.batch_execute("begin").await.unwrap();
        let mut done = Vec::new();
        for _ in 0..rng.random_range(1..=4) {
            let statement = words.statement(rng, client, share).await;
            let Some(statement) = statement else { continue };
            done.extend(attempt(rng, client, statement).await);
        }
        let rolled_back = rng.random_bool(0.07);
        let end = if rolled_back { "rollback" } else { "commit" };
        // What is deferred may be refused now.
        if client.batch_execute(end).await.is_ok() && !rolled_back {
            told.push(done.join(";\n"));
        }
        // No faster than a person's tools: whoever reads the catalog meanwhile must come to an end.
        sleep(Duration::from_millis(rng.random_range(0..30))).await;
    }
    told
}

/// A statement that the server refuses is none; some are taken back.
async fn attempt(rng: &mut StdRng, client: &Client, statement: String) -> Option<String> {
    client.batch_execute("savepoint before").await.unwrap();
    let done = client.batch_execute(&statement).await.is_ok();
    let taken_back = !done || rng.random_bool(0.06);
    let end = if taken_back { "rollback to before" } else { "release before" };
    client.batch_execute(end).await.unwrap();
    (!taken_back).then_some(statement)
}

async fn one(seed: u64, follow: bool) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (source, target, mut driver) = following_as(SCHEMA, follow).await;
    let client = session(&source, "shop").await;
    let told = transactions(&mut rng, &client, 40).await;
    drop(client);
    // Shown where the test fails.
    println!("WHIMBREL_SEED={seed}, with event triggers: {follow}\n{}", told.join(";\n--\n"));
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

async fn seeds(usual: &[u64], follow: bool) {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("WHIMBREL_SEED") {
        Some(first) => (first..first + number("WHIMBREL_SEEDS").unwrap_or(1)).collect(),
        None => usual.to_vec(),
    };
    for seed in seeds {
        one(seed, follow).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_schema_changes_arrive_that_event_triggers_tell() {
    seeds(&TOLD, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_schema_changes_arrive_that_nobody_tells() {
    seeds(&UNTOLD, false).await;
}
