//! What is found when a store connects, and how its tables come about.

use std::time::{Duration, SystemTime};

use dna_core::Outcome;
use dna_storage::{SchemaProblem, Scylla, ScyllaConfig, ScyllaError};

use crate::{
    proxy::Proxied,
    support::{Keyspace, contact_point, has_server, run},
};

async fn refused(keyspace: &Keyspace) -> ScyllaError {
    let error = Scylla::connect(keyspace.config()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    error
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_where() {
    if !has_server() {
        return;
    }
    let config = ScyllaConfig::new(["127.0.0.1:1"], "dna").connect_timeout(Duration::from_secs(10));
    let error = Scylla::connect(config).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_name_that_needs_quotes_is_refused_before_anything_is_sent() {
    let error = Scylla::connect(ScyllaConfig::new(["127.0.0.1:1"], "Dna; DROP")).await.unwrap_err();
    assert!(matches!(&error, ScyllaError::KeyspaceName { keyspace } if keyspace == "Dna; DROP"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_keyspace_that_is_not_there_is_not_created_but_the_error_says_how() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::unused();
    for _ in 0..2 {
        let error = refused(&keyspace).await;
        let ScyllaError::NoKeyspace { keyspace: name, statement } = &error else { panic!("{error}") };
        assert_eq!(*name, keyspace.name);
        assert!(statement.starts_with(&format!("CREATE KEYSPACE IF NOT EXISTS {name} WITH")), "{statement}");
        assert!(error.to_string().contains(statement), "{error}");
    }
}

#[tokio::test]
async fn the_statements_that_the_errors_show_lead_to_a_keyspace_that_is_fit() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::unused();
    let mut ran = Vec::new();
    let scylla = loop {
        match Scylla::connect(keyspace.config()).await {
            Ok(scylla) => break scylla,
            Err(ScyllaError::NoKeyspace { statement, .. } | ScyllaError::Schema { statement, .. }) => {
                run(&statement).await;
                ran.push(statement);
            }
            Err(error) => panic!("{error}"),
        }
        assert!(ran.len() <= 6, "{ran:?}");
    };
    assert_eq!(ran.len(), 6);
    drop(scylla);
}

#[tokio::test]
async fn a_table_that_differs_is_named_with_what_differs() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let name = &keyspace.name;
    let table = |table: &str| format!("{name}.{table}");

    run(&format!("ALTER TABLE {name}.name DROP shard")).await;
    let error = refused(&keyspace).await;
    let ScyllaError::Schema { table: found, problem, statement } = &error else { panic!("{error}") };
    assert_eq!((found, problem), (&table("name"), &SchemaProblem::NoColumn { column: "shard".to_owned() }));
    run(statement).await;
    drop(Scylla::connect(keyspace.config()).await.unwrap());

    run(&format!("DROP TABLE {name}.\"view\"")).await;
    run(&format!("CREATE TABLE {name}.\"view\" (id int PRIMARY KEY, version int, data blob)")).await;
    let error = refused(&keyspace).await;
    let ScyllaError::Schema { table: found, problem, .. } = &error else { panic!("{error}") };
    let expected =
        SchemaProblem::ColumnType { column: "version".to_owned(), found: "int".to_owned(), expected: "bigint" };
    assert_eq!((found, problem), (&table("view"), &expected));

    run(&format!("DROP TABLE {name}.\"view\"")).await;
    run(&format!("CREATE TABLE {name}.\"view\" (id int, version bigint, data blob, PRIMARY KEY (id, version))")).await;
    let error = refused(&keyspace).await;
    assert!(matches!(&error, ScyllaError::Schema { problem: SchemaProblem::Key { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_schema_is_created_over_one_that_is_there_and_by_two_at_once() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::unused();
    let config = keyspace.config();
    let (a, b) = tokio::join!(Scylla::create_schema(&config, Some(3)), Scylla::create_schema(&config, Some(3)));
    assert_eq!((a.unwrap().len(), b.unwrap().len()), (6, 6));
    run(&format!("ALTER TABLE {}.actor ADD later int", keyspace.name)).await;

    let again = Scylla::create_schema(&config, None).await.unwrap();

    assert_eq!(again.len(), 5, "without the keyspace: {again:?}");
    drop(Scylla::connect(config).await.unwrap());
}

#[tokio::test]
async fn a_datacenter_that_nobody_is_in_is_refused_with_those_that_there_are() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::unused();
    let config = ScyllaConfig::new([contact_point()], &keyspace.name).datacenter("nowhere");
    let error = Scylla::connect(config.connect_timeout(Duration::from_secs(30))).await.unwrap_err();
    let ScyllaError::Datacenter { datacenter, known } = &error else { panic!("{error}") };
    assert_eq!(datacenter, "nowhere");
    assert!(!known.is_empty());
}

/// A clock of the database that is so many seconds off the one here.
#[allow(clippy::disallowed_methods, reason = "the clock of this machine is what is compared")]
async fn connect_with_clock(keyspace: &Keyspace, seconds: i64) -> Result<Scylla, ScyllaError> {
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let there = i64::try_from(here.as_millis()).unwrap() + seconds * 1000;
    let clock = format!("{}.clock", keyspace.name);
    run(&format!("INSERT INTO {clock} (key, now) VALUES ('local', {there})")).await;
    let instead = format!("SELECT now FROM {clock}");
    Proxied::connect_asking(keyspace, &[("SELECT toUnixTimestamp(now()) FROM system.local", &instead)]).await
}

#[tokio::test]
async fn a_wall_clock_far_from_the_databases_is_refused_with_how_far_it_is() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    run(&format!("CREATE TABLE {}.clock (key text PRIMARY KEY, now bigint)", keyspace.name)).await;
    for (seconds, apart) in [(-3600, 3600), (3600, 3600), (100, 100)] {
        let error = connect_with_clock(&keyspace, seconds).await.unwrap_err();
        let ScyllaError::Clock { apart: found } = &error else { panic!("{error}") };
        // A clock ahead of this one comes nearer while the machine is busy, one behind it gets farther away.
        assert!(found.as_secs().abs_diff(apart) < 30, "{seconds}: {found:?}");
        assert!(error.to_string().contains("synchronise"), "{error}");
        assert!(!error.is_retryable());
    }
    drop(connect_with_clock(&keyspace, 30).await.unwrap());
}

/// Connects to a server that says of the keyspace that it has tablets, and of itself these features.
async fn connect_with_tablets(keyspace: &Keyspace, features: &str) -> Result<Scylla, ScyllaError> {
    let name = &keyspace.name;
    run(&format!("INSERT INTO {name}.features (key, supported_features) VALUES ('local', '{features}')")).await;
    let (tablets, features) = (format!("FROM {name}.tablets "), format!("FROM {name}.features "));
    let instead = [
        ("FROM system_schema.scylla_keyspaces ", tablets.as_str()),
        ("SELECT supported_features FROM system.local ", &format!("SELECT supported_features {features}")),
    ];
    Proxied::connect_asking(keyspace, &instead).await
}

#[tokio::test]
async fn a_keyspace_with_tablets_is_refused_unless_the_server_has_transactions_for_them() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let name = &keyspace.name;
    run(&format!("CREATE TABLE {name}.tablets (keyspace_name text PRIMARY KEY, initial_tablets int)")).await;
    run(&format!("INSERT INTO {name}.tablets (keyspace_name, initial_tablets) VALUES ('{name}', 0)")).await;
    run(&format!("CREATE TABLE {name}.features (key text PRIMARY KEY, supported_features text)")).await;

    let error = connect_with_tablets(&keyspace, "CDC,TABLETS,VIEWS_WITH_TABLETS").await.unwrap_err();
    let ScyllaError::Tablets { keyspace: found, statement } = &error else { panic!("{error}") };
    assert_eq!(found, name);
    assert!(statement.ends_with("AND tablets = {'enabled': false}"), "{statement}");
    assert!(error.to_string().contains(statement), "{error}");
    assert!(!error.is_retryable());

    drop(connect_with_tablets(&keyspace, "CDC,TABLETS,LWT_WITH_TABLETS").await.unwrap());
}
