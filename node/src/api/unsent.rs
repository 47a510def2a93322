//! Answers that wait to be sent: their bytes count for who asked until the connection has taken them.

use super::caller::Asker;
use crate::turns::{Turns, Unsent};
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Smaller answers are not counted.
const COUNTED_BYTES_MIN: u64 = 16 * 1024;

/// The same answer, counted where it is large and of a known length.
pub fn counted(response: Response, turns: &Arc<Turns>, asker: &Asker) -> Response {
    let bytes = response.body().size_hint().exact().filter(|bytes| *bytes >= COUNTED_BYTES_MIN);
    let (Some(who), Some(bytes)) = (asker.who(), bytes) else { return response };
    let unsent = Arc::new(turns.unsent(who.clone(), bytes as usize));
    response.map(|body| Body::new(Counted { body, unsent }))
}

/// A body that is counted as long as any of its bytes is somewhere.
struct Counted {
    body: Body,
    unsent: Arc<Unsent>,
}

/// Some of its bytes; the connection takes them at once and has them until they are sent.
struct Part {
    bytes: Bytes,
    _unsent: Arc<Unsent>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let part = |bytes| Bytes::from_owner(Part { bytes, _unsent: Arc::clone(&self.unsent) });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
