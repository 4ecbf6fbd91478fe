//! Just enough of the CQL protocol, version 4, to see that a server answers: no driver, so that the developer commands
//! stay quick to build.
//!
//! ```text
//! request  04 flags stream(2) opcode length(4) body
//! answer   84 flags stream(2) opcode length(4) body
//! ```

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, SocketAddrV4, TcpStream},
    time::Duration,
};

/// How long one look at a server may take.
const ANSWER_SECONDS_MAX: u64 = 5;

const ERROR: u8 = 0x00;
const STARTUP: u8 = 0x01;
const READY: u8 = 0x02;
const OPTIONS: u8 = 0x05;
const SUPPORTED: u8 = 0x06;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;

/// A read from all replicas, of a table that each node has a replica of.
const OF_ALL: &str =
    "SELECT view_name FROM system_distributed.view_build_status WHERE keyspace_name='x' AND view_name='x'";
const CONSISTENCY_ALL: u16 = 5;

const OF_SCHEMA: &str = "SELECT schema_version FROM system.local";
const CONSISTENCY_ONE: u16 = 1;

/// What is found at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A server that answers CQL.
    Cql,
    /// A program that listens, and does not answer CQL.
    Other,
    /// Nobody.
    Nobody,
}

/// Looks who answers at this address.
pub(super) fn look(address: SocketAddrV4) -> Found {
    let Ok(mut stream) = connect(address) else { return Found::Nobody };
    match ask(&mut stream, OPTIONS, &[]) {
        Ok((SUPPORTED, _)) => Found::Cql,
        _ => Found::Other,
    }
}

/// Whether the node at this address reaches all others: it reads from all replicas of a table with three of them.
pub(super) fn reaches_all(address: SocketAddrV4) -> bool {
    result_of(address, OF_ALL, CONSISTENCY_ALL).is_some()
}

/// The version of the schema that the node at this address has.
pub(super) fn schema_of(address: SocketAddrV4) -> Option<[u8; 16]> {
    // One row with one column: its value ends the answer.
    result_of(address, OF_SCHEMA, CONSISTENCY_ONE)?.last_chunk().copied()
}

/// The result of a statement, if it has one.
fn result_of(address: SocketAddrV4, statement: &str, consistency: u16) -> Option<Vec<u8>> {
    let mut stream = connect(address).ok()?;
    let (READY, _) = ask(&mut stream, STARTUP, &startup()).ok()? else { return None };
    let (RESULT, body) = ask(&mut stream, QUERY, &query(statement, consistency)).ok()? else { return None };
    Some(body)
}

fn connect(address: SocketAddrV4) -> io::Result<TcpStream> {
    let patience = Duration::from_secs(ANSWER_SECONDS_MAX);
    let stream = TcpStream::connect_timeout(&SocketAddr::V4(address), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

fn ask(stream: &mut (impl Read + Write), opcode: u8, body: &[u8]) -> io::Result<(u8, Vec<u8>)> {
    stream.write_all(&frame(opcode, body))?;
    answer(stream)
}

fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&[0x04, 0, 0, 0, opcode], &length.to_be_bytes()[..], body].concat()
}

/// Reads an answer: its opcode and its body.
fn answer(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    const BODY_BYTES_MAX: u32 = 1 << 20;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let [version, _, _, _, opcode, length @ ..] = header;
    let length = u32::from_be_bytes(length);
    // A server that does not know the version answers an error in one that it knows.
    if version & 0x80 == 0 || length > BODY_BYTES_MAX || (version != 0x84 && opcode != ERROR) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not an answer in CQL"));
    }
    let mut body = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    Ok((opcode, body))
}

fn startup() -> Vec<u8> {
    let string = |text: &str| [&u16::try_from(text.len()).unwrap_or(0).to_be_bytes(), text.as_bytes()].concat();
    [&1_u16.to_be_bytes()[..], &string("CQL_VERSION"), &string("3.0.0")].concat()
}

fn query(statement: &str, consistency: u16) -> Vec<u8> {
    let length = u32::try_from(statement.len()).unwrap_or(0);
    [&length.to_be_bytes()[..], statement.as_bytes(), &consistency.to_be_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// What is found at an address where this is answered.
    fn found(bytes: &'static [u8]) -> Found {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("an address of version 4") };
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 9];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(bytes).unwrap();
            request
        });
        let found = look(address);
        assert_eq!(server.join().unwrap(), [4, 0, 0, 0, 5, 0, 0, 0, 0]);
        found
    }

    #[test]
    fn a_server_is_ready_when_it_answers_what_it_supports() {
        assert_eq!(found(&[0x84, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0]), Found::Cql);
        assert_eq!(found(&[0x84, 0, 0, 0, 0, 0, 0, 0, 0]), Found::Other);
        assert_eq!(found(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Found::Other);
        assert_eq!(found(b""), Found::Other);
    }

    #[test]
    fn nobody_is_found_where_nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("an address of version 4") };
        drop(listener);
        assert_eq!(look(address), Found::Nobody);
    }

    #[test]
    fn frames_are_as_the_protocol_has_them() {
        assert_eq!(frame(STARTUP, &startup())[..11], [4, 0, 0, 0, 1, 0, 0, 0, 22, 0, 1]);
        assert_eq!(query("ab", 5), [0, 0, 0, 2, b'a', b'b', 0, 5, 0]);
    }
}
