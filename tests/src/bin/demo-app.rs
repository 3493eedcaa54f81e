//! The demonstration's application: a bank that keeps writing, moves to another server when it is told to, and proves
//! from the data alone that nothing was lost. `deploy/demo` drives it by words on standard input; each is answered by
//! one line on standard output.
use std::{
    env,
    io::{self, BufRead as _, Write as _},
    process::{Command, ExitCode},
    time::Duration,
};

use postgres::{Client, NoTls};
use whimbrel_tests::{
    Context, Outcome,
    compare::{Comparison, compare_pinned, compare_schemas, pin, sequences},
    fail,
    installation::Installation,
    workload::{self, Application},
};

const USAGE: &str = "usage: demo-app fill DATABASE | demo-app run SOURCE TARGET
  (libpq connection strings; `run` obeys, on standard input: commits, stop, move)";

/// Accounts of the bank, writers of the application, and each one's pause between two transactions: some thousand
/// transactions in the time that a demonstration takes, on a machine that has more to do.
const ACCOUNTS: u32 = 20_000;
const WRITERS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(4);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["fill", database] => {
            connect(database).and_then(|mut client| workload::create(&mut client, ACCOUNTS))
        }
        ["run", source, target] => run(source, target),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    ended.map_or_else(
        |failure| {
            eprintln!("demo-app: {failure}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn connect(url: &str) -> Outcome<Client> {
    Client::connect(url, NoTls).context(|| format!("connect to {url}"))
}

/// Writes to the source until it is told to move.
fn run(source: &str, target: &str) -> Outcome {
    let application = Application::start(source, WRITERS, PAUSE);
    for word in io::stdin().lock().lines() {
        match word?.as_str() {
            "commits" => answer(&application.commits().to_string())?,
            "stop" => {
                application.stop()?;
                answer(&format!("stopped after {} commits", application.commits()))?;
            }
            "move" => return move_and_prove(application, source, target),
            other => fail!("{other:?} is none of commits, stop, move"),
        }
    }
    Ok(())
}

fn answer(line: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Goes on at the target, and compares meanwhile what both sides had when it moved.
fn move_and_prove(application: Application, source: &str, target: &str) -> Outcome {
    let mut clients = (connect(source)?, connect(target)?);
    // Both as they are now, before the application writes again.
    let mut sides = (pin(&mut clients.0)?, pin(&mut clients.1)?);
    let counted = (sequences(&mut sides.0)?, sequences(&mut sides.1)?);
    let before = i64::try_from(application.commits())?;
    let stopped = application.go_on(target)?;
    answer(&format!("the application writes again; it could not for {} ms", stopped.as_millis()))?;

    let mut found = compare_pinned(&mut sides.0, &mut sides.1, &counted.0, &counted.1)?;
    found.differences.extend(compare_schemas(pg_dump(source)?, pg_dump(target)?)?);
    let journal = application.end()?;
    workload::check(&mut connect(target)?, &journal).context(|| "the bank on the target")?;
    answer(&format!(
        "{} transactions were acknowledged to the application, {} of them on the target: each is in the ledger once, \
         and no money was made or lost",
        journal.transactions(),
        journal.transactions() - before
    ))?;
    tell(&found, stopped)
}

fn pg_dump(database: &str) -> Outcome<Command> {
    let mut command = Installation::find()?.client("pg_dump");
    command.args(["-d", database]);
    Ok(command)
}

fn tell(found: &Comparison, stopped: Duration) -> Outcome {
    let Comparison { tables, rows, sequences, differences, leaps: _ } = found;
    if !differences.is_empty() || *tables == 0 {
        fail!("source and target DIFFER:\n{}", differences.join("\n"));
    }
    answer(&format!("{sequences} sequences and the whole schema (pg_dump) are identical too"))?;
    answer(&format!(
        "PROOF: {rows} rows in {tables} tables identical; writes stopped for {} ms; nothing lost",
        stopped.as_millis()
    ))
}
