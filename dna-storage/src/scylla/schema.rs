//! The tables: how they are created, and whether those that are there are the ones.
//!
//! Connecting only compares. Creating is one explicit step by one process, [`create`], and ends when the nodes of the
//! database agree.

use scylla::{
    client::session::Session,
    cluster::metadata::{ColumnType, Keyspace, NativeType, Table},
    errors::{DbError, ExecutionError, RequestAttemptError},
};

use super::{
    consistency::Replicas,
    error::{SchemaProblem, ScyllaError},
};

/// One table, as it should be.
struct Spec {
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
    partition_key: &'static [&'static str],
    clustering_key: &'static [&'static str],
}

const TABLES: [Spec; 5] = [
    Spec {
        name: "view",
        columns: &[("id", "int"), ("version", "bigint"), ("data", "blob")],
        partition_key: &["id"],
        clustering_key: &[],
    },
    Spec {
        name: "heartbeat",
        columns: &[("id", "int"), ("node", "uuid"), ("beat", "bigint")],
        partition_key: &["id"],
        clustering_key: &["node"],
    },
    Spec {
        name: "journal",
        columns: &[
            ("node", "uuid"),
            ("lane", "smallint"),
            ("slot", "int"),
            ("head", "bigint"),
            ("done", "bigint"),
            ("sealed", "boolean"),
            ("seq", "bigint"),
            ("data", "blob"),
        ],
        partition_key: &["node", "lane"],
        clustering_key: &["slot"],
    },
    Spec {
        name: "actor",
        columns: &[
            ("namespace", "text"),
            ("type", "text"),
            ("name", "text"),
            ("module", "text"),
            ("key", "blob"),
            ("value", "blob"),
        ],
        partition_key: &["namespace", "type", "name"],
        clustering_key: &["module", "key"],
    },
    Spec {
        name: "name",
        columns: &[("namespace", "text"), ("type", "text"), ("name", "text"), ("shard", "int")],
        partition_key: &["namespace", "type", "name"],
        clustering_key: &[],
    },
];

impl Spec {
    fn key(&self) -> String {
        key(self.partition_key, self.clustering_key)
    }

    fn create(&self, keyspace: &str) -> String {
        let columns = self.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE IF NOT EXISTS {keyspace}.\"{}\" ({columns}, PRIMARY KEY {})", self.name, self.key())
    }

    fn check(&self, keyspace: &str, found: Option<&Table>) -> Result<(), ScyllaError> {
        let wrong = |problem, statement| {
            Err(ScyllaError::Schema { table: format!("{keyspace}.{}", self.name), problem, statement })
        };
        let Some(found) = found else { return wrong(SchemaProblem::Missing, self.create(keyspace)) };
        let anew = || format!("DROP TABLE {keyspace}.\"{}\"; {}", self.name, self.create(keyspace));
        let found_key = key(&found.partition_key, &found.clustering_key);
        if found_key != self.key() {
            return wrong(SchemaProblem::Key { found: found_key, expected: self.key() }, anew());
        }
        for &(name, expected) in self.columns {
            let Some(column) = found.columns.get(name) else {
                let statement = format!("ALTER TABLE {keyspace}.\"{}\" ADD {name} {expected}", self.name);
                return wrong(SchemaProblem::NoColumn { column: name.to_owned() }, statement);
            };
            let found = type_name(&column.typ);
            if found != expected {
                return wrong(SchemaProblem::ColumnType { column: name.to_owned(), found, expected }, anew());
            }
        }
        Ok(())
    }
}

fn key<S: AsRef<str>>(partition: &[S], clustering: &[S]) -> String {
    let joined = |names: &[S]| names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if clustering.is_empty() {
        format!("(({}))", joined(partition))
    } else {
        format!("(({}), {})", joined(partition), joined(clustering))
    }
}

