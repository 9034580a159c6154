//! The two ways to reach a world: in process, as a tower service, and over a socket.

use crate::gate::{Gate, Outcome};
use crate::world::World;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The connection was refused, or closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectionFailed(&'static str);

/// A world as an HTTP transport: a request goes in, its answer comes out, and no socket is involved.
///
/// Every host leads to it, so that presigned and live URLs work too. A fault of the connection is an error here, and a
/// fault that withholds the answer a future that never ends; both behave under tokio's paused clock.
#[derive(Clone)]
pub struct InProcess {
    gate: Gate,
}

impl World {
    /// Returns a transport that leads to this world.
    #[must_use]
    pub fn in_process(&self) -> InProcess {
        InProcess {
            gate: Gate::new(self.clone()),
        }
    }
}

impl tower::Service<Request<Bytes>> for InProcess {
    type Response = Response<Full<Bytes>>;
    type Error = ConnectionFailed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let gate = self.gate.clone();
        Box::pin(async move { answer(&gate, request).await })
    }
}

async fn answer(
    gate: &Gate,
    request: Request<Bytes>,
) -> Result<Response<Full<Bytes>>, ConnectionFailed> {
    match gate.pass(request).await {
        Outcome::Answer(answer) => Ok(answer.map(Full::new)),
        Outcome::Closed(why) => Err(ConnectionFailed(why)),
        Outcome::Silence => std::future::pending().await,
    }
}

/// Serves a world on a listener until the future is dropped.
///
/// Where the world file names no public base, the listener's address becomes it. A fault of the connection closes the
/// connection: a caller sees that as a reset, not as a refusal, for the listener has already accepted.
///
/// # Errors
/// What the listener answers when it can accept no more.
///
/// # Cancel safety
/// Dropping the future closes every connection.
pub async fn serve(world: World, listener: TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    world.with(|state| {
        if state.public_base == crate::world::UNSET_BASE {
            state.set_public_base(&format!("http://{address}"));
        }
    });
    let gate = Gate::new(world);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(connection(gate.clone(), stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(gate: Gate, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let gate = gate.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|_closed| ConnectionFailed("the request ended early"))?;
            answer(&gate, Request::from_parts(parts, body.to_bytes())).await
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection closed");
    }
}
