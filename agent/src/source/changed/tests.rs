//! A walsender that asks for a sign of life, and what it is told.
use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{ChangedKeys, Lsn, Reading};
use crate::{
    postgres::{Endpoint, SslMode},
    replication::{ReplicationConnection, StreamOptions},
    wire::channel,
};

const TO: Lsn = Lsn(1_000);

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// In a CopyData: how far the WAL is read, and whether a status must come.
fn keepalive(wal_end: u64, asks: bool) -> Vec<u8> {
    let body = [b"k", &wal_end.to_be_bytes()[..], &[0; 8], &[u8::from(asks)]].concat();
    message(b'd', &body)
}

async fn heard(socket: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let tag = socket.read_u8().await?;
    let mut body = vec![0; socket.read_u32().await? as usize - 4];
    socket.read_exact(&mut body).await?;
    Ok((tag, body))
}

/// Lets us in, tells a version, and streams: the status that it is told while the window is read.
async fn walsender(listener: TcpListener) -> io::Result<Vec<u8>> {
    let (ready, done) = (message(b'Z', b"I"), message(b'C', b"OK\0"));
    let version = [&[0, 1, 0, 0, 0, 6][..], b"150000"].concat();
    let column = [&[0, 1][..], b"v\0", &[0; 18]].concat();
    let (mut socket, _) = listener.accept().await?;
    let mut startup = vec![0; socket.read_u32().await? as usize - 4];
    socket.read_exact(&mut startup).await?;
    let mut answer = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), ready.clone()].concat();
    loop {
        socket.write_all(&answer).await?;
        let (_, asked) = heard(&mut socket).await?;
        let asked = String::from_utf8_lossy(&asked).into_owned();
        if asked.starts_with("START_REPLICATION") {
            break;
        }
        let rows = [message(b'T', &column), message(b'D', &version)].concat();
        let rows = if asked.starts_with("select") { rows } else { Vec::new() };
        answer = [rows, done.clone(), ready.clone()].concat();
    }
    let asking = [message(b'W', &[0, 0, 0]), keepalive(TO.0 - 1, true)].concat();
    socket.write_all(&asking).await?;
    let (_, status) = heard(&mut socket).await?;
    socket.write_all(&keepalive(TO.0, false)).await?;
    heard(&mut socket).await?;
    socket.write_all(&[message(b'c', b""), done, ready].concat()).await?;
    Ok(status)
}

/// A position, whichever, would move the slot past what tables of an older snapshot still need.
#[tokio::test]
async fn a_server_that_asks_while_the_window_is_read_is_told_no_position() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        user: "u".into(),
        password: None,
        ssl_mode: SslMode::Disable,
    };
    let server = tokio::spawn(walsender(listener));
    let connection = ReplicationConnection::connect(&endpoint, "d", "test").await.unwrap();
    let options = StreamOptions::for_server(150_000, vec!["p".into()]);
    let stream = connection.start("s", Lsn(1), &options).await.unwrap();
    let (slot, keys) = ("s".to_owned(), ChangedKeys::new(&[]));
    let reading = Reading { stream, slot, keys, commit: None, to: TO };
    let (reply, _answer) = channel();
    reading.run(&reply).await.unwrap();
    let status = server.await.unwrap().unwrap();
    assert_eq!((status[0], &status[1..25]), (b'r', &[0; 24][..]), "{status:?}");
}
