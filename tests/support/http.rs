//! A small HTTP/1.1 client that sends any octets and reads the answer whole.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Headers, Request};

/// Longer than any answer takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "\n{}", self.body.escape_ascii())
    }
}

impl Response {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub fn connect(to: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|e| format!("connect {to}: {e}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// The address that the server sees.
    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Tells who speaks, as a proxy in between does (PROXY protocol, version 1).
    pub fn introduce(&mut self, address: IpAddr) -> Result<(), String> {
        let (kind, to) = if address.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
        let line = format!("PROXY {kind} {address} {to} 40000 80\r\n");
        self.stream.write_all(line.as_bytes()).map_err(|e| e.to_string())
    }

    /// Sends octets, and reads nothing yet.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), String> {
        self.stream.write_all(octets).map_err(|e| e.to_string())
    }

    /// Sends octets and reads one answer. A server may answer and close before it has read all.
    pub fn send(&mut self, request: &[u8], to_head: bool) -> Result<Response, String> {
        let sent = self.stream.write_all(request);
        self.read(to_head).map_err(|why| match sent {
            Ok(()) => why,
            Err(e) => format!("{why}; sending: {e}"),
        })
    }

    /// Reads one answer; informational ones are skipped.
    fn read(&mut self, to_head: bool) -> Result<Response, String> {
        loop {
            let head = self.until(b"\r\n\r\n")?;
            let (status, headers) = parse_head(&head)?;
            if (100..200).contains(&status) {
                continue;
            }
            let mut response = Response { status, headers, body: Vec::new() };
            let bodiless = to_head || status == 204 || status == 304;
            let chunked = response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
            if bodiless {
            } else if chunked {
                response.body = self.chunks()?;
            } else if let Some(length) = response.header("content-length") {
                let length = length.parse().map_err(|_| format!("content-length {length}"))?;
                response.body = self.exactly(length)?;
            } else {
                response.body = self.rest()?;
            }
            return Ok(response);
        }
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let size = String::from_utf8_lossy(&line);
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| format!("chunk size {size:?}"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                while self.until(b"\r\n")?.len() > 2 {}
                return Ok(body);
            }
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
        }
    }

    /// Octets up to and with a mark.
    fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|w| w == mark) {
                return Ok(self.unread.drain(..at + mark.len()).collect());
            }
            if self.more()? == 0 {
                return Err(format!("closed after {:?}", self.unread.escape_ascii().to_string()));
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.unread.len() < length {
            if self.more()? == 0 {
                return Err(format!("closed after {} of {length} octets of the body", self.unread.len()));
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn rest(&mut self) -> Result<Vec<u8>, String> {
        while self.more()? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    fn more(&mut self) -> Result<usize, String> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(count) => {
                    self.unread.extend(&buffer[..count]);
                    return Ok(count);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("reading: {e}")),
            }
        }
    }
}

/// Status and headers of an answer.
fn parse_head(head: &[u8]) -> Result<(u16, Headers), String> {
    let (first, headers) = split_head(head)?;
    let status = first.split(|b| *b == b' ').nth(1).and_then(|s| std::str::from_utf8(s).ok()?.parse().ok());
    Ok((status.ok_or_else(|| format!("status line {:?}", first.escape_ascii().to_string()))?, headers))
}

/// The first line of a head, and its headers.
pub fn split_head(head: &[u8]) -> Result<(&[u8], Headers), String> {
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let shown = || line.escape_ascii().to_string();
        let colon = line.iter().position(|b| *b == b':').ok_or_else(|| format!("header line {:?}", shown()))?;
        let name = std::str::from_utf8(&line[..colon]).map_err(|_| format!("header name {:?}", shown()))?;
        headers.push((name.to_string(), line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok((first, headers))
}

/// The octets of a request. Values go out as they are.
pub fn encode(request: &Request) -> Vec<u8> {
    if let Some(raw) = &request.raw {
        return raw.clone();
    }
    let version = if request.http10 { "1.0" } else { "1.1" };
    let method = request.method.as_deref().unwrap_or_default();
    let path = request.path.as_deref().unwrap_or_default();
    let mut out = format!("{method} {path} HTTP/{version}\r\n").into_bytes();
    for (name, value) in &request.headers {
        out.extend(name.as_bytes());
        out.extend(b": ");
        out.extend(value);
        out.extend(b"\r\n");
    }
    let has_length = request
        .headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case("content-length") || n.eq_ignore_ascii_case("transfer-encoding"));
    let body = request.body.as_deref().unwrap_or_default();
    if !has_length && (request.body.is_some() || matches!(method, "POST" | "PUT" | "PATCH")) {
        out.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    out.extend(b"\r\n");
    out.extend(body);
    out
}

/// One GET without ceremony on its own connection.
pub fn get(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Response, String> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: gatekey.test\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Client::connect(to)?.send(text.as_bytes(), false)
}
