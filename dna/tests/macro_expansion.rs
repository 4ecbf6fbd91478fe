//! What the expansion of `#[dna::actor]` is: names, options, access, wire format.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::assertions_on_constants)]

use std::{collections::BTreeMap, future::Future, pin::pin, task};

use dna::{__private::Access, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

struct Cart {
    lines: BTreeMap<String, u32>,
}

type Lines = Vec<(String, u32)>;

#[dna::actor(name = "cart", max_batch_messages = 64, mailbox_messages_max = 1_000usize)]
impl Cart {
    const LINES_MAX: usize = 100;

    async fn init(ctx: Context) -> dna::Result<Self> {
        let _ = ctx;
        Ok(Cart { lines: BTreeMap::new() })
    }

    /// Puts `count` pieces of `sku` into the cart.
    ///
    /// Replaces what was there.
    pub async fn put(&mut self, sku: String, mut count: u32) {
        count = count.min(99);
        self.lines.insert(sku, count);
    }

    /// Reads one line.
    pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> {
        Ok(self.lines.get(&sku).copied())
    }

    pub fn clear(&mut self) {
        self.lines.clear();
    }

    pub async fn take(&mut self, sku: String) -> Result<u32, NotThere> {
        let count = self.lines.remove(&sku);
        count.ok_or(NotThere { sku })
    }

    #[dna(plain)]
    pub async fn try_take(&mut self, sku: String) -> Result<u32, NotThere> {
        self.take(sku).await
    }

    pub fn lines(&self, range: (u32, u32)) -> Lines {
        let kept = self.lines.iter().filter(|(_, count)| (range.0..range.1).contains(*count));
        kept.map(|(sku, count)| (sku.clone(), *count)).take(Self::LINES_MAX).collect()
    }

    pub fn r#type(&self, r#type: Option<String>) -> String {
        r#type.unwrap_or_default()
    }

    async fn after_persist(&self) {}

    async fn on_stop(&mut self) {
        self.note();
    }

    fn note(&self) {
        let _ = &self.lines;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct NotThere {
    sku: String,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop())) {
        task::Poll::Ready(value) => value,
        task::Poll::Pending => panic!("the handlers here do not suspend"),
    }
}

fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    rmp_serde::from_slice(&rmp_serde::to_vec_named(value).unwrap()).unwrap()
}

#[test]
fn the_options_reach_the_actor() {
    assert_eq!(Cart::KIND, "cart");
    assert_eq!(Cart::OPTIONS.max_batch_messages, Some(64));
    assert_eq!(Cart::OPTIONS.mailbox_messages_max, Some(1000));
    assert!(Cart::OPTIONS.after_persist);
    assert!(!Cart::OPTIONS.handle_events);
}

#[test]
fn access_follows_the_receiver() {
    assert_eq!(Cart::access(&CartMessage::Get { sku: String::new() }), Access::Shared);
    assert_eq!(Cart::access(&CartMessage::Put { sku: String::new(), count: 1 }), Access::Exclusive);
    assert_eq!(Cart::access(&CartMessage::Clear), Access::Exclusive);
}

#[test]
fn a_message_survives_the_wire_under_its_own_names() {
    let message = CartMessage::Put { sku: "apple".to_owned(), count: 3 };
    let bytes = rmp_serde::to_vec_named(&message).unwrap();
    let names: BTreeMap<String, BTreeMap<String, serde::de::IgnoredAny>> = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(names.keys().collect::<Vec<_>>(), ["Put"]);
    assert_eq!(names["Put"].keys().collect::<Vec<_>>(), ["count", "sku"]);
    assert!(matches!(there_and_back(&message), CartMessage::Put { sku, count: 3 } if sku == "apple"));
}

#[test]
fn raw_identifiers_lose_their_prefix_on_the_wire() {
    let bytes = rmp_serde::to_vec_named(&CartMessage::Type { r#type: None }).unwrap();
    let names: BTreeMap<String, BTreeMap<String, serde::de::IgnoredAny>> = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(names["Type"].keys().collect::<Vec<_>>(), ["type"]);
}

#[test]
fn a_message_without_arguments_is_its_name_on_the_wire() {
    let bytes = rmp_serde::to_vec_named(&CartMessage::Clear).unwrap();
    assert_eq!(rmp_serde::from_slice::<String>(&bytes).unwrap(), "Clear");
}

#[test]
fn a_reply_survives_the_wire() {
    let reply = CartReply::Take(Err(NotThere { sku: "pear".to_owned() }));
    assert!(matches!(there_and_back(&reply), CartReply::Take(Err(NotThere { sku })) if sku == "pear"));
}

#[test]
fn debug_shows_the_variant_and_no_more() {
    assert_eq!(format!("{:?}", CartMessage::Put { sku: "secret".to_owned(), count: 3 }), "Put");
    assert_eq!(format!("{:?}", CartReply::Put(())), "Put");
}

#[test]
fn the_dispatch_calls_the_method_of_the_message() {
    let mut cart = Cart { lines: BTreeMap::new() };
    let handled = now(cart.handle_mut(CartMessage::Put { sku: "apple".to_owned(), count: 300 }));
    assert!(format!("{handled:?}").contains("failed: false"));
    assert_eq!(cart.lines["apple"], 99);
    let handled = now(cart.handle(CartMessage::Lines { range: (1, 100) }));
    assert_eq!(format!("{handled:?}"), "Handled { reply: Lines, failed: false }");
}

#[test]
fn an_err_fails_the_message_unless_the_method_is_plain() {
    let mut cart = Cart { lines: BTreeMap::new() };
    let handled = now(cart.handle_mut(CartMessage::Take { sku: "apple".to_owned() }));
    assert_eq!(format!("{handled:?}"), "Handled { reply: Take, failed: true }");
    let handled = now(cart.handle_mut(CartMessage::TryTake { sku: "apple".to_owned() }));
    assert_eq!(format!("{handled:?}"), "Handled { reply: TryTake, failed: false }");
}

#[test]
#[should_panic(expected = "invariant: `cart::Clear` is given to the dispatch of its own access only")]
fn a_message_in_the_wrong_dispatch_names_the_broken_invariant() {
    now(Cart { lines: BTreeMap::new() }.handle(CartMessage::Clear));
}

/// Not run: that the client's methods have these types.
#[allow(dead_code)]
async fn calls(cart: CartClient) -> dna::Result<()> {
    let (): () = cart.put("apple", 3).await?;
    let _: Option<u32> = cart.get("apple".to_owned()).await?;
    let error: Result<u32, CallError<NotThere>> = cart.take("apple").await;
    let plain: Result<Result<u32, NotThere>, CallError> = cart.try_take("apple").await;
    let _: String = cart.r#type(None).await?;
    let _ = (error, plain, cart.name(), cart.clone());
    let _: &dna::Client<Cart> = cart.as_ref();
    cart.clear().cast().await?;
    Ok(())
}
