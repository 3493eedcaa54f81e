//! The two ends of a pipeline.
use tokio::sync::mpsc;

use super::{Answer, Ask, Frame, FrameReceiver, FrameSender, credit};
use crate::fault::Fault;

/// Asks that wait for the sender to take them. It takes each at once and answers beside the others.
const ASKS: usize = 16;

/// An ask, with the stream for its answer.
#[derive(Debug)]
pub struct Call {
    /// What is wanted.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: FrameSender,
}

/// The receiver's end.
#[derive(Debug, Clone)]
pub struct Caller(mpsc::Sender<Call>);

/// The sender's end.
#[derive(Debug)]
pub struct Listener(mpsc::Receiver<Call>);

/// A pipeline within this process.
pub fn pipe() -> (Caller, Listener) {
    let (calls_in, calls_out) = mpsc::channel(ASKS);
    (Caller(calls_in), Listener(calls_out))
}

impl Caller {
    /// Asks for a stream.
    ///
    /// # Errors
    /// `PeerGone` when the sender has ended.
    pub async fn open(&self, ask: Ask) -> Result<FrameReceiver, Fault> {
        let (reply, frames) = credit::channel();
        self.0.send(Call { ask, reply }).await.map_err(|_| Fault::from(credit::Gone))?;
        Ok(frames)
    }

    /// Asks for one answer.
    ///
    /// # Errors
    /// The sender's own fault, or `PeerGone`.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Fault> {
        let mut frames = self.open(ask).await?;
        match frames.next().await {
            Some(Frame::Answer(answer)) => Ok(*answer),
            Some(Frame::Failed(fault)) => Err(fault),
            Some(other) => Err(unexpected(&other)),
            None => Err(credit::Gone.into()),
        }
    }
}

impl Listener {
    /// The next ask; `None` when the receiver has ended.
    pub async fn next(&mut self) -> Option<Call> {
        self.0.recv().await
    }
}

/// A frame that does not answer what was asked: the two ends are of different minds, which no retry mends.
pub(crate) fn unexpected(frame: &Frame) -> Fault {
    let kind = match frame {
        Frame::Answer(_) => "an answer",
        Frame::Bytes(_) => "bytes",
        Frame::LargeObject { .. } => "a large object",
        Frame::Timeline(_) => "a timeline",
        Frame::Changes(_) => "changes",
        Frame::Position(_) | Frame::SourceAt(_) => "a position",
        Frame::End => "an end",
        Frame::Failed(_) => "a failure",
    };
    Fault::hold("WireMismatch", format!("the sender answered with {kind}, which was not asked for"))
        .remedy("run the same version of the agent at both ends")
}

/// As [`unexpected`], of an answer of another kind.
pub(crate) fn unexpected_answer() -> Fault {
    unexpected(&Frame::Answer(Box::new(Answer::Done)))
}
