//! Apache Cassandra as a process of this machine: its configuration and its command line.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{error::Error, options::Name, process::Identity, server, settings::Settings, state::Handle};

/// The release.
pub(super) const VERSION: &str = "5.0.8";

/// From this heap on the collector that keeps pauses short is worth what it costs.
const G1_FROM_MIB: u32 = 1536;

/// The internals of Java 17 that the server uses.
const EXPORTS: &[&str] = &[
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.attach/sun.tools.attach",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.unsupported/sun.misc",
];
const OPENS: &[&str] = &[
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.compiler/com.sun.tools.javac",
    "jdk.management/com.sun.management.internal",
];

/// Log lines to stdout, which goes to a file. Without it the library logs everything that it can.
const LOGBACK: &str = "<configuration>\n  \
    <appender name=\"OUT\" class=\"ch.qos.logback.core.ConsoleAppender\">\n    \
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0}: %msg%n%ex{8}</pattern></encoder>\n  \
    </appender>\n  \
    <root level=\"INFO\"><appender-ref ref=\"OUT\"/></root>\n\
    </configuration>\n";

/// What a node is started from.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) java: PathBuf,
    pub(super) jars: PathBuf,
}

/// Starts node `index`, so that it goes on when this program has ended.
pub(super) fn start(
    program: &Program,
    settings: &Settings,
    name: &Name,
    index: u8,
    folder: &Path,
    log: &Path,
) -> Result<Handle, Error> {
    let data = settings.data_of(index);
    for folder in [folder, &data] {
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_path_buf(), source })?;
    }
    let config = folder.join("cassandra.yaml");
    let logback = folder.join("logback.xml");
    let more = match &settings.yaml {
        Some(path) => fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source })?,
        None => String::new(),
    };
    for (path, text) in [(&config, yaml(settings, name, index) + &more), (&logback, LOGBACK.to_owned())] {
        fs::write(path, text).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    let output = |source| Error::Write { path: log.to_path_buf(), source };
    let stdout = File::options().create(true).append(true).open(log).map_err(output)?;
    let stderr = stdout.try_clone().map_err(output)?;

    let mut command = Command::new(&program.java);
    command.args(arguments(settings, &program.jars, &config, &logback, &data)).current_dir(folder);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    // What ends the terminal's foreground group is not to end the server.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn();
    let child = child.map_err(|source| Error::Start { command: program.java.display().to_string(), source })?;
    Identity::of(child.id()).map(Handle::Process).ok_or_else(|| server::died(settings.cql(index), None, log))
}

/// The configuration of node `index`: what must be said, and what makes the start quick.
fn yaml(settings: &Settings, name: &Name, index: u8) -> String {
    let (cql, internode, seed) = (settings.cql(index), settings.internode(index), settings.internode(0));
    let mut yaml = format!(
        "cluster_name: dna_{name}\n\
         partitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
         endpoint_snitch: SimpleSnitch\n\
         num_tokens: 1\n\
         initial_token: \"{token}\"\n\
         auto_bootstrap: false\n\
         seed_provider:\n  \
         - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n    \
         parameters:\n      \
         - seeds: \"{seed}\"\n\
         listen_address: {ip}\n\
         storage_port: {storage}\n\
         rpc_address: {ip}\n\
         native_transport_port: {port}\n\
         paxos_variant: v2\n\
         auto_snapshot: false\n",
        token = token(index, settings.nodes),
        ip = cql.ip(),
        storage = internode.port(),
        port = cql.port(),
    );
    let _ = if settings.durable {
        write!(yaml, "commitlog_sync: group\ncommitlog_sync_group_window: 2ms\n")
    } else {
        write!(yaml, "commitlog_sync: periodic\ncommitlog_sync_period: 10000ms\n")
    };
    yaml
}

/// The tokens divide the ring evenly. They are given, since choosing them takes the server half a minute.
fn token(index: u8, nodes: u8) -> i64 {
    let step = (1_i128 << 64) / i128::from(nodes.max(1));
    let token = i128::from(index) * step;
    // Round the ring: what lies beyond the last token comes out at the first.
    let wrapped = if token > i128::from(i64::MAX) { token - (1_i128 << 64) } else { token };
    i64::try_from(wrapped).unwrap_or(0)
}

