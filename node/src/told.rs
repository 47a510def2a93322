//! What hyper refuses by itself, told in words: its own answer to bytes that are no request is a status alone.

use crate::api;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection on which a bare refusal is not written: what it means is told instead, once the connection is over.
pub struct Told<S> {
    stream: S,
    refused: Option<u16>,
}

/// The status of an answer with nothing behind its head that says what it is: one of hyper's own, for ours have a type.
fn bare(answer: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    (!head.contains("\r\n\r\n") && !head.to_ascii_lowercase().contains("\r\ncontent-type:")).then_some(status)
}

impl<S> Told<S> {
    /// The same connection.
    pub fn new(stream: S) -> Told<S> {
        Told { stream, refused: None }
    }

    /// The connection, and the status of the refusal that was not written.
    pub fn into_inner(self) -> (S, Option<u16>) {
        (self.stream, self.refused)
    }

    /// Takes a bare refusal.
    fn takes(&mut self, answer: &[u8]) -> bool {
        // The longest of hyper's own is far below this.
        let refused =
            if answer.len() < 256 { bare(answer).filter(|status| api::is_told(*status)) } else { None };
        self.refused = self.refused.or(refused);
        refused.is_some()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Told<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Told<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match self.takes(bytes) {
            true => Poll::Ready(Ok(bytes.len())),
            false => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match parts {
            [answer] if self.takes(answer) => Poll::Ready(Ok(answer.len())),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.refused.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_bare_refusal_is_kept_back_and_everything_else_passes() {
        let bare =
            "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let typed =
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: 2\r\n\r\n";
        for (sent, passes) in
            [(bare, false), (typed, true), ("HTTP/1.1 100 Continue\r\n\r\n", true), ("{}", true)]
        {
            let mut to = vec![];
            let mut told = Told::new(&mut to);
            told.write_all(sent.as_bytes()).await.unwrap();
            told.flush().await.unwrap();
            assert_eq!(told.into_inner().1, (!passes).then_some(431), "{sent}");
            assert_eq!(String::from_utf8(to).unwrap(), if passes { sent } else { "" });
        }
    }
}
