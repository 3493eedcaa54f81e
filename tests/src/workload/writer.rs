//! One writer of the application: a connection, and one transaction after the other.
use std::{
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use postgres::{Client, NoTls, error::SqlState};

use super::{Board, Journal, Route};
use crate::{Context, Outcome};

/// A server that went away is tried again so often, and so long: it may be starting.
const RECONNECT_EVERY: Duration = Duration::from_millis(100);

/// A list is written anew as a whole, so not by every transaction.
const LIST_EVERY: i64 = 16;

struct Writer {
    number: i32,
    board: Arc<Board>,
    pause: Duration,
    last: i64,
    in_doubt: bool,
    random: u64,
}

pub(super) fn start(
    number: u32,
    board: Arc<Board>,
    pause: Duration,
) -> JoinHandle<Outcome<Journal>> {
    thread::spawn(move || {
        let number = i32::try_from(number)?;
        // Any odd seed; the same in each run.
        let random = 0x9E37_79B9_7F4A_7C15 ^ (number.unsigned_abs() as u64) << 17 | 1;
        let writer = Writer { number, board, pause, last: 0, in_doubt: false, random };
        writer.work()
    })
}

impl Writer {
    fn work(mut self) -> Outcome<Journal> {
        let mut here: Option<(String, Client)> = None;
        loop {
            let Some(url) = self.next_route() else {
                return Ok(Journal::of(self.number, self.last, self.in_doubt));
            };
            if here.as_ref().is_none_or(|(place, _)| *place != url) {
                here = self.connect(&url)?.map(|client| (url, client));
            }
            let Some((_, client)) = &mut here else {
                thread::sleep(RECONNECT_EVERY);
                continue;
            };
            match self.transact(client) {
                Ok(()) => self.acknowledged(),
                Err(error) if client.is_closed() || is_end_of_server(&error) => here = None,
                Err(error) => {
                    return Err(error).context(|| format!("writer {}", self.number));
                }
            }
            thread::sleep(self.pause);
        }
    }

    /// Where to write now; stands still while there is nowhere to; `None` is the end.
    fn next_route(&self) -> Option<String> {
        let mut state = self.board.lock();
        if state.route == Route::Nowhere {
            state.idle += 1;
            self.board.changed.notify_all();
            state = self
                .board
                .changed
                .wait_while(state, |state| state.route == Route::Nowhere)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        match &state.route {
            Route::To(url) => Some(url.clone()),
            Route::Nowhere | Route::Home => None,
        }
    }

    /// `None` while the server is not there, or goes away again at once.
    fn connect(&mut self, url: &str) -> Outcome<Option<Client>> {
        let Ok(mut client) = Client::connect(url, NoTls) else { return Ok(None) };
        // The database knows how the transaction in doubt ended.
        let asked = client.batch_execute("set application_name = 'bank'").and_then(|()| {
            client.query_one(
                "select coalesce(max(entry), 0) from bank.ledger where writer = $1",
                &[&self.number],
            )
        });
        let there: i64 = match asked {
            Ok(row) => row.get(0),
            Err(error) if client.is_closed() || is_end_of_server(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if self.in_doubt && there == self.last + 1 {
            self.last = there;
        }
        self.in_doubt = false;
        Ok(Some(client))
    }

    fn transact(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        let (payer, payee, amount) = self.choose(client)?;
        let (writer, entry) = (self.number, self.last + 1);
        let mut transaction = client.transaction()?;
        // In the order of the keys, so that two writers can't wait for each other.
        let mut moves = [(payer, -amount), (payee, amount)];
        moves.sort_unstable();
        for (account, change) in &moves {
            transaction.execute(
                "update bank.accounts set balance = balance + $2, changed = clock_timestamp() where id = $1",
                &[account, change],
            )?;
        }
        transaction.execute(
            "with t as (insert into bank.transfers (payer, payee, amount) values ($1, $2, $3) returning id)
             insert into bank.ledger select $4, $5, id, 'ticket ' || nextval('bank.ticket') from t",
            &[&payer, &payee, &amount, &writer, &entry],
        )?;
        self.churn(&mut transaction)?;
        if entry % LIST_EVERY == 0 {
            // Last of all: who waits for a list holds nothing that a list's holder wants.
            transaction.execute(
                "update bank.lists set items = items || $2::bigint where id = $1",
                &[
                    &i32::try_from(entry / LIST_EVERY % 4).unwrap_or(0),
                    &(i64::from(writer) << 32 | entry),
                ],
            )?;
        }
        self.in_doubt = true;
        transaction.commit()
    }

    fn churn(
        &mut self,
        transaction: &mut postgres::Transaction<'_>,
    ) -> Result<(), postgres::Error> {
        let writer = self.number;
        match self.roll(4) {
            0 => transaction.execute(
                "insert into bank.sessions (writer, payload) values ($1, sha256(random()::text::bytea))",
                &[&writer],
            )?,
            1 => transaction.execute(
                "update bank.sessions set token = gen_random_uuid() where token =
                   (select token from bank.sessions where writer = $1 limit 1)",
                &[&writer],
            )?,
            2 => transaction.execute(
                "delete from bank.sessions where token =
                   (select token from bank.sessions where writer = $1 offset 20 limit 1)",
                &[&writer],
            )?,
            _ => transaction.execute(
                "update bank.documents set reads = reads + 1 where id = $1",
                // Each writer has documents of its own: two must not wait for each other here.
                &[&(i64::from(writer) * 10 + self.roll(10))],
            )?,
        };
        Ok(())
    }

    fn choose(&mut self, client: &mut Client) -> Result<(i64, i64, i64), postgres::Error> {
        let row = client.query_one("select max(id) from bank.accounts", &[])?;
        let accounts: i64 = row.get(0);
        let payer = 1 + self.roll(accounts);
        // Never to oneself.
        let payee = 1 + (payer + self.roll(accounts - 1)) % accounts;
        Ok((payer, payee, 1 + self.roll(50)))
    }

    fn acknowledged(&mut self) {
        self.last += 1;
        self.in_doubt = false;
        let now = Instant::now();
        let mut state = self.board.lock();
        state.commits += 1;
        state.last_commit = Some(now);
        if state.first_commit.is_none() {
            state.first_commit = Some(now);
            self.board.changed.notify_all();
        }
    }

    /// A number below `bound`, by xorshift: a workload should be the same in each run, and needs no better chance.
    fn roll(&mut self, bound: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random >> 1).unwrap_or(0) % bound.max(1)
    }
}

/// Does the server say that it, or our session, goes away?
fn is_end_of_server(error: &postgres::Error) -> bool {
    let going = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed() || error.code().is_some_and(|code| going.contains(code))
}
