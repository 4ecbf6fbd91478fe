//! A proxy between the store and the server, through which requests and answers get lost, late, or another error.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use dna_core::NodeId;
use dna_storage::{Scylla, ScyllaConfig, ScyllaError, ScyllaFaults};
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
        let (config, proxy) = Proxied::start(keyspace).await;
        Proxied { scylla: Scylla::connect(config).await.unwrap(), proxy, hits: None }
    }

    /// Connects while the database is asked other questions than those that the store asks: in each statement each first
    /// text is replaced by the second. All of them have to be asked.
    pub async fn connect_asking(keyspace: &Keyspace, instead: &[(&str, &str)]) -> Result<Scylla, ScyllaError> {
        let (config, mut proxy) = Proxied::start(keyspace).await;
        let (hit, mut hits) = mpsc::unbounded_channel();
        let rules = instead.iter().map(|(asked, instead)| rewritten(asked, instead, hit.clone()));
        let rules = rules.collect::<Vec<_>>();
        for node in &mut proxy.running_nodes {
            node.change_request_rules(Some(rules.clone()));
        }
        let connected = Scylla::connect(config).await;
        let mut seen = Vec::new();
        while let Ok((RequestFrame { body, .. }, _)) = hits.try_recv() {
            seen.push(String::from_utf8_lossy(&body).into_owned());
        }
        for (asked, _) in instead {
            assert!(seen.iter().any(|statement| statement.contains(asked)), "nobody asked for {asked}: {seen:?}");
        }
        connected
    }

    async fn start(keyspace: &Keyspace) -> (ScyllaConfig, RunningProxy) {
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
        (config, proxy)
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

/// A statement with another text in place of this one.
fn rewritten(
    asked: &str,
    instead: &str,
    hit: mpsc::UnboundedSender<(RequestFrame, Option<TargetShard>)>,
) -> RequestRule {
    let asks = Condition::BodyContainsCaseSensitive(Box::from(asked.as_bytes()));
    let (asked, instead) = (asked.to_owned(), instead.to_owned());
    let rewrite = move |frame: RequestFrame| {
        // A statement comes first in each request that has one, behind its length.
        let (length, rest) = frame.body.split_first_chunk().unwrap();
        let (statement, rest) = rest.split_at(u32::from_be_bytes(*length).try_into().unwrap());
        let statement = str::from_utf8(statement).unwrap().replace(&asked, &instead);
        let length = u32::try_from(statement.len()).unwrap().to_be_bytes();
        RequestFrame { body: [&length, statement.as_bytes(), rest].concat().into(), ..frame }
    };
    RequestRule(asks, RequestReaction::transform_frame(Arc::new(rewrite)).with_feedback_when_performed(hit))
}

/// All of these hold, looked at in this order and no further than it takes: what counts has to come last. The proxy's own
/// way to say so looks at the last first.
fn in_order<const N: usize>(mut conditions: [Condition; N]) -> Condition {
    conditions.reverse();
    Condition::all(conditions)
}
