//! One Envoy process: started with one worker, asked through its admin port, stopped by its own id.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;
use crate::bootstrap::bootstrap;
use crate::machine::Cores;
use crate::options::Options;
use crate::variants::Filter;

/// Compiling the module takes seconds on a small, busy machine.
const START: Duration = Duration::from_secs(60);

/// A running Envoy. It ends with this value, and, should this process be killed, with this process.
pub struct Envoy {
    child: Child,
    folder: PathBuf,
    started: Instant,
    listeners: BTreeMap<String, SocketAddr>,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts one with these listeners, and waits until they are bound.
    pub fn start(options: &Options, cores: Option<Cores>, filters: &[Filter]) -> Outcome<Self> {
        forget_the_dead(&options.out);
        let folder = options.out.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let config = folder.join("envoy.json");
        fs::write(&config, bootstrap(filters, &options.module).to_string())?;
        let address = folder.join("admin");
        let _ = fs::remove_file(&address);
        let log = File::create(folder.join("envoy.log"))?;
        let mut command = wrapped(cores, &options.envoy);
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "--config-path"]);
        command.arg(&config).arg("--admin-address-path").arg(&address);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().map_err(|why| format!("{command:?}: {why}"))?;
        let admin = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self { child, folder, started, listeners: BTreeMap::new(), admin };
        match envoy.wait(&address, filters.len()) {
            Ok(()) => Ok(envoy),
            Err(why) => Err(format!("{why}; Envoy's log:\n{}", envoy.log()).into()),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Where a listener listens.
    pub fn listener(&self, filter: Filter) -> Outcome<SocketAddr> {
        let address = self.listeners.get(&filter.name()).copied();
        address.ok_or_else(|| format!("Envoy has no listener {}", filter.name()).into())
    }

    /// The counters of filters, by name.
    pub fn counters(&self) -> Outcome<BTreeMap<String, u64>> {
        let text = get(self.admin, "/stats?filter=gatekey_requests_total|jwt_authn|api_key_auth")?;
        let counter = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(counter).collect())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("envoy.log")).unwrap_or_default()
    }

    fn wait(&mut self, address: &Path, listeners: usize) -> Outcome<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("Envoy ended by itself: {status}").into());
            }
            if self.started.elapsed() > START {
                return Err("Envoy did not start to listen".into());
            }
            if let Some(admin) = fs::read_to_string(address).ok().and_then(|text| text.trim().parse().ok()) {
                self.admin = admin;
                self.listeners = listening(admin).unwrap_or_default();
                if self.listeners.len() == listeners {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of runs that were killed.
fn forget_the_dead(out: &Path) {
    for folder in fs::read_dir(out).into_iter().flatten().flatten() {
        let name = folder.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("run-"));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// The command under `taskset`, for its core, and `setpriv`, so that the kernel ends it with this process.
fn wrapped(cores: Option<Cores>, envoy: &Path) -> Command {
    let mut words: Vec<String> = Vec::new();
    if let Some(cores) = cores {
        words.extend(["taskset", "-c"].map(String::from));
        words.push(cores.envoy.to_string());
    }
    let known = Command::new("setpriv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.is_ok_and(|status| status.success()) {
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(String::from));
    }
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return Command::new(envoy);
    };
    let mut command = Command::new(first);
    command.args(words).arg(envoy);
    command
}

/// The listeners that are bound, by name.
fn listening(admin: SocketAddr) -> Outcome<BTreeMap<String, SocketAddr>> {
    let listed: Value = serde_json::from_str(&get(admin, "/listeners?format=json")?)?;
    let listener = |status: &Value| {
        let address = &status["local_address"]["socket_address"];
        let port = u16::try_from(address["port_value"].as_u64()?).ok().filter(|port| *port != 0)?;
        Some((status["name"].as_str()?.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
    };
    Ok(listed["listener_statuses"].as_array().into_iter().flatten().filter_map(listener).collect())
}

/// Asks the admin port.
fn get(admin: SocketAddr, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(START))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the admin port answers without a head")?;
    Ok(if head.contains("chunked") { unchunked(body) } else { body.to_owned() })
}

/// A body without its chunk sizes.
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, after)) = after.split_at_checked(size).filter(|_| size > 0) else {
            break;
        };
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap_or(after);
    }
    body
}
