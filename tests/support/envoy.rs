//! Starts a real Envoy, from a binary or in Docker, with one listener per policy, and reads its
//! logs and counters.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bootstrap::bootstrap;
use super::http::{Response, get};

/// Compiling the module in V8 takes seconds on a small machine.
const START: Duration = Duration::from_secs(90);
/// How long a log line may take to reach its file.
const LOG_LINE: Duration = Duration::from_secs(10);

/// Where an Envoy comes from.
#[derive(Clone)]
pub enum Launch {
    Binary(PathBuf),
    /// The image's name.
    Docker(String),
}

/// One Envoy of a test file at a time: the machine is small, and a start compiles the module.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An Envoy and a module, or None after saying loudly why there is none.
///
/// # Panics
/// If something is missing and `CI=true`: there a skipped rung is a failed one.
pub fn available() -> Option<(Launch, PathBuf)> {
    // The module first: to find an Envoy may mean to fetch one.
    let missing = match module().and_then(|module| Ok((launch()?, module))) {
        Ok(found) => return Some(found),
        Err(why) => why,
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the Envoy rung cannot run: {missing}");
    super::say(&format!("SKIPPED: the Envoy rung did not run: {missing}"));
    None
}

fn launch() -> Result<Launch, String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(image) = set("GATEKEY_ENVOY_DOCKER") {
        let up = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        return match up {
            Ok(status) if status.success() => Ok(Launch::Docker(image)),
            _ => Err("`docker info` fails: no Docker here".into()),
        };
    }
    if let Some(path) = set("ENVOY") {
        return Ok(Launch::Binary(path.into()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/envoy");
    let output = Command::new(&script).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| format!("{}: {e}; ENVOY names no binary either", script.display()))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
    match output.status.success() && !path.is_empty() {
        true => Ok(Launch::Binary(path.into())),
        false => Err(format!("{} found no Envoy", script.display())),
    }
}

fn module() -> Result<PathBuf, String> {
    let path = match std::env::var_os("GATEKEY_WASM") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/gatekey.wasm"),
    };
    if path.is_file() { Ok(path) } else { Err(format!("{} is not there; `make wasm` makes it", path.display())) }
}

/// What Envoy does after the module trapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterTrap {
    FailClosed,
    FailReload,
}

/// What to start.
pub struct Setup {
    /// The octets of the module.
    pub module: Vec<u8>,
    /// One listener each: its name, and its policy.
    pub policies: Vec<(String, Value)>,
    /// The VM environment.
    pub env: Vec<(String, String)>,
    pub after_trap: AfterTrap,
    pub workers: usize,
    /// Where allowed requests go.
    pub upstream: SocketAddr,
    /// Further clusters: their names, and the one address of each.
    pub clusters: Vec<(String, SocketAddr)>,
    /// Whether the module may have Envoy check signatures.
    pub offload: bool,
    /// Whether the listeners speak TLS and ask for certificates.
    pub tls: bool,
}

