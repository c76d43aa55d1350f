//! A key server in a process of its own, and the bad hours that it can be given.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::http::{Client, get};
use super::keys;

/// Where key sets stand.
pub const PATH: &str = "/jwks.json";

/// A running key server; it ends with this value.
pub struct KeyServer {
    child: Child,
    pub address: SocketAddr,
}

impl KeyServer {
    /// Starts one that serves these keys.
    pub fn start(keys: &[(&str, &str)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keyserver/keyserver.py");
        let command = Command::new("python3").arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let port = line.trim().strip_prefix("PORT ").and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or_else(|| panic!("the key server says {line:?}"));
        let server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        server.serve(keys);
        server
    }

    /// Serves these keys of tests/keys, each under an id.
    pub fn serve(&self, keys: &[(&str, &str)]) {
        let keys: Vec<Value> = keys
            .iter()
            .map(|(kid, name)| {
                let mut jwk = keys::jwk(name);
                jwk["kid"] = json!(kid);
                jwk["use"] = json!("sig");
                jwk
            })
            .collect();
        self.document(PATH, &json!({ "keys": keys }).to_string());
    }

    /// Serves this text.
    pub fn document(&self, path: &str, text: &str) {
        self.put(&format!("/control/document?path={path}"), text);
    }

    /// Begins another hour: see keyserver.py.
    pub fn mode(&self, mode: &str) {
        self.put("/control/mode", mode);
    }

    /// Every request that was not for control: path, status, and the entity tag shown.
    pub fn requests(&self) -> Vec<Value> {
        let answer = get(self.address, "/control/count", &[]).expect("the key server answers");
        let counted: Value = serde_json::from_slice(&answer.body).expect("JSON");
        counted["requests"].as_array().expect("a list").clone()
    }

    fn put(&self, path: &str, body: &str) {
        let mut client = Client::connect(self.address).expect("a connection");
        let request = format!("PUT {path} HTTP/1.1\r\nhost: keys\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let answer = client.send(request.as_bytes(), false).expect("the key server answers");
        assert_eq!(answer.status, 204, "{path}");
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
