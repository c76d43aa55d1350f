//! Services in Python that the tests start, and the packages that they need.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::say;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A running service; it ends with this value.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
}

impl Service {
    /// Starts a script of tests/services, which prints its port, with packages from a folder.
    pub fn start(script: &str, words: &[&str], packages: &str) -> Self {
        let mut child = Command::new("python3")
            .arg(root().join("tests/services").join(script))
            .args(words)
            .env("PYTHONPATH", packages)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().strip_prefix("PORT ").and_then(|port| port.parse().ok()).expect("its port");
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where PyJWT is, or None after saying loudly that it cannot be installed.
///
/// # Panics
/// If it cannot and `CI=true`: there a skipped test is a failed one.
pub fn pyjwt() -> Option<String> {
    let install = "import os, sys; sys.path.insert(0, 'interop'); import run; run.HOME.mkdir(parents=True, exist_ok=True); \
                   run.Python().install(); print(os.environ['PYTHONPATH'])";
    let output = Command::new("python3").args(["-c", install]).current_dir(root()).output().expect("python3");
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    missing("PyJWT", &output.stderr)
}

/// Where the libraries of tests/services/requirements.txt are, or None as [`pyjwt`] has it.
///
/// # Panics
/// As [`pyjwt`].
pub fn libraries() -> Option<String> {
    let list = root().join("tests/services/requirements.txt");
    let pins = std::fs::read_to_string(&list).expect("the list").replace("==", "-").replace('\n', "-");
    let home: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", pins.trim_end_matches('-')));
    if !home.is_dir() {
        let new = home.with_extension("new");
        let _ = std::fs::remove_dir_all(&new);
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
        let output =
            Command::new("python3").args(pip).arg("--requirement").arg(&list).arg("--target").arg(&new).output();
        let output = output.expect("python3");
        if !output.status.success() {
            return missing("the libraries of providers", &output.stderr);
        }
        std::fs::rename(&new, &home).expect("moved into its place");
    }
    Some(home.display().to_string())
}

fn missing(what: &str, told: &[u8]) -> Option<String> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}: {}", String::from_utf8_lossy(told));
    say(&format!("SKIPPED: what needs {what}, which cannot be installed here"));
    None
}
