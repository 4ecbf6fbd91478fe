//! Logging in, and TLS, on a server of its own: Apache Cassandra, whose certificate the JDK's `keytool` makes.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use dna_storage::{Scylla, ScyllaConfig, ScyllaError};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};

use crate::support::has_server;

const NAME: &str = "proof_secured";
const ADDRESS: &str = "127.0.0.83";
const PORT: &str = "9142";
/// Of the store of the server's key. It guards nothing.
const PASSWORD: &str = "not a secret";
/// The first login of a new server, which it makes by itself.
const LOGIN: &str = "cassandra";

/// How long the server may take until one can log in: it makes the first login when it answers already.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, which is removed with this.
struct Secured;

impl Secured {
    fn start(yaml: &Path) -> Self {
        let secured = Secured;
        xtask(&["scylla-down", "--name", NAME, "--wipe"]);
        let yaml = yaml.to_str().unwrap();
        let where_it_is = ["--name", NAME, "--address", ADDRESS, "--port", PORT, "--no-schema"];
        let up = ["scylla-up", "--engine", "cassandra", "--yaml", yaml];
        assert!(xtask(&[&up[..], &where_it_is].concat()), "the server cannot be started");
        secured
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        xtask(&["scylla-down", "--name", NAME, "--kill"]);
        xtask(&["scylla-down", "--name", NAME, "--wipe"]);
    }
}

/// Runs a developer command of the workspace. Answers whether it did what it should.
fn xtask(args: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "xtask", "--"]).args(args).stdin(Stdio::null());
    command.stdout(Stdio::null()).status().unwrap().success()
}

fn keytool(folder: &Path, args: &[&str]) {
    let mut command = Command::new("keytool");
    command.current_dir(folder).args(args).args(["-storepass", PASSWORD, "-alias", "server"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "keytool {args:?}: {}", String::from_utf8_lossy(&output.stdout));
}

/// A key with a certificate for this address, as the server wants it and as clients do.
fn certificate(folder: &Path, file: &str, address: &str) -> CertificateDer<'static> {
    let san = format!("SAN=IP:{address}");
    let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=dna", "-validity", "2"];
    keytool(folder, &[&key[..], &["-ext", &san, "-keystore", file, "-storetype", "PKCS12"]].concat());
    keytool(folder, &["-exportcert", "-keystore", file, "-file", "exported"]);
    std::fs::read(folder.join("exported")).unwrap().into()
}

fn trusting(certificate: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}

fn config() -> ScyllaConfig {
    ScyllaConfig::new([format!("{ADDRESS}:{PORT}")], "dna_secured").connect_timeout(Duration::from_secs(20))
}

async fn refused(config: ScyllaConfig) -> String {
    let error = Scylla::connect(config).await.unwrap_err();
    assert!(matches!(error, ScyllaError::Connect { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a real server takes real time")]
async fn a_server_that_asks_who_is_there_and_encrypts_is_reached_and_no_other_one_is_trusted() {
    if !has_server() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let known = certificate(folder.path(), "known.p12", ADDRESS);
    let unknown = certificate(folder.path(), "unknown.p12", ADDRESS);
    let yaml = folder.path().join("more.yaml");
    let keystore = folder.path().join("known.p12").display().to_string();
    let more = format!(
        "authenticator: PasswordAuthenticator\n\
         authorizer: CassandraAuthorizer\n\
         client_encryption_options:\n  \
         enabled: true\n  \
         optional: true\n  \
         keystore: \"{keystore}\"\n  \
         keystore_password: \"{PASSWORD}\"\n  \
         store_type: PKCS12\n"
    );
    std::fs::write(&yaml, more).unwrap();
    let _server = Secured::start(&yaml);
    let secured = || config().credentials(LOGIN, LOGIN).tls(trusting(&known));

    let started = Instant::now();
    while let Err(error) = Scylla::create_schema(&secured(), Some(1)).await {
        assert!(started.elapsed() < PATIENCE, "{error}");
        tokio::task::yield_now().await;
    }
    let scylla = Scylla::connect(secured()).await.unwrap();
    let node = dna_core::NodeId::new();
    dna_core::ClusterStore::beat(&scylla, node, 7).await.unwrap();
    assert_eq!(dna_core::ClusterStore::beats(&scylla).await, Ok(vec![(node, 7)]));

    let error = refused(config().tls(trusting(&known))).await;
    assert!(error.to_lowercase().contains("authenticat"), "{error}");
    let error = refused(config().credentials(LOGIN, "wrong").tls(trusting(&known))).await;
    assert!(error.contains("Provided username") && !error.contains("wrong"), "{error}");
    let error = refused(config().credentials(LOGIN, LOGIN).tls(trusting(&unknown))).await;
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}
