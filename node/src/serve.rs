//! Serving HTTP on a socket: as many connections as may be, none that is too slow.

use crate::api;
use crate::hangup::{Attentive, Hangup};
use crate::metrics::Metrics;
use crate::stop::Stop;
use crate::tls::Tls;
use crate::told::Told;
use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Most bytes of a request's head that are read; what a request may have is less, and said where requests are answered.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most headers of a request that are read.
const HEADERS_MAX: usize = 128;
/// Pause after the system gave no socket.
const PAUSE: Duration = Duration::from_millis(50);

/// Limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Time in which a request's head must have come.
    pub head: Duration,
    /// Time that a client may take nothing of an answer.
    pub idle: Duration,
    /// Time in which connections end when the node stops.
    pub stop: Duration,
}

/// Listens on an address.
///
/// # Errors
/// [`Stop::Address`].
pub async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, Stop> {
    let why =
        |error: std::io::Error| Stop::Address { key, address: address.to_string(), why: error.to_string() };
    TcpListener::bind(address).await.map_err(why)
}

/// Serves until told to stop; then the requests that are there are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    (limits, tls): (Limits, Option<Tls>),
    metrics: Arc<Metrics>,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        // A place is there before a connection is taken: who comes too many waits in the system's queue.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = next => match (accepted, place) {
                (Ok((stream, _)), Ok(place)) => {
                    let (router, metrics, stopping) = (router.clone(), Arc::clone(&metrics), stopping.clone());
                    let tls = tls.clone();
                    open.spawn(async move {
                        metrics.connections.inc();
                        connection(stream, router, (limits, tls), stopping).await;
                        metrics.connections.dec();
                        drop(place);
                    });
                }
                (Err(error), _) => {
                    tracing::warn!(%error, "no connection was taken");
                    tokio::time::sleep(PAUSE).await;
                }
                (_, Err(_)) => break,
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
            _ = stopping.changed() => break,
        }
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.stop, ended).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    (limits, tls): (Limits, Option<Tls>),
    stopping: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    // What was sent and is not taken within this time ends the connection, also while the client's window is closed.
    let idle_ms = u32::try_from(limits.idle.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, idle_ms);
    let Some(tls) = tls else { return answer(stream, router, limits, stopping).await };
    // Whoever does not speak TLS is not answered.
    let Some((stream, peer)) = tls.accept(stream, limits.head).await else { return };
    let router = match peer {
        Some(peer) => router.layer(Extension(peer)),
        None => router,
    };
    answer(stream, router, limits, stopping).await;
}

async fn answer<S>(stream: S, router: Router, limits: Limits, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // A client that has said all it has to say is still answered.
        .half_close(true);
    let hangup = Hangup::default();
    let stream = TokioIo::new(Told::new(Attentive::new(stream, hangup.clone())));
    let router = TowerToHyperService::new(router);
    let answering = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(hangup.clone());
        router.call(request)
    });
    let mut serving = http.serve_connection(stream, answering);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = stopping.changed() => {
            Pin::new(&mut serving).graceful_shutdown();
            (&mut serving).await
        }
    };
    // How a connection ends is the client's matter, but for what is no request, or was begun and did not come.
    let parts = serving.into_parts();
    let (mut stream, refused) = parts.io.into_inner().into_inner();
    let unread = parts.read_buf;
    let refused = match ended {
        Err(error) if error.is_timeout() && !unread.is_empty() => Some(408),
        Err(error) if error.is_parse_version_h2() => Some(400),
        _ => refused,
    };
    if let Some(refusal) = refused.and_then(|status| api::refusal(status, &unread)) {
        // It is short: whoever takes it not at once is not waited for. What was sent beyond is taken, or the system would
        // take the refusal back with it.
        let telling = async {
            stream.write_all(&refusal).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(PAUSE, telling).await;
    }
}