/// The type as CQL spells it, for the types that tables of this crate have.
fn type_name(found: &ColumnType<'_>) -> String {
    let name = match found {
        ColumnType::Native(NativeType::Int) => "int",
        ColumnType::Native(NativeType::SmallInt) => "smallint",
        ColumnType::Native(NativeType::BigInt) => "bigint",
        ColumnType::Native(NativeType::Boolean) => "boolean",
        ColumnType::Native(NativeType::Blob) => "blob",
        ColumnType::Native(NativeType::Text) => "text",
        ColumnType::Native(NativeType::Uuid) => "uuid",
        other => return format!("{other:?}"),
    };
    name.to_owned()
}

/// Compares the tables of a keyspace with what they should be. Columns that are not known are left alone: a newer
/// release may have added them.
pub(super) fn check(name: &str, keyspace: &Keyspace) -> Result<(), ScyllaError> {
    TABLES.iter().try_for_each(|table| table.check(name, keyspace.tables.get(table.name)))
}

/// The statement that creates a keyspace with these replicas; `no_tablets` where the server would else use tablets,
/// and has no lightweight transactions for them.
pub(super) fn create_keyspace(name: &str, replicas: &Replicas, no_tablets: bool) -> String {
    let list = replicas.iter().map(|(datacenter, count)| format!(", '{}': {count}", datacenter.replace('\'', "''")));
    let tablets = if no_tablets { " AND tablets = {'enabled': false}" } else { "" };
    let list: String = list.collect();
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = \
         {{'class': 'NetworkTopologyStrategy'{list}}}{tablets}"
    )
}

/// Creates what is not there of these tables, and waits until the nodes of the database agree on the schema.
pub(super) async fn create(session: &Session, keyspace: &str) -> Result<Vec<String>, ScyllaError> {
    let statements: Vec<_> = TABLES.iter().map(|table| table.create(keyspace)).collect();
    for statement in &statements {
        run(session, statement).await?;
    }
    agree(session).await?;
    Ok(statements)
}

/// Runs one statement that changes the schema.
pub(super) async fn run(session: &Session, statement: &str) -> Result<(), ScyllaError> {
    match session.query_unpaged(statement, ()).await {
        Ok(_) => Ok(()),
        // Two that create at once: it is there.
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::AlreadyExists { .. }, _))) => Ok(()),
        Err(error) => Err(ScyllaError::statement(statement, error)),
    }
}

pub(super) async fn agree(session: &Session) -> Result<(), ScyllaError> {
    match session.await_schema_agreement().await {
        Ok(_) => Ok(()),
        Err(error) => Err(ScyllaError::SchemaAgreement { reason: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_the_protocol() {
        let statements: Vec<_> = TABLES.iter().map(|table| table.create("ks")).collect();
        assert_eq!(
            statements,
            [
                "CREATE TABLE IF NOT EXISTS ks.\"view\" (id int, version bigint, data blob, PRIMARY KEY ((id)))",
                "CREATE TABLE IF NOT EXISTS ks.\"heartbeat\" (id int, node uuid, beat bigint, PRIMARY KEY ((id), node))",
                "CREATE TABLE IF NOT EXISTS ks.\"journal\" (node uuid, lane smallint, slot int, head bigint, done bigint, \
                 sealed boolean, seq bigint, data blob, PRIMARY KEY ((node, lane), slot))",
                "CREATE TABLE IF NOT EXISTS ks.\"actor\" (namespace text, type text, name text, module text, key blob, \
                 value blob, PRIMARY KEY ((namespace, type, name), module, key))",
                "CREATE TABLE IF NOT EXISTS ks.\"name\" (namespace text, type text, name text, shard int, \
                 PRIMARY KEY ((namespace, type, name)))",
            ]
        );
    }

    #[test]
    fn a_keyspace_names_its_datacenters_and_its_tablets_where_they_are_in_the_way() {
        let replicas = Replicas::from([("dc1".to_owned(), 3), ("it's".to_owned(), 1)]);
        assert_eq!(
            create_keyspace("ks", &replicas, true),
            "CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, \
             'it''s': 1} AND tablets = {'enabled': false}"
        );
        assert!(!create_keyspace("ks", &replicas, false).contains("tablets"));
    }
}
