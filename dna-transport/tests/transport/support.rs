//! What the tests have in common: nodes, handlers, and an ear for events.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use dna_transport::{Config, Event, Handler, Incoming, Observer, Peer, PeerId, Request, Transport};
use tokio::sync::{Mutex, mpsc};

/// Long enough that only a fault lets it pass.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn id(number: u8) -> PeerId {
    PeerId([number; 16])
}

pub(crate) fn config(number: u8) -> Config {
    Config::new("test", id(number))
}

/// A handler made of a closure, which casts go to as well.
pub(crate) struct Answer<C>(pub(crate) C);

impl<C, F> Handler for Answer<C>
where
    C: Fn(Incoming) -> F + Send + Sync + 'static,
    F: Future<Output = Bytes> + Send + 'static,
{
    fn call(self: Arc<Self>, request: Incoming) -> impl Future<Output = Bytes> + Send + 'static {
        (self.0)(request)
    }

    fn cast(self: Arc<Self>, request: Incoming) -> impl Future<Output = ()> + Send + 'static {
        let future = (self.0)(request);
        async move { drop(future.await) }
    }
}

/// Sends the body back.
pub(crate) fn echo() -> Arc<impl Handler> {
    Arc::new(Answer(|request: Incoming| std::future::ready(request.body)))
}

/// Tells each message, and answers with nothing.
pub(crate) fn telling() -> (Arc<impl Handler>, mpsc::UnboundedReceiver<Incoming>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        sender.send(request).unwrap();
        std::future::ready(Bytes::new())
    });
    (Arc::new(handler), receiver)
}

/// Never answers. Tells each message when it comes, and when its future is dropped.
pub(crate) fn hanging() -> (Arc<impl Handler>, mpsc::UnboundedReceiver<Hung>) {
    struct OnDrop(mpsc::UnboundedSender<Hung>, Bytes);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.send(Hung::Dropped(self.1.clone())).ok();
        }
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = Answer(move |request: Incoming| {
        sender.send(Hung::Began(request.body.clone())).unwrap();
        let on_drop = OnDrop(sender.clone(), request.body);
        async move {
            let _on_drop = on_drop;
            std::future::pending().await
        }
    });
    (Arc::new(handler), receiver)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hung {
    Began(Bytes),
    Dropped(Bytes),
}

/// Hears the events of a transport.
#[derive(Debug)]
pub(crate) struct Ear(mpsc::UnboundedSender<Event>);

#[derive(Debug)]
pub(crate) struct Heard(Mutex<mpsc::UnboundedReceiver<Event>>);

impl Observer for Ear {
    fn event(&self, event: Event) {
        self.0.send(event).ok();
    }
}

pub(crate) fn ear() -> (Arc<Ear>, Heard) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Arc::new(Ear(sender)), Heard(Mutex::new(receiver)))
}

impl Heard {
    /// The next event that `pick` wants; others are passed over.
    pub(crate) async fn next<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let mut events = self.0.lock().await;
        let found = async {
            loop {
                if let Some(found) = pick(events.recv().await.expect("the transport lives")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LONG, found).await.expect("the event comes")
    }
}

/// A server on loopback.
pub(crate) async fn serve<H: Handler>(config: Config, handler: Arc<H>) -> (Transport, String) {
    let server = Transport::serve(config, "127.0.0.1:0", handler).await.unwrap();
    let address = server.address().unwrap().to_string();
    (server, address)
}

/// A server, a client, and the server as a peer of the client.
pub(crate) async fn pair<H: Handler>(handler: Arc<H>) -> (Transport, Transport, Peer) {
    let (server, address) = serve(config(1), handler).await;
    let client = Transport::client(config(2)).unwrap();
    let peer = client.peer(&address).unwrap();
    (server, client, peer)
}

pub(crate) fn request(body: impl Into<Bytes>) -> Request {
    Request::new(body).within(LONG)
}

/// Bytes that are not all the same.
pub(crate) fn pattern(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into()
}