fn arguments(settings: &Settings, jars: &Path, config: &Path, logback: &Path, data: &Path) -> Vec<OsString> {
    let memory = settings.memory_mib;
    let mut all = Vec::<OsString>::new();
    all.extend(
        [format!("-Xms{memory}m"), format!("-Xmx{memory}m"), "-XX:+ExitOnOutOfMemoryError".to_owned()]
            .map(OsString::from),
    );
    let collector = if memory < G1_FROM_MIB { "-XX:+UseSerialGC" } else { "-XX:+UseG1GC" };
    all.extend([collector, "-Xss512k", "-Djdk.attach.allowAttachSelf=true"].map(OsString::from));
    for (option, packages) in [("--add-exports", EXPORTS), ("--add-opens", OPENS)] {
        all.extend(packages.iter().flat_map(|package| [option.into(), format!("{package}=ALL-UNNAMED").into()]));
    }
    all.extend(
        [
            "-Dio.netty.tryReflectionSetAccessible=true",
            "-Dcassandra-foreground=yes",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=5000",
            "-Dcassandra.shutdown_announce_in_ms=200",
            // A node that missed a CREATE TABLE asks for it now, not in a minute.
            "-Dcassandra.migration_delay_ms=500",
            "-Dcassandra.schema_pull_interval_ms=1000",
            // Where clients log in, the first one's name and password are there at once.
            "-Dcassandra.superuser_setup_delay_ms=0",
        ]
        .map(OsString::from),
    );
    all.push(format!("-Dcassandra.config={}", file_url(config)).into());
    all.push(joined("-Dlogback.configurationFile=", logback));
    all.push(joined("-Dcassandra.storagedir=", data));
    all.push("-cp".into());
    all.push(jars.join("*").into_os_string());
    all.push("org.apache.cassandra.service.CassandraDaemon".into());
    all
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut joined = OsString::from(option);
    joined.push(path);
    joined
}

fn file_url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{super::settings::tests::cassandra, *};

    #[test]
    fn the_configuration_says_what_must_be_said() {
        let yaml = yaml(&cassandra(3), &Name::default(), 1);
        assert_eq!(
            yaml,
            "cluster_name: dna_default\n\
             partitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
             endpoint_snitch: SimpleSnitch\n\
             num_tokens: 1\n\
             initial_token: \"6148914691236517205\"\n\
             auto_bootstrap: false\n\
             seed_provider:\n\
             \x20 - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n\
             \x20   parameters:\n\
             \x20     - seeds: \"127.0.0.1:7000\"\n\
             listen_address: 127.0.0.2\n\
             storage_port: 7000\n\
             rpc_address: 127.0.0.2\n\
             native_transport_port: 9042\n\
             paxos_variant: v2\n\
             auto_snapshot: false\n\
             commitlog_sync: periodic\n\
             commitlog_sync_period: 10000ms\n"
        );
    }

    #[test]
    fn a_durable_server_syncs_in_groups_and_has_no_period() {
        let yaml = yaml(&Settings { durable: true, ..cassandra(1) }, &Name::default(), 0);
        assert!(yaml.ends_with("commitlog_sync: group\ncommitlog_sync_group_window: 2ms\n"), "{yaml}");
        assert!(!yaml.contains("period"), "{yaml}");
    }

    #[test]
    fn tokens_divide_the_ring_evenly() {
        assert_eq!(token(0, 1), 0);
        let tokens = [0, 1, 2].map(|index| token(index, 3));
        assert_eq!(tokens, [0, 6_148_914_691_236_517_205, -6_148_914_691_236_517_206]);
    }

    #[test]
    fn the_heap_chooses_the_collector() {
        for (memory_mib, collector) in
            [(512, "-XX:+UseSerialGC"), (1535, "-XX:+UseSerialGC"), (1536, "-XX:+UseG1GC"), (2048, "-XX:+UseG1GC")]
        {
            let settings = Settings { memory_mib, ..cassandra(1) };
            let path = Path::new("/a b");
            let arguments = arguments(&settings, path, path, path, path);
            assert!(arguments.contains(&collector.into()), "{memory_mib}");
            assert!(arguments.contains(&format!("-Xmx{memory_mib}m").into()), "{memory_mib}");
            assert!(arguments.contains(&"-Dcassandra.config=file:///a%20b".into()));
            assert!(arguments.contains(&"-Dcassandra.storagedir=/a b".into()));
        }
    }
}
