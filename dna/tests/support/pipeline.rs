//! Calls that are sent one behind the other, before the first of them is answered.
#![allow(unreachable_pub, clippy::disallowed_methods, reason = "tests")]

use std::{future::ready, task::Poll};

use futures_util::poll;
use tokio::task::JoinHandle;

/// Sends a call from here, so that it has its place before whatever is sent next. The handle is for its answer.
pub async fn sent<C>(call: C) -> JoinHandle<C::Output>
where
    C: IntoFuture<IntoFuture: Send + 'static, Output: Send + 'static>,
{
    let mut call = Box::pin(call.into_future());
    // A call leaves when it is polled first.
    match poll!(&mut call) {
        Poll::Ready(answer) => tokio::spawn(ready(answer)),
        Poll::Pending => tokio::spawn(call),
    }
}
