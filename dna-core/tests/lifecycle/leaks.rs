//! A node that has ended leaves nothing in memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    Access, Actor, Actors, Call, Client, Context, Engine, Error, Handled, Memory, Partition, Settings, StorageModule,
};

use crate::world::until;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A value that is counted while it lives.
struct Counted([u8; 64]);

impl Counted {
    fn bytes() -> Bytes {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Bytes::from_owner(Counted([1; 64]))
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Rows(Partition);

impl StorageModule for Rows {
    fn open(partition: Partition) -> Self {
        Rows(partition)
    }
}

struct Keeper(Rows);

impl Actor for Keeper {
    const KIND: &'static str = "Keeper";
    type Message = ();
    type Reply = ();
    type Client = Client<Self>;

    async fn init(context: Context<Self>) -> Result<Self, Error> {
        Ok(Keeper(context.open("rows")?))
    }

    fn access((): &()) -> Access {
        Access::Exclusive
    }

    async fn handle(&self, (): ()) -> Handled<()> {
        self.0.0.put(Bytes::from_static(b"key"), Counted::bytes());
        Handled::done(())
    }

    async fn handle_mut(&mut self, (): ()) -> Handled<()> {
        self.handle(()).await
    }
}

fn keep(client: &Client<Keeper>) -> Call<Keeper, ()> {
    client.call((), |()| Some(Ok(())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_dropped_under_load_leave_no_value_behind() {
    for _ in 0..50 {
        let memory = Memory::new();
        let actors = Actors::new().with::<Keeper>();
        let engine = Engine::start(Arc::new(memory.clone()), actors, Settings::default()).await.unwrap();
        let senders = (0..4).map(|name| {
            let client = engine.client::<Keeper>(name.to_string());
            tokio::spawn(async move { while keep(&client).cast().await.is_ok() {} })
        });
        let senders: Vec<_> = senders.collect();
        tokio::time::sleep(Duration::from_millis(3)).await;
        drop(engine);
        for sender in senders {
            sender.await.unwrap();
        }
    }
    until("every value is dropped", || LIVE.load(Ordering::Relaxed) == 0).await;
}