/// A running Envoy; it ends with this value.
pub struct Envoy {
    child: Child,
    container: Option<String>,
    folder: PathBuf,
    admin: SocketAddr,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Envoy {
    /// Starts an Envoy and waits until it serves.
    ///
    /// # Errors
    /// The log, if it ends or does not become ready.
    pub fn start(launch: &Launch, setup: &Setup) -> Result<Self, String> {
        let (id, folder) = new_folder();
        fs::write(folder.join("module.wasm"), &setup.module).expect("the module's copy");
        Self::run(launch, id, folder.clone(), &bootstrap(setup, &folder).to_string(), &[], setup.workers)
    }

    /// Starts an Envoy with a whole configuration in YAML, where `/etc/envoy/gatekey.wasm` stands for the module.
    ///
    /// # Errors
    /// The log, if it ends or does not become ready.
    pub fn start_with(launch: &Launch, module: &[u8], text: &str, env: &[(&str, &str)]) -> Result<Self, String> {
        let (id, folder) = new_folder();
        let copy = folder.join("module.wasm");
        fs::write(&copy, module).expect("the module's copy");
        let text = text.replace("/etc/envoy/gatekey.wasm", &copy.display().to_string());
        Self::run(launch, id, folder, &text, env, 1)
    }

    /// JSON is YAML, so one kind of file does.
    fn run(
        launch: &Launch,
        id: String,
        folder: PathBuf,
        text: &str,
        env: &[(&str, &str)],
        workers: usize,
    ) -> Result<Self, String> {
        let path = |name: &str| folder.join(name).display().to_string();
        fs::write(path("bootstrap.yaml"), text).expect("the bootstrap file");
        let mut command;
        let mut container = None;
        match launch {
            Launch::Binary(binary) => {
                command = Command::new(binary);
                command.envs(env.iter().copied());
            }
            Launch::Docker(image) => {
                let volume = format!("{0}:{0}", folder.display());
                command = Command::new("docker");
                // As root, since the folder is ours; the image's own user could not write there.
                command.args(["run", "--rm", "--name", &id, "--network", "host", "--user", "0:0"]);
                command.args(["--env", "ENVOY_UID=0", "--volume", &volume]);
                for (name, value) in env {
                    command.args(["--env", &format!("{name}={value}")]);
                }
                command.arg(image);
                container = Some(id);
            }
        }
        command.args(["--config-path", &path("bootstrap.yaml"), "--concurrency", &workers.to_string()]);
        command.args(["--admin-address-path", &path("admin"), "--disable-hot-restart"]);
        command.args(["--log-level", "info", "--component-log-level", "wasm:debug"]);
        command.args(["--file-flush-interval-msec", "5"]);
        let log = File::create(path("envoy.log")).expect("a log file");
        let other = log.try_clone().expect("a second handle");
        let child = command.stdin(Stdio::null()).stdout(other).stderr(log).spawn();
        let child = child.map_err(|e| format!("{command:?}: {e}"))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self { child, container, folder, admin: nowhere, listeners: BTreeMap::new() };
        envoy.wait().map_err(|why| {
            // The lists of what is compiled in say nothing.
            let log = envoy.log();
            let told: Vec<&str> = log.lines().filter(|line| !line.contains("[info][main]")).collect();
            format!("{why}; Envoy's log:\n{}", told.join("\n"))
        })?;
        Ok(envoy)
    }

    /// Waits for the admin address, then for the listeners.
    fn wait(&mut self) -> Result<(), String> {
        let end = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return Err(format!("Envoy ended with {status}"));
            }
            if Instant::now() > end {
                return Err("Envoy did not become ready".into());
            }
            let admin = fs::read_to_string(self.folder.join("admin")).unwrap_or_default();
            if let Ok(admin) = admin.trim().parse() {
                self.admin = admin;
                if get(admin, "/ready", &[]).is_ok_and(|answer| answer.status == 200) {
                    break;
                }
            }
            sleep(Duration::from_millis(50));
        }
        let answer: Value =
            serde_json::from_slice(&self.admin("/listeners?format=json")?.body).map_err(|e| e.to_string())?;
        for listener in answer["listener_statuses"].as_array().into_iter().flatten() {
            let socket = &listener["local_address"]["socket_address"];
            let name = listener["name"].as_str().ok_or("a listener without name")?;
            let port = socket["port_value"].as_u64().and_then(|p| u16::try_from(p).ok()).ok_or("no port")?;
            self.listeners.insert(name.into(), SocketAddr::from(([127, 0, 0, 1], port)));
        }
        Ok(())
    }

    /// Where the listener of a policy is.
    pub fn listener(&self, name: &str) -> SocketAddr {
        *self.listeners.get(name).unwrap_or_else(|| panic!("no listener {name} in {:?}", self.listeners))
    }

    /// The memory that the process has, in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// Asks the admin interface.
    pub fn admin(&self, path: &str) -> Result<Response, String> {
        get(self.admin, path, &[]).map_err(|why| format!("admin {path}: {why}"))
    }

    /// The counters and gauges whose name matches, as long as they are not 0.
    pub fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, String> {
        let text = self.admin(&format!("/stats?usedonly&filter={filter}"))?.text();
        let pair = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_string(), value.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(pair).filter(|(_, value)| *value != 0).collect())
    }

    /// All that Envoy has logged.
    pub fn log(&self) -> String {
        fs::read(self.folder.join("envoy.log")).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// All that Envoy has logged, once a text stands so many times in it; after a while, whatever there is.
    pub fn log_with(&self, text: &str, count: usize) -> String {
        let end = Instant::now() + LOG_LINE;
        loop {
            let log = self.log();
            if log.matches(text).count() >= count || Instant::now() > end {
                return log;
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// How long the access log is, in octets.
    pub fn logged(&self) -> u64 {
        fs::metadata(self.folder.join("access.log")).map_or(0, |found| found.len())
    }

    /// The access-log lines after the first `skip` octets.
    pub fn access(&self, skip: u64) -> Vec<Value> {
        let mut text = String::new();
        if let Ok(mut file) = File::open(self.folder.join("access.log")) {
            file.seek(SeekFrom::Start(skip)).expect("a file that can seek");
            file.read_to_string(&mut text).expect("JSON text");
        }
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
    }

    /// The access-log line of the connection from `peer`, after the first `skip` octets; waits for it.
    pub fn access_of(&self, peer: SocketAddr, skip: u64) -> Result<Value, String> {
        let end = Instant::now() + LOG_LINE;
        let peer = peer.to_string();
        loop {
            let found = self.access(skip).into_iter().find(|line| line["peer"] == peer.as_str());
            match found {
                Some(line) => return Ok(line),
                None if Instant::now() > end => return Err("no line in the access log".into()),
                None => sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Lines of the log that tell of a crash in the module.
    pub fn crashes(&self) -> Vec<String> {
        const SIGNS: [&str; 8] = [
            "panicked",
            // What our own panic hook says.
            "gatekey: stopped",
            "RuntimeError",
            "unreachable",
            "Function: proxy_",
            "failed: Uncaught",
            "Backtrace",
            "Plugin configured to fail closed",
        ];
        let log = self.log();
        log.lines().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).map(String::from).collect()
    }
}

/// A folder for one Envoy, and the name that it has.
fn new_folder() -> (String, PathBuf) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("gatekey-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&id);
    fs::create_dir_all(&folder).expect("a folder for Envoy");
    (id, folder)
}

impl Drop for Envoy {
    fn drop(&mut self) {
        match &self.container {
            Some(name) => {
                let _ = Command::new("docker").args(["rm", "--force", name]).output();
            }
            None => {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the logs are in {}", self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
