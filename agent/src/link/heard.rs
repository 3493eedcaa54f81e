//! Keeps what a controller says when it refuses our certificate.
//!
//! In TLS 1.3 that word comes after the handshake, as the first thing that is read; HTTP/2 only tells that its connection
//! has ended. Nothing is decided here.
use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use rustls::{AlertDescription, Error};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// The word that ended a connection, if the controller said one.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWord(Arc<OnceLock<AlertDescription>>);

impl LastWord {
    /// What a session's end means, if it was the certificate's; in words for whoever runs the agent.
    pub(super) fn explained(&self) -> Option<String> {
        match self.0.get()? {
            AlertDescription::CertificateExpired => Some(
                "the controller says that this agent's certificate has expired: if the clock of one of the two machines is \
                 wrong, set it; otherwise make a token with `whimbrel agent token create`, and start this agent again with \
                 it (--join-file) on the same --data-dir: it keeps its name and its work"
                    .to_owned(),
            ),
            word @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError) => Some(format!(
                "the controller does not take this agent's certificate ({word:?}): if it is another controller, or has \
                 another --data-dir, than the one that this agent joined, join it with a token of its own"
            )),
            _ => None,
        }
    }

    fn hear(&self, error: &io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        if let Some(Error::AlertReceived(word)) = inner {
            // The first one ends the connection.
            self.0.get_or_init(|| *word);
        }
    }
}

/// The encrypted stream, whose last word is kept.
pub(super) struct Heard {
    stream: TlsStream<TcpStream>,
    word: LastWord,
}

impl Heard {
    pub(super) fn new(stream: TlsStream<TcpStream>, word: LastWord) -> Self {
        Self { stream, word }
    }

    /// An error that passes by, listened to.
    fn told<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.word.hear(error);
        }
        polled
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.told(polled)
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.told(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.told(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
