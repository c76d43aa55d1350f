//! A stand-in for a rate limit service: just enough HTTP/2 and gRPC to be asked by Envoy, counting what it is asked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The entries of one descriptor.
pub type Descriptor = Vec<(String, String)>;

/// Where the counts stand.
#[derive(Default)]
struct Book {
    /// How many requests each descriptor may have.
    limits: Vec<(Descriptor, usize)>,
    /// How often each was asked for, by domain.
    asked: BTreeMap<(String, Descriptor), usize>,
}

/// The service; it lives as long as the process.
pub struct Quota {
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl Quota {
    /// Listens on a free loopback port. Descriptors that begin with an entry of a limit have that limit, each its own.
    pub fn start(limits: &[(&str, &str, usize)]) -> Self {
        let limits =
            limits.iter().map(|(key, value, most)| (vec![(key.to_string(), value.to_string())], *most)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let book = Arc::new(Mutex::new(Book { limits, ..Book::default() }));
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Self { address, book }
    }

    /// How often each descriptor was asked for, by domain.
    pub fn asked(&self) -> BTreeMap<(String, Descriptor), usize> {
        self.book.lock().expect("no holder panics").asked.clone()
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One connection (RFC 9113). The heads of requests are not looked at: the service has one method.
fn serve(mut stream: TcpStream, book: &Mutex<Book>) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 24])?;
    send(&mut stream, SETTINGS, 0, 0, &[])?;
    let mut bodies: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let echoed = if kind == PING { &payload[..] } else { &[] };
                send(&mut stream, kind, ACK, 0, echoed)?;
            }
            DATA => {
                assert_eq!(flags & 8, 0, "Envoy does not pad");
                bodies.entry(id).or_default().extend(&payload);
                if length > 0 {
                    send(&mut stream, WINDOW_UPDATE, 0, 0, &length.to_be_bytes())?;
                }
                if flags & END_STREAM != 0 {
                    // Before the message stand a flag and its length.
                    let body = bodies.remove(&id).unwrap_or_default();
                    let code = book.lock().expect("no holder panics").decide(&body[5..]);
                    // :status 200, content-type (RFC 7541 appendix A and section 6.2.2)
                    send(&mut stream, HEADERS, END_HEADERS, id, b"\x88\x0f\x10\x10application/grpc")?;
                    send(&mut stream, DATA, 0, id, &[0, 0, 0, 0, 2, 0x08, code])?;
                    send(&mut stream, HEADERS, END_HEADERS | END_STREAM, id, b"\0\x0bgrpc-status\x010")?;
                }
            }
            _ => {}
        }
    }
}

fn send(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).expect("short");
    let frame = [&length.to_be_bytes()[1..], &[kind, flags], &id.to_be_bytes(), payload].concat();
    stream.write_all(&frame)
}

impl Book {
    /// The code of `RateLimitResponse`: 1 for OK, 2 for OVER_LIMIT.
    fn decide(&mut self, request: &[u8]) -> u8 {
        let fields = fields(request);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let domain = fields.iter().find(|(number, _)| *number == 1).map(|(_, value)| text(value)).unwrap_or_default();
        let mut code = 1;
        for (_, descriptor) in fields.iter().filter(|(number, _)| *number == 2) {
            let entries: Descriptor = self::fields(descriptor)
                .iter()
                .filter(|(number, _)| *number == 1)
                .map(|(_, entry)| {
                    let parts = self::fields(entry);
                    let part = |n| parts.iter().find(|(number, _)| *number == n).map(|(_, value)| text(value));
                    (part(1).unwrap_or_default(), part(2).unwrap_or_default())
                })
                .collect();
            let most = self.limits.iter().find(|(start, _)| entries.starts_with(start)).map(|(_, most)| *most);
            let count = self.asked.entry((domain.clone(), entries)).or_default();
            *count += 1;
            if most.is_some_and(|most| *count > most) {
                code = 2;
            }
        }
        code
    }
}

/// The length-delimited fields of a protobuf message, by number; varints are passed over.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        match tag & 7 {
            0 => drop(varint(&mut message)),
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("short");
                found.push((tag >> 3, &message[..length]));
                message = &message[length..];
            }
            kind => panic!("wire type {kind}"),
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let octet = message[0];
        *message = &message[1..];
        value |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    value
}
