//! One conditional update after the other, of the header of a journal and with as many bytes as the entry of one put has:
//! what a database takes for the least that a fenced commit can be.

use scylla::{
    client::session_builder::SessionBuilder,
    policies::retry::FallthroughRetryPolicy,
    statement::{Consistency, SerialConsistency},
};

use super::server::Server;
use crate::{
    error::Error,
    load::{self, Amount},
    measure::Measured,
};

/// Sends updates for as long as `amount` says, each when the one before was answered. `bytes` go with each.
pub(super) async fn updates(server: &Server, amount: Amount, bytes: u64) -> Result<Measured, Error> {
    let space = server.fresh().await?;
    let table = format!("{}.journal", space.name);
    let place = "node = 00000000-0000-0000-0000-000000000001 AND lane = 0 AND slot = -1";
    let session = SessionBuilder::new().known_node(&server.contact).build().await;
    let session = session.map_err(Error::cql("the conditional updates do not connect"))?;
    let session = std::sync::Arc::new(session);
    let create = format!("UPDATE {table} SET head = 0, sealed = false WHERE {place} IF head = null");
    session.query_unpaged(create, ()).await.map_err(Error::cql("the row of the conditional updates"))?;
    let update =
        format!("UPDATE {table} SET head = ?, done = ?, data = ? WHERE {place} IF head = ? AND sealed = false");
    let mut update = session.prepare(update).await.map_err(Error::cql("the conditional update"))?;
    update.set_consistency(Consistency::LocalQuorum);
    update.set_serial_consistency(Some(SerialConsistency::LocalSerial));
    update.set_retry_policy(Some(std::sync::Arc::new(FallthroughRetryPolicy::new())));
    let data = vec![7_u8; usize::try_from(bytes).unwrap_or_default()];
    let measured = load::closed_loop(1, amount, move |mut turns| {
        let (session, update, data) = (session.clone(), update.clone(), data.clone());
        async move {
            while let Some(step) = turns.next() {
                let head = i64::try_from(step).unwrap_or(i64::MAX);
                let answer = session.execute_unpaged(&update, (head + 1, head, &data, head)).await;
                answer.map_err(Error::cql("a conditional update"))?;
            }
            Ok(turns)
        }
    });
    let measured = measured.await?;
    let heads = format!("SELECT head FROM {table} WHERE {place}");
    let answer = server.session.query_unpaged(heads, ()).await.map_err(Error::cql("the updated row"))?;
    let rows = answer.into_rows_result().map_err(Error::cql("the updated row"))?;
    let (head,) = rows.single_row::<(i64,)>().map_err(Error::cql("the updated row"))?;
    crate::error::check_eq(
        "conditional updates that held",
        u64::try_from(head).unwrap_or_default(),
        measured.operations,
    )?;
    space.end("the conditional updates", 0).await?;
    Ok(measured)
}
