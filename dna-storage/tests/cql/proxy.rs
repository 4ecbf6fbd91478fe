//! A proxy between the store and the server, through which requests and answers get lost, late, or another error.

use std::{net::SocketAddr, time::Duration};

use dna_core::NodeId;
use dna_storage::{Scylla, ScyllaConfig, ScyllaFaults};
use scylla_proxy::{
    Condition, Node, Proxy, Reaction, RequestFrame, RequestOpcode, RequestReaction, RequestRule, ResponseFrame,
    ResponseOpcode, ResponseReaction, ResponseRule, RunningProxy, ShardAwareness, TargetShard,
    get_exclusive_local_address,
};
use tokio::sync::mpsc;

use crate::support::{Keyspace, contact_point};

/// How long the store waits for an answer, and for a definite one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The proxy, and a store that is connected through it.
pub struct Proxied {
    pub scylla: Scylla,
    proxy: RunningProxy,
    hits: Option<Hits>,
}

/// The frames that the rules have hit.
struct Hits {
    requests: mpsc::UnboundedReceiver<(RequestFrame, Option<TargetShard>)>,
    answers: mpsc::UnboundedReceiver<(ResponseFrame, Option<TargetShard>)>,
}

impl Proxied {
    pub async fn connect(keyspace: &Keyspace) -> Self {
        let real: SocketAddr = contact_point().parse().unwrap();
        let address = SocketAddr::new(get_exclusive_local_address(), real.port());
        let node = Node::builder()
            .real_address(real)
            .proxy_address(address)
            .shard_awareness(ShardAwareness::QueryNode)
            .build();
        let proxy = Proxy::builder().with_node(node).build();
        let faults = ScyllaFaults::default().translate(proxy.translation_map());
        let proxy = proxy.run().await.unwrap();
        let config = ScyllaConfig::new([address.to_string()], &keyspace.name).faults(faults);
        // What is prepared once is not under test, and the machine may be slow.
        let config = config.connect_timeout(Duration::from_secs(60)).connections_per_shard(1);
        let config = config.request_timeout(REQUEST_TIMEOUT).commit_timeout(COMMIT_TIMEOUT);
        Proxied { scylla: Scylla::connect(config).await.unwrap(), proxy, hits: None }
    }

    /// From now on these rules hold, and no others.
    pub fn set(&mut self, fault: &Fault) {
        let (request_hit, requests) = mpsc::unbounded_channel();
        let (answer_hit, answers) = mpsc::unbounded_channel();
        let request = |RequestRule(condition, reaction): &RequestRule| {
            RequestRule(condition.clone(), reaction.clone().with_feedback_when_performed(request_hit.clone()))
        };
        let answer = |ResponseRule(condition, reaction): &ResponseRule| {
            ResponseRule(condition.clone(), reaction.clone().with_feedback_when_performed(answer_hit.clone()))
        };
        for node in &mut self.proxy.running_nodes {
            node.change_request_rules(Some(fault.requests.iter().map(request).collect()));
            node.change_response_rules(Some(fault.answers.iter().map(answer).collect()));
        }
        self.hits = Some(Hits { requests, answers });
    }

    /// From now on everything passes. How many bytes each answer had that the rules have seen.
    pub fn answer_bytes(&mut self) -> Vec<usize> {
        let hits = self.hits.take();
        self.heal();
        let mut answers = Vec::new();
        if let Some(mut hits) = hits {
            while let Ok((answer, _)) = hits.answers.try_recv() {
                answers.push(answer.body.len());
            }
        }
        answers
    }

    /// From now on everything passes. How many frames the rules had hit.
    pub fn heal(&mut self) -> usize {
        let hits = self.hits.take();
        self.set(&Fault::default());
        let mut count = 0;
        if let Some(mut hits) = hits {
            while hits.requests.try_recv().is_ok() || hits.answers.try_recv().is_ok() {
                count += 1;
            }
        }
        self.hits = None;
        count
    }
}

/// What goes wrong.
#[derive(Clone, Default)]
pub struct Fault {
    requests: Vec<RequestRule>,
    answers: Vec<ResponseRule>,
}

impl Fault {
    /// The next appends of a node, so many of them, end like this.
    pub fn appends(node: NodeId, times: usize, reaction: RequestReaction) -> Self {
        Fault::default().then(node, times, reaction)
    }

    /// What comes after that is hit ends like this.
    pub fn then(mut self, node: NodeId, times: usize, reaction: RequestReaction) -> Self {
        let condition = in_order([
            Condition::RequestOpcode(RequestOpcode::Batch),
            Condition::BodyContainsCaseSensitive(Box::from(&node.as_bytes()[..])),
            Condition::TrueForLimitedTimes(times),
        ]);
        self.requests.push(RequestRule(condition, reaction));
        self
    }

    /// The next requests that carry these bytes end like this.
    pub fn requests_with(bytes: &[u8], times: usize, reaction: RequestReaction) -> Self {
        let condition = in_order([
            Condition::RequestOpcode(RequestOpcode::Execute),
            Condition::BodyContainsCaseSensitive(Box::from(bytes)),
            Condition::TrueForLimitedTimes(times),
        ]);
        Fault { requests: vec![RequestRule(condition, reaction)], answers: Vec::new() }
    }

    /// The next requests for this actor's rows end like this, one row a request.
    pub fn rows(actor: &str, times: usize, reaction: RequestReaction) -> Self {
        Fault::requests_with(actor.as_bytes(), times, reaction)
    }

    /// The next answers of the server, but those to the driver's own questions, are lost.
    pub fn lost_answers(times: usize) -> Self {
        Fault::answers(times, ResponseReaction::drop_frame())
    }

    /// Nothing goes wrong; answers are seen.
    pub fn watched() -> Self {
        Fault::answers(usize::MAX, ResponseReaction::noop())
    }

    pub fn answers(times: usize, reaction: ResponseReaction) -> Self {
        let condition = in_order([
            Condition::not(Condition::ConnectionRegisteredAnyEvent),
            Condition::ResponseOpcode(ResponseOpcode::Result),
            Condition::TrueForLimitedTimes(times),
        ]);
        Fault { requests: Vec::new(), answers: vec![ResponseRule(condition, reaction)] }
    }
}

/// All of these hold, looked at in this order and no further than it takes: what counts has to come last. The proxy's own
/// way to say so looks at the last first.
fn in_order<const N: usize>(mut conditions: [Condition; N]) -> Condition {
    conditions.reverse();
    Condition::all(conditions)
}
