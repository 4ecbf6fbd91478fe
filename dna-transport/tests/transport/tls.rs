//! Mutual TLS, with certificates made on the spot.

use dna_transport::{
    CallError, ConnectError, Event, Refusal, Secret, Security, Side, Tls, TlsError, TlsFailure, TlsMaterial, Transport,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use crate::{
    raw::{Hello, Raw},
    support::{config, ear, echo, request, serve},
};

const NAME: &str = "nodes.test";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A node's certificate for `name`, of a node that believes in `roots`.
    fn material(&self, name: &str, roots: &[&Authority]) -> TlsMaterial {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        TlsMaterial {
            chain: vec![certificate.der().clone()],
            key: key.into(),
            roots: roots.iter().map(|root| root.0.der().clone()).collect(),
        }
    }

    fn tls(&self) -> Tls {
        Tls::new(NAME, self.material(NAME, &[self])).unwrap()
    }
}

async fn connect(client: &Transport, address: &str) -> Result<(), (Side, Refusal)> {
    let peer = client.peer(address).unwrap();
    let result = match peer.connect().await {
        Ok(_) => {
            assert_eq!(peer.call(request("x")).await.unwrap(), "x");
            Ok(())
        }
        Err(ConnectError::Refused { side, reason, .. }) => Err((side, reason)),
        Err(error) => panic!("{error}"),
    };
    peer.close();
    result
}

#[tokio::test]
async fn certificates_of_one_authority_let_in_with_and_without_a_secret() {
    let authority = Authority::new();
    let secret = || Secret::new("a secret of thirty-two bytes or so").unwrap();
    for security in [Security::none(), Security::secret(secret())] {
        let secure = |number| config(number).security(security.clone().with_tls(authority.tls()));
        let (_server, address) = serve(secure(1), echo()).await;
        let client = Transport::client(secure(2)).unwrap();
        assert_eq!(connect(&client, &address).await, Ok(()));
        let peer = client.peer(&address).unwrap();
        let body = crate::support::pattern(4 << 20);
        assert!(peer.call(request(body.clone())).await.unwrap() == body);
    }
}

#[tokio::test]
async fn a_wrong_authority_is_refused_by_whoever_sees_it_first_and_told_to_the_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (observer, heard) = ear();
    let server = config(1).security(Security::tls(ours.tls())).observer(observer);
    let (_server, address) = serve(server, echo()).await;
    let next = || {
        heard.next(
            |event| {
                if let Event::AcceptRefused { side, reason, .. } = event { Some((side, reason)) } else { None }
            },
        )
    };

    // It believes in nobody here: the dialer sees the acceptor's certificate first.
    let client = Transport::client(config(2).security(Security::tls(theirs.tls()))).unwrap();
    let refused = Refusal::Tls(TlsFailure::CertificateRefusedHere);
    let told = Refusal::Tls(TlsFailure::RefusedThere);
    assert_eq!(connect(&client, &address).await, Err((Side::Here, refused)));
    assert_eq!(next().await, (Side::There, Some(told)));

    // It believes in this authority, but has a certificate of another one: the acceptor sees that.
    let half = Tls::new(NAME, theirs.material(NAME, &[&ours])).unwrap();
    let client = Transport::client(config(3).security(Security::tls(half))).unwrap();
    assert_eq!(connect(&client, &address).await, Err((Side::There, told)));
    assert_eq!(next().await, (Side::Here, Some(refused)));

    // A certificate for another name is refused by the dialer.
    let other = Tls::new("others.test", ours.material(NAME, &[&ours])).unwrap();
    let client = Transport::client(config(4).security(Security::tls(other))).unwrap();
    assert_eq!(connect(&client, &address).await, Err((Side::Here, refused)));
}

