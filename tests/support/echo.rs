//! A service in this process that keeps and returns exactly what it got.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Headers;
use super::http::split_head;

/// One request as the service got it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// In the order received, as octets.
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
}

impl Seen {
    /// The head with pseudo headers, as the module would see it.
    pub fn pairs(&self) -> Headers {
        let mut pairs = vec![
            (":method".to_string(), self.method.clone().into_bytes()),
            (":path".to_string(), self.target.clone().into_bytes()),
        ];
        for (name, value) in &self.headers {
            let name = if name.eq_ignore_ascii_case("host") { ":authority" } else { name };
            pairs.push((name.to_string(), value.clone()));
        }
        pairs
    }

    fn to_json(&self) -> Value {
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "b64": STANDARD.encode(bytes) }),
        };
        let list = |pairs: &[(String, Vec<u8>)]| -> Vec<Value> {
            pairs.iter().map(|(name, value)| json!([name, text(value)])).collect()
        };
        json!({
            "method": self.method,
            "target": self.target,
            "headers": list(&self.headers),
            "body": text(&self.body),
            "trailers": list(&self.trailers),
        })
    }
}

/// The service; it lives as long as the process.
pub struct Echo {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Echo {
    /// Listens on a free loopback port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A peer that goes away mid-request is none of our business.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { address, seen }
    }

    /// Everything that arrived since the last call.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().expect("no holder panics"))
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Vec<Seen>>) -> Result<(), String> {
    let mut unread = Vec::new();
    while let Some(seen) = receive(&mut stream, &mut unread)? {
        let body = seen.to_json().to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let text = if seen.method == "HEAD" { head } else { head + &body };
        shared.lock().map_err(|e| e.to_string())?.push(seen);
        stream.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<Option<Seen>, String> {
    let Some(head) = until(stream, unread, b"\r\n\r\n")? else { return Ok(None) };
    let (first, headers) = split_head(&head)?;
    let line = String::from_utf8_lossy(first).into_owned();
    let (method, rest) = line.split_once(' ').ok_or("no method")?;
    let (target, _) = rest.rsplit_once(' ').ok_or("no target")?;
    let mut seen = Seen { method: method.into(), target: target.into(), headers, ..Seen::default() };
    let value = |name: &str| {
        let found = seen.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase())
    };
    if value("transfer-encoding").is_some_and(|v| v == "chunked") {
        loop {
            let line = until(stream, unread, b"\r\n")?.ok_or("closed in a chunk")?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| format!("chunk size {size:?}"))?;
            if size == 0 {
                break;
            }
            seen.body.extend(exactly(stream, unread, size)?);
            exactly(stream, unread, 2)?;
        }
        loop {
            let line = until(stream, unread, b"\r\n")?.ok_or("closed in the trailers")?;
            if line.len() == 2 {
                break;
            }
            // An empty first line, then one header.
            seen.trailers.extend(split_head(&[b"\r\n", &line[..]].concat())?.1);
        }
    } else if let Some(length) = value("content-length") {
        seen.body = exactly(stream, unread, length.parse().map_err(|_| "content-length")?)?;
    }
    Ok(Some(seen))
}

/// Octets up to and with a mark; None if the peer closed before the first.
fn until(stream: &mut TcpStream, unread: &mut Vec<u8>, mark: &[u8]) -> Result<Option<Vec<u8>>, String> {
    loop {
        if let Some(at) = unread.windows(mark.len()).position(|w| w == mark) {
            return Ok(Some(unread.drain(..at + mark.len()).collect()));
        }
        if more(stream, unread)? == 0 {
            return if unread.is_empty() { Ok(None) } else { Err("closed in a head".into()) };
        }
    }
}

fn exactly(stream: &mut TcpStream, unread: &mut Vec<u8>, length: usize) -> Result<Vec<u8>, String> {
    while unread.len() < length {
        if more(stream, unread)? == 0 {
            return Err("closed in a body".into());
        }
    }
    Ok(unread.drain(..length).collect())
}

fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<usize, String> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(count) => {
                unread.extend(&buffer[..count]);
                return Ok(count);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
}
