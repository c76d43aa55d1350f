//! The load generator: a few keep-alive connections, one request under way on each, every answer checked.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::credentials::Credentials;
use crate::variants::Variant;

const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);
/// The path that is asked for while measuring.
pub const PATH: &str = "/orders/2025/items?page=2";

/// The requests of one variant, and the connections that they go over. These stay open from round to
/// round: the first request of a connection costs a hundred times what the others do.
pub struct Load<'c> {
    variant: Variant,
    connections: Vec<Connection>,
    credentials: &'c [String],
    next: usize,
    request: Vec<u8>,
    until_credential: usize,
}

impl<'c> Load<'c> {
    /// Connects.
    pub fn connect(address: SocketAddr, variant: Variant, made: &'c Credentials) -> Outcome<Self> {
        let connections: Result<Vec<_>, _> = (0..CONNECTIONS).map(|_| Connection::open(address)).collect();
        let request = variant.request(PATH);
        Ok(Self {
            variant,
            connections: connections?,
            credentials: variant.credentials(made),
            next: 0,
            until_credential: request.len(),
            request,
        })
    }

    /// Sends this many requests, and gives the time until the last answer.
    pub fn run(&mut self, count: usize) -> Outcome<Duration> {
        let started = Instant::now();
        let waiting = self.connections.len().min(count);
        (0..waiting).try_for_each(|at| self.send(at))?;
        for number in 0..count {
            let at = number % self.connections.len();
            self.receive(at)?;
            if number + waiting < count {
                self.send(at)?;
            }
        }
        Ok(started.elapsed())
    }

    fn send(&mut self, at: usize) -> Outcome<()> {
        let credential = self.credentials.get(self.next).ok_or("no credential to send")?;
        self.next = (self.next + 1) % self.credentials.len();
        self.request.truncate(self.until_credential);
        self.request.extend_from_slice(credential.as_bytes());
        self.request.extend_from_slice(b"\r\n\r\n");
        let connection = self.connections.get_mut(at).ok_or("no such connection")?;
        connection.stream.write_all(&self.request)?;
        Ok(())
    }

    fn receive(&mut self, at: usize) -> Outcome<()> {
        let connection = self.connections.get_mut(at).ok_or("no such connection")?;
        let answer = connection.receive()?;
        if answer.status == self.variant.status {
            return Ok(());
        }
        let Variant { name, status, .. } = self.variant;
        Err(format!("{name}: status {} in place of {status}: {}", answer.status, answer.text()).into())
    }
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    octets: Vec<u8>,
}

/// One answer.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    head: &'a [u8],
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, octets: vec![0; 64 * 1024] })
    }

    /// Sends one request and waits for its answer.
    pub fn ask(&mut self, request: &[u8]) -> Outcome<Answer<'_>> {
        self.stream.write_all(request)?;
        self.receive()
    }

    fn receive(&mut self) -> Outcome<Answer<'_>> {
        let mut filled = 0;
        let head = loop {
            let free = self.octets.get_mut(filled..).unwrap_or_default();
            match self.stream.read(free) {
                Ok(0) => return Err("Envoy closed a connection".into()),
                Ok(count) => filled += count,
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(format!("no answer: {why}").into()),
            }
            if let Some(head) = whole(self.octets.get(..filled).unwrap_or_default())? {
                break head;
            }
        };
        let head = self.octets.get(..head).unwrap_or_default();
        let status = head.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        Ok(Answer { status: status.ok_or("an answer without status")?, head })
    }
}

impl Answer<'_> {
    /// Its status line and headers.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.head).into_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let mut pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }
}

/// The length of the head, once head and body are there whole.
fn whole(octets: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = octets.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let lines = octets.get(..head).unwrap_or_default().split(|octet| *octet == b'\n');
    let length = lines.filter_map(|line| line.strip_prefix(b"content-length: ")).next();
    let length = length.and_then(|digits| str::from_utf8(digits).ok()?.trim().parse::<usize>().ok());
    let length = length.ok_or("an answer without content-length")?;
    Ok((octets.len() >= head + 4 + length).then_some(head))
}
