//! Points: places in a program where a test can kill it, freeze it, or take a law away.
//!
//! They exist in builds with debug assertions only. In a release build a point is nothing, every law holds, and the
//! variable is not read: what an operator runs can't be told to break.
//!
//! The variable [`VARIABLE`] holds orders, separated by commas:
//!
//! - `NAME=kill`: SIGKILL at the point of that name; `NAME=kill:3`: when it is reached for the third time.
//! - `NAME=freeze`: SIGSTOP there, likewise; the program goes on from there with SIGCONT.
//! - `LAW=break`: the law of that name does not hold.
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use nix::sys::signal::{Signal, raise};

/// Holds the orders.
pub const VARIABLE: &str = "WHIMBREL_POINTS";

/// A point, named as `format!` would. Nothing in a release build.
#[macro_export]
macro_rules! point {
    ($($name:tt)+) => {
        if $crate::are_armed() {
            $crate::reach(&format!($($name)+));
        }
    };
}

#[derive(Debug, PartialEq, Eq)]
enum Act {
    Kill,
    Freeze,
    Break,
}

#[derive(Debug)]
struct Order {
    name: String,
    act: Act,
    /// At this visit, from 1.
    at: u32,
    visits: AtomicU32,
}

fn orders() -> &'static [Order] {
    static ORDERS: OnceLock<Vec<Order>> = OnceLock::new();
    ORDERS.get_or_init(|| parse(&std::env::var(VARIABLE).unwrap_or_default()))
}

/// What is no order is left out: a test sees that its point was never reached.
fn parse(text: &str) -> Vec<Order> {
    let order = |text: &str| {
        let (name, act) = text.trim().split_once('=')?;
        let (act, at) = act.split_once(':').unwrap_or((act, "1"));
        let act = match act {
            "kill" => Act::Kill,
            "freeze" => Act::Freeze,
            "break" => Act::Break,
            _ => return None,
        };
        let (name, at) = (name.to_owned(), at.parse().ok()?);
        Some(Order { name, act, at, visits: AtomicU32::new(0) })
    };
    text.split(',').filter_map(order).collect()
}

/// Is there an order at all? Never in a release build.
#[must_use]
#[inline]
pub fn are_armed() -> bool {
    cfg!(debug_assertions) && !orders().is_empty()
}

/// Does the law not hold? Never in a release build.
#[must_use]
#[inline]
pub fn is_broken(law: &str) -> bool {
    are_armed() && orders().iter().any(|order| order.act == Act::Break && order.name == law)
}

/// The program has come to the point; [`point!`] is how it is said.
pub fn reach(name: &str) {
    for order in orders().iter().filter(|order| order.name == name) {
        let signal = match order.act {
            Act::Kill => Signal::SIGKILL,
            Act::Freeze => Signal::SIGSTOP,
            Act::Break => continue,
        };
        if order.visits.fetch_add(1, Ordering::Relaxed) + 1 == order.at {
            eprintln!("point {name}: {signal}");
            signal_ourselves(signal);
        }
    }
}

/// To this very thread, which goes no further then: one that is sent to the process is another thread's to take, and on a busy
/// machine this one would be past its point by then.
fn signal_ourselves(signal: Signal) {
    if let Err(error) = raise(signal) {
        // The point was not reached, and a test sees that.
        eprintln!("raising {signal}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_the_rest_is_left_out() {
        let orders = parse("a.b=kill:3, c=freeze,law=break,d=nothing,e,f=kill:x");
        let read: Vec<_> = orders.iter().map(|o| (o.name.as_str(), &o.act, o.at)).collect();
        assert_eq!(read, [("a.b", &Act::Kill, 3), ("c", &Act::Freeze, 1), ("law", &Act::Break, 1)]);
        assert!(parse("").is_empty());
    }
}
