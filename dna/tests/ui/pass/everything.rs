//! All hooks, all kinds of methods, items beside them.
#![allow(unused)]

use dna::prelude::*;

mod inner {
    pub(crate) struct Cart {
        pub ctx: dna::Context<Cart>,
    }
}

enum Broken {
    NoInit,
}

impl From<Broken> for dna::Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::NoInit => dna::Error::new("no init"),
        }
    }
}

#[dna::actor(name = "cart", vis = pub(crate))]
impl inner::Cart {
    const SIZE: usize = 3;

    async fn init(ctx: Context<inner::Cart>) -> Result<Self, Broken> {
        ctx.schedule(std::time::Duration::from_secs(1), CartMessage::Tick);
        ctx.schedule_every(std::time::Duration::from_secs(1), || CartMessage::Put { sku: String::new(), count: 1 });
        if ctx.name().name().is_empty() { Err(Broken::NoInit) } else { Ok(Self { ctx }) }
    }

    pub fn tick(&mut self) {}

    pub async fn put(&mut self, sku: String, mut count: u32) {
        count += 1;
        self.helper(&sku, count).await;
    }

    pub async fn sized(&self, _all: [u8; Self::SIZE]) -> std::result::Result<[u8; Self::SIZE], String> {
        Ok([0; Self::SIZE])
    }

    #[dna(plain)]
    pub fn plain(&self) -> Result<(), String> {
        Err(Self::text("no"))
    }

    #[allow(unused_variables)]
    pub fn copy(&self, text: std::borrow::Cow<'static, str>, #[allow(unused)] list: Vec<Option<(String, bool)>>) {}

    async fn after_persist(&self) {}

    async fn handle_events(&mut self, events: Events<Self>) -> Result<(), Broken> {
        for event in events {
            match event {
                Event { message: CartMessage::Tick, responder, .. } => responder.answer(CartReply::Tick(())),
                event => event.dispatch(self).await,
            }
        }
        Ok(())
    }

    fn on_stop(&mut self) {}

    async fn helper<T: AsRef<str> + ?Sized>(&self, sku: &T, _: u32) -> usize {
        sku.as_ref().len()
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    pub async fn call(&self) -> dna::Result<u32> {
        let other = self.ctx.client::<inner::Cart>("bob");
        other.put("apple", 3).await?;
        other.tick().cast().await?;
        let _: [u8; 3] = other.sized([0; 3]).timeout(std::time::Duration::from_secs(1)).await?;
        Ok(1)
    }
}

fn main() {
    assert!(inner::Cart::OPTIONS.handle_events);
    assert!(inner::Cart::OPTIONS.after_persist);
}
