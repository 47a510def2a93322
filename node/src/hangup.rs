//! Hearing that a client hangs up while it is answered without end.
//!
//! A client that has said all it has to say is still answered, so hyper reads nothing while it answers. A stream of
//! events has no end: whoever listens no more would be noticed only when something is told to nobody. And who waits for a
//! turn and has gone would be read for all the same.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are kept of what a client says while it is answered without end.
const AHEAD_BYTES_MAX: usize = 1_024;

/// Whether a hang-up ends a connection, however much of an answer is still to be told.
#[derive(Clone, Debug, Default)]
pub struct Hangup(Arc<AtomicBool>);

impl Hangup {
    /// From now on it does.
    pub fn ends_it(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// It does until what is given back is dropped.
    pub fn ends_it_meanwhile(&self) -> Meanwhile {
        self.ends_it();
        Meanwhile(self.clone())
    }
}

/// While a hang-up ends a connection.
#[derive(Debug)]
pub struct Meanwhile(Hangup);

impl Drop for Meanwhile {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

/// A connection that is listened to also while it is answered, where a hang-up ends it.
pub struct Attentive<S> {
    stream: S,
    hangup: Hangup,
    /// What was said meanwhile and is not read yet.
    ahead: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Attentive<S> {
    /// The same connection.
    pub fn new(stream: S, hangup: Hangup) -> Attentive<S> {
        Attentive { stream, hangup, ahead: vec![] }
    }

    /// Whether the client is there, asked whenever the connection has something to do; its hang-up is something.
    fn is_there(&mut self, cx: &mut Context<'_>) -> Result<()> {
        while self.hangup.0.load(Ordering::Acquire) && self.ahead.len() < AHEAD_BYTES_MAX {
            let mut bytes = [0; AHEAD_BYTES_MAX];
            let mut said = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut said)? {
                Poll::Pending => break,
                Poll::Ready(()) if said.filled().is_empty() => {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
                Poll::Ready(()) => self.ahead.extend_from_slice(said.filled()),
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Attentive<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, to);
        }
        let count = self.ahead.len().min(to.remaining());
        to.put_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Attentive<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.is_there(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
