//! Watching: reads the view, at the pace of the heartbeats or when somebody has heard of a newer one.

use super::{Node, asked::Asked, driver::either, tenure::Tenure};
use crate::{decide::beat_interval, host::Loss, seam};

/// Reads the view, for as long as a membership lasts.
pub(super) async fn views(node: &Node, asked: &Asked, tenure: &Tenure) -> Loss {
    loop {
        let number = asked.begin_read();
        match node.register.read().await {
            Ok(Some(seen)) => match tenure.adopt(node, seen).await {
                Ok(()) => {}
                Err(why) => return why,
            },
            // There was one: whoever emptied the table has taken it from all.
            Ok(None) => return Loss::Fenced,
            Err(error) => {
                tracing::warn!("the cluster's view cannot be read: {error}");
                tenure.count_read_error();
            }
        }
        asked.end_read(number);
        either(seam::sleep(beat_interval(node.config.lease)), asked.until_read_is_wanted()).await;
    }
}
