//! A channel of frames, bounded in bytes and in number, with acknowledgements going back.
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, watch};
use whimbrel_proto::Lsn;

use super::Frame;
use crate::fault::Fault;

/// Bytes that may be on their way in one stream: with eight streams 32 MB, within the agent's 100 MB, and enough that
/// neither end waits for the other at 1 GB/s and a millisecond.
const CREDIT_BYTES: usize = 4 << 20;

/// Frames on their way: many small ones must not grow the queue without limit.
const CREDIT_FRAMES: usize = 256;

/// The sending end of one answer.
#[derive(Debug)]
pub struct FrameSender {
    frames: mpsc::Sender<(Frame, u32)>,
    credit: Arc<Semaphore>,
    acknowledged: watch::Receiver<Lsn>,
}

/// The receiving end of one answer.
#[derive(Debug)]
pub struct FrameReceiver {
    frames: mpsc::Receiver<(Frame, u32)>,
    credit: Arc<Semaphore>,
    acknowledged: watch::Sender<Lsn>,
}

/// The receiving end is gone: nobody wants the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Self::retry("PeerGone", "the other end of the pipeline went away")
            .remedy("it is tried again")
    }
}

/// Both ends of a stream.
pub(crate) fn channel() -> (FrameSender, FrameReceiver) {
    let (frames_in, frames_out) = mpsc::channel(CREDIT_FRAMES);
    let (ack_in, ack_out) = watch::channel(Lsn::ZERO);
    let credit = Arc::new(Semaphore::new(CREDIT_BYTES));
    (
        FrameSender { frames: frames_in, credit: Arc::clone(&credit), acknowledged: ack_out },
        FrameReceiver { frames: frames_out, credit, acknowledged: ack_in },
    )
}

impl FrameSender {
    /// Waits for credit, then sends. A frame larger than the whole credit takes all of it.
    pub async fn send(&self, frame: Frame) -> Result<(), Gone> {
        let weight = u32::try_from(frame.weight().clamp(1, CREDIT_BYTES)).map_err(|_| Gone)?;
        tokio::select! {
            permit = self.credit.acquire_many(weight) => permit.map_err(|_| Gone)?.forget(),
            () = self.frames.closed() => return Err(Gone),
        }
        self.frames.send((frame, weight)).await.map_err(|_| Gone)
    }

    /// The newest position that the receiver has made durable.
    pub fn acknowledged(&self) -> watch::Receiver<Lsn> {
        self.acknowledged.clone()
    }

    /// Resolves when nobody wants the rest.
    pub async fn closed(&self) {
        self.frames.closed().await;
    }
}

impl FrameReceiver {
    /// The next frame; `None` when the sender let go. Cancel-safe.
    pub async fn next(&mut self) -> Option<Frame> {
        let (frame, weight) = self.frames.recv().await?;
        self.credit.add_permits(weight as usize);
        Some(frame)
    }

    /// The next frame if it is here already.
    pub fn try_next(&mut self) -> Option<Frame> {
        let (frame, weight) = self.frames.try_recv().ok()?;
        self.credit.add_permits(weight as usize);
        Some(frame)
    }

    /// Tells the sender that everything before `position` is durable here.
    pub fn acknowledge(&self, position: Lsn) {
        self.acknowledged.send_if_modified(|current| {
            let newer = position > *current;
            *current = position.max(*current);
            newer
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn a_sender_waits_when_the_credit_is_used_up() {
        let (sender, mut receiver) = channel();
        let half = || Frame::Bytes(Bytes::from(vec![0; CREDIT_BYTES / 2]));
        sender.send(half()).await.unwrap();
        sender.send(half()).await.unwrap();
        let mut third = tokio::spawn(async move { sender.send(half()).await });
        assert!(futures_util::poll!(&mut third).is_pending());
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        assert!(receiver.next().await.is_some());
        assert_eq!(third.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_frame_larger_than_the_credit_passes() {
        let (sender, mut receiver) = channel();
        sender.send(Frame::Bytes(Bytes::from(vec![0; CREDIT_BYTES * 2]))).await.unwrap();
        assert!(
            matches!(receiver.next().await, Some(Frame::Bytes(b)) if b.len() == CREDIT_BYTES * 2)
        );
        sender.send(Frame::End).await.unwrap();
        assert!(matches!(receiver.try_next(), Some(Frame::End)));
    }

    #[tokio::test]
    async fn a_sender_that_waits_learns_that_nobody_listens() {
        let (sender, receiver) = channel();
        sender.send(Frame::Bytes(Bytes::from(vec![0; CREDIT_BYTES]))).await.unwrap();
        let waiting = tokio::spawn(async move { sender.send(Frame::End).await });
        drop(receiver);
        assert_eq!(waiting.await.unwrap(), Err(Gone));
    }

    #[tokio::test]
    async fn positions_only_grow() {
        let (sender, receiver) = channel();
        receiver.acknowledge(Lsn(5));
        receiver.acknowledge(Lsn(3));
        assert_eq!(*sender.acknowledged().borrow(), Lsn(5));
    }
}
