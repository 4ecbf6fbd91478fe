//! What keeps strangers away from the nodes of a cluster, and where nodes say that they are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[path = "support/forwarder.rs"]
mod forwarder;

use std::{net::SocketAddr, time::Duration};

use dna::{CallError, Location, MemoryCluster, NodeBuilder, Outcome, Secret, Security, StartError, prelude::*};
use forwarder::{forward, free_address};
use tokio::{net::TcpListener, sync::watch};

struct Counter(u32);

#[dna::actor]
impl Counter {
    async fn init(_: Context) -> dna::Result<Self> {
        Ok(Counter(0))
    }

    pub async fn count(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

fn secret(of: u8) -> Secret {
    Secret::new([of; 32]).unwrap()
}

fn builder(cluster: &MemoryCluster, listen: &str) -> NodeBuilder {
    let listen: SocketAddr = listen.parse().unwrap();
    Node::builder().store(cluster.clone()).listen(listen).lease(Duration::from_secs(2)).actor::<Counter>()
}

async fn start(cluster: &MemoryCluster, security: impl Into<Security>) -> Node {
    builder(cluster, "127.0.0.1:0").security(security).start().await.unwrap()
}

/// A name that `node` serves.
async fn served_by(node: &Node) -> String {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while tokio::time::Instant::now() < deadline {
        for number in 0..200 {
            let name = format!("counter-{number}");
            if node.whereis::<Counter>(name.as_str()).unwrap() == Location::Here {
                return name;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the node was given no names");
}

/// That one of two nodes calls names of the other, which has joined later.
async fn speak(first: &Node, second: &Node) {
    let name = served_by(second).await;
    assert_eq!(first.client::<Counter>(name.as_str()).count().await, Ok(1));
    assert_eq!(second.client::<Counter>(name.as_str()).count().await, Ok(2));
}

#[tokio::test]
async fn nodes_with_the_same_secret_speak_with_each_other() {
    let cluster = MemoryCluster::new();
    let first = start(&cluster, secret(1)).await;
    let second = start(&cluster.another(), secret(1)).await;
    speak(&first, &second).await;
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_with_another_secret_is_not_listened_to() {
    let cluster = MemoryCluster::new();
    let first = start(&cluster, secret(1)).await;
    let second = start(&cluster.another(), secret(2)).await;
    let name = served_by(&second).await;
    let refused = first.client::<Counter>(name.as_str()).count().timeout(Duration::from_secs(1)).await;
    assert_eq!(refused, Err(CallError::TimedOut { outcome: Outcome::NotApplied }));
    assert_eq!(second.client::<Counter>(name.as_str()).count().await, Ok(1), "it serves its own clients");
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_with_neither_secret_nor_certificates_listens_on_loopback_only() {
    for address in ["0.0.0.0:0", "192.0.2.7:7400", "[2001:db8::7]:7400"] {
        let error = builder(&MemoryCluster::new(), address).start().await.unwrap_err();
        assert_eq!(error, StartError::Insecure { address: address.parse().unwrap() });
        let words = error.to_string();
        assert!(words.contains(address) && words.contains(".security("), "{words}");
    }
    let short = Secret::new("too short").unwrap_err();
    assert!(short.to_string().contains("9 bytes"), "{short}");
}

#[tokio::test]
async fn a_node_says_where_it_is_reached_or_is_refused() {
    let cluster = MemoryCluster::new();
    let error = builder(&cluster, "0.0.0.0:0").security(secret(1)).start().await.unwrap_err();
    assert!(matches!(error, StartError::Join(_)), "{error:?}");
    assert!(error.to_string().contains(".advertise("), "{error}");

    let (front, back) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), free_address().await);
    let advertised = front.local_addr().unwrap();
    let (_whole, cuts) = watch::channel(());
    tokio::spawn(forward(front, back, cuts));
    let first = start(&cluster, secret(1)).await;
    let second = builder(&cluster.another(), &back.to_string()).advertise(advertised).security(secret(1));
    let second = second.start().await.unwrap();
    assert_eq!(second.address(), Some(advertised));
    speak(&first, &second).await;
    second.shutdown().await.unwrap();
    first.shutdown().await.unwrap();
}

#[cfg(feature = "tls")]
mod tls {
    use dna::{Tls, TlsMaterial};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

    use super::*;

    const NAME: &str = "nodes.test";

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn material(&self, roots: &Authority) -> TlsMaterial {
            let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate().unwrap();
            let chain = params.signed_by(&key, &self.0).unwrap().pem();
            TlsMaterial::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes(), roots.0.pem().as_bytes()).unwrap()
        }
    }

    #[tokio::test]
    async fn nodes_believe_certificates_of_their_authority_alone() {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let certified = |by: &Authority| Tls::new(NAME, by.material(&ours)).unwrap();
        let cluster = MemoryCluster::new();
        let first = start(&cluster, certified(&ours)).await;
        let second = start(&cluster.another(), certified(&ours)).await;
        speak(&first, &second).await;
        second.shutdown().await.unwrap();

        let stranger = start(&cluster.another(), certified(&theirs)).await;
        let name = served_by(&stranger).await;
        let refused = first.client::<Counter>(name.as_str()).count().timeout(Duration::from_secs(1)).await;
        assert_eq!(refused, Err(CallError::TimedOut { outcome: Outcome::NotApplied }));
        stranger.shutdown().await.unwrap();
        first.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn certificates_are_replaced_while_the_nodes_run() {
        let authority = Authority::new();
        let tls = Tls::new(NAME, authority.material(&authority)).unwrap();
        let cluster = MemoryCluster::new();
        let first = start(&cluster, tls.clone()).await;
        let next = Authority::new();
        tls.replace(next.material(&next)).unwrap();
        let second = start(&cluster.another(), Tls::new(NAME, next.material(&next)).unwrap()).await;
        speak(&first, &second).await;
        second.shutdown().await.unwrap();
        first.shutdown().await.unwrap();
    }
}