#[tokio::test]
async fn a_node_without_tls_is_refused_by_one_with_and_the_other_way_round() {
    let authority = Authority::new();
    let (_server, address) = serve(config(1).security(Security::tls(authority.tls())), echo()).await;
    let client = Transport::client(config(2)).unwrap();
    let error = client.peer(&address).unwrap().call(request("x")).await;
    assert!(matches!(error, Err(CallError::Refused { .. } | CallError::DeadlineExceeded { .. })), "{error:?}");

    let (_server, address) = serve(config(1), echo()).await;
    let client = Transport::client(config(2).security(Security::tls(authority.tls()))).unwrap();
    assert_eq!(connect(&client, &address).await, Err((Side::Here, Refusal::Tls(TlsFailure::Protocol))));
    // A plain hello gets as far as TLS.
    let (_server, address) = serve(config(1).security(Security::tls(authority.tls())), echo()).await;
    let mut raw = Raw::connect(&address).await;
    raw.say(&Hello::of(crate::support::id(7)).bytes()).await;
    assert_ne!(raw.hear().await.as_deref().and_then(|bytes| bytes.get(..5)), Some(&b"DNAT\x02"[..]));
}

#[tokio::test]
async fn certificates_are_replaced_while_the_node_runs() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server_tls, client_tls) = (old.tls(), old.tls());
    let (_server, address) = serve(config(1).security(Security::tls(server_tls.clone())), echo()).await;
    let client = Transport::client(config(2).security(Security::tls(client_tls.clone()))).unwrap();
    let standing = client.peer(&address).unwrap();
    assert_eq!(standing.call(request("before")).await.unwrap(), "before");
    let late = Transport::client(config(3).security(Security::tls(old.tls()))).unwrap();
    assert_eq!(connect(&late, &address).await, Ok(()));

    server_tls.replace(new.material(NAME, &[&new])).unwrap();
    // A connection that stands is not touched; a new one has to show what is believed in now.
    assert_eq!(standing.call(request("still")).await.unwrap(), "still");
    let refused = Refusal::Tls(TlsFailure::CertificateRefusedHere);
    assert_eq!(connect(&late, &address).await, Err((Side::Here, refused)));

    client_tls.replace(new.material(NAME, &[&new])).unwrap();
    standing.close();
    assert_eq!(connect(&client, &address).await, Ok(()));
}

#[tokio::test]
async fn both_authorities_are_believed_in_while_one_replaces_the_other() {
    let (old, new) = (Authority::new(), Authority::new());
    let both = Tls::new(NAME, old.material(NAME, &[&old, &new])).unwrap();
    let (_server, address) = serve(config(1).security(Security::tls(both)), echo()).await;
    let client = Tls::new(NAME, new.material(NAME, &[&old, &new])).unwrap();
    let client = Transport::client(config(2).security(Security::tls(client))).unwrap();
    assert_eq!(connect(&client, &address).await, Ok(()));
}

#[test]
fn material_that_cannot_be_used_is_refused_and_the_old_one_stays() {
    let (one, other) = (Authority::new(), Authority::new());
    let tls = one.tls();
    let mut mixed = one.material(NAME, &[&one]);
    mixed.key = other.material(NAME, &[&other]).key;
    assert!(matches!(tls.replace(mixed), Err(TlsError::Material(_))));
    assert!(matches!(tls.replace(one.material(NAME, &[])), Err(TlsError::Roots(_))));
    let error = Tls::new("not a name", one.material(NAME, &[&one])).unwrap_err();
    assert!(matches!(error, TlsError::ServerName { .. }));
}

#[tokio::test]
async fn material_comes_from_pem_and_what_cannot_be_read_is_named() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let (chain, root) = (params.signed_by(&key, &authority.0).unwrap().pem(), authority.0.pem());
    let key = key.serialize_pem();
    let of =
        |chain: &str, key: &str, root: &str| TlsMaterial::from_pem(chain.as_bytes(), key.as_bytes(), root.as_bytes());
    let secure = |number| {
        let tls = Tls::new(NAME, of(&chain, &key, &root).unwrap()).unwrap();
        config(number).security(tls.into())
    };
    let (_server, address) = serve(secure(1), echo()).await;
    let client = Transport::client(secure(2)).unwrap();
    assert_eq!(connect(&client, &address).await, Ok(()));

    for (material, what) in [
        (of("", &key, &root), "certificate chain"),
        (of(&chain, "no key", &root), "private key"),
        (of(&chain, &key, &key), "roots"),
    ] {
        let error = material.unwrap_err();
        assert!(matches!(error, TlsError::Pem { what: found, .. } if found == what), "{error}");
        assert!(error.to_string().contains(what) && error.to_string().contains("PEM"), "{error}");
    }
}
