//! A network that can be made bad: a TCP proxy of ours on a line between two programs.
//!
//! What it can't do: lose a packet without TCP's knowing. A hole keeps both connections open and carries nothing, as a
//! cable does that is pulled; what was on its way arrives when it is mended, unless the line is cut as well.
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Context, Outcome, place::free_port};

/// A port that was free may be taken before we have it.
const BIND_TRIES: u32 = 5;

/// How often a pump that hears nothing looks whether the proxy is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A pump carries at most this at once.
const PIECE_BYTES: usize = 32 << 10;

/// What the line is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// As if it were not there.
    #[default]
    Clear,
    /// Each piece comes later by this.
    Late(Duration),
    /// At most so many bytes a second, each way of each connection.
    Thin(u32),
    /// Nothing comes through, in either direction; connections stay open, new ones are accepted and hear nothing.
    Hole,
}

/// A line to one port.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    to: u16,
    closing: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    weather: Weather,
    // Both ends of every connection.
    ends: Vec<TcpStream>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// The weather, once it is no hole any more.
    fn passable(&self) -> Weather {
        let waited = self
            .changed
            .wait_while(self.lock(), |state| state.weather == Weather::Hole && !self.is_closing());
        waited.unwrap_or_else(PoisonError::into_inner).weather
    }
}

impl Proxy {
    /// A line to a port of this machine.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn start(to: u16) -> Outcome<Self> {
        let (listener, port) = bind()?;
        let shared = Arc::new(Shared {
            to,
            closing: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &own));
        Ok(Self { port, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather, for the connections that there are too.
    pub fn set(&self, weather: Weather) {
        self.shared.lock().weather = weather;
        self.shared.changed.notify_all();
    }

    /// Breaks every connection that there is.
    pub fn cut(&self) {
        for end in self.shared.lock().ends.drain(..) {
            // Gone already is as good.
            end.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        self.cut();
        // Wakes the acceptor.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
    }
}

fn bind() -> Outcome<(TcpListener, u16)> {
    for _ in 1..BIND_TRIES {
        let port = free_port()?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok((listener, port));
        }
    }
    let port = free_port()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).context(|| "listen for a proxy")?;
    Ok((listener, port))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_closing() {
        let Ok((near, _)) = listener.accept() else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A line that can't be made is a connection that ends at once, as with a server that is not there.
            carry(&near, &shared).ok();
        });
    }
}

fn carry(near: &TcpStream, shared: &Arc<Shared>) -> Outcome {
    shared.passable();
    let far = TcpStream::connect(("127.0.0.1", shared.to))?;
    for end in [near, &far] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(LOOK_EVERY))?;
    }
    shared.lock().ends.extend([near.try_clone()?, far.try_clone()?]);
    let (there, back) = ((near.try_clone()?, far.try_clone()?), (far, near.try_clone()?));
    let own = Arc::clone(shared);
    let other = thread::spawn(move || pump(there.0, &there.1, &own));
    pump(back.0, &back.1, shared);
    other.join().ok();
    Ok(())
}

/// Carries one direction to its end; then the whole connection ends, as nothing here speaks half-closed.
fn pump(mut from: TcpStream, mut to: &TcpStream, shared: &Shared) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.is_closing() {
                    break;
                }
                continue;
            }
            Err(_) => break,
        };
        match shared.passable() {
            Weather::Clear | Weather::Hole => {}
            Weather::Late(by) => thread::sleep(by),
            Weather::Thin(rate) => {
                thread::sleep(Duration::from_secs_f64(read as f64 / f64::from(rate.max(1))));
            }
        }
        if shared.is_closing() || to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    for end in [&from, to] {
        end.shutdown(Shutdown::Both).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn echo() -> Outcome<u16> {
        let (listener, port) = bind()?;
        thread::spawn(move || {
            for mut end in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut reader = end.try_clone()?;
                    std::io::copy(&mut reader, &mut end)
                });
            }
        });
        Ok(port)
    }

    fn say(line: &mut TcpStream, word: u8) -> std::io::Result<u8> {
        let mut heard = [0];
        line.write_all(&[word])?;
        line.read_exact(&mut heard)?;
        Ok(heard[0])
    }

    #[test]
    fn weather_comes_and_goes() -> Outcome {
        let proxy = Proxy::start(echo()?)?;
        let mut line = TcpStream::connect(("127.0.0.1", proxy.port()))?;
        assert_eq!(say(&mut line, 1)?, 1);

        proxy.set(Weather::Late(Duration::from_millis(40)));
        let before = Instant::now();
        assert_eq!(say(&mut line, 2)?, 2);
        assert!(before.elapsed() >= Duration::from_millis(80), "there and back");

        proxy.set(Weather::Hole);
        line.set_read_timeout(Some(Duration::from_millis(300)))?;
        assert!(say(&mut line, 3).is_err(), "nothing comes through a hole");
        proxy.set(Weather::Clear);
        line.set_read_timeout(None)?;
        let mut heard = [0];
        line.read_exact(&mut heard)?;
        assert_eq!(heard[0], 3, "what was on its way arrives");

        proxy.cut();
        assert!(say(&mut line, 4).is_err());
        let mut line = TcpStream::connect(("127.0.0.1", proxy.port()))?;
        assert_eq!(say(&mut line, 5)?, 5);
        Ok(())
    }
}
