//! The result of a run: every single measurement, and what the machine was doing. Kept as JSON.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::credentials::Credentials;
use crate::figures::Spread;
use crate::machine::{self, Cores};
use crate::options::Options;
use crate::signing::Alg;
use crate::variants::Variant;

/// Others that use more of the cores than this make small differences worthless.
const BUSY: f64 = 0.08;
/// So far apart may the quartiles of a variant be, as a share of its median; a quarter of the variants may break it.
const UNSTEADY: f64 = 0.05;

/// One run.
#[derive(Serialize, Deserialize)]
pub struct Results {
    /// When it began, in UTC.
    pub started: String,
    /// The processor and kernel.
    pub machine: String,
    /// Whether Envoy and the load generator had a core each.
    pub pinned: bool,
    /// What Envoy calls itself.
    pub envoy: String,
    /// The size of the module in octets.
    pub module_size: u64,
    /// Its SHA-256.
    pub module_digest: String,
    /// The length of a token.
    pub token_length: usize,
    /// The length of an API key.
    pub key_length: usize,
    /// Rounds that were finished.
    pub rounds: usize,
    /// Requests per visit.
    pub requests: usize,
    /// The load average before and after.
    pub load: (f64, f64),
    /// The share of the cores that other processes used during the rounds.
    pub others: f64,
    /// What makes the figures doubtful.
    pub warnings: Vec<String>,
    /// The variants.
    pub rows: Vec<Row>,
    /// The starts.
    pub starts: Vec<Start>,
}

/// What was measured of one variant, one number per round.
#[derive(Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The variant without filter that gets the same requests.
    pub baseline: String,
    /// CPU time of Envoy per request, in microseconds.
    pub cpu: Vec<f64>,
    /// Requests per second.
    pub rate: Vec<f64>,
}

/// What was measured of one kind of start, one number per start.
#[derive(Serialize, Deserialize)]
pub struct Start {
    /// Its name.
    pub name: String,
    /// Milliseconds from start to the first answer.
    pub listening: Vec<f64>,
    /// CPU time until then, in milliseconds.
    pub cpu: Vec<f64>,
    /// Resident memory after some requests, in MB.
    pub resident: Vec<f64>,
    /// The part of it that no file backs.
    pub anonymous: Vec<f64>,
}

impl Results {
    /// A result without measurements.
    pub fn begin(options: &Options, cores: Option<Cores>, made: &Credentials) -> Outcome<Self> {
        let module = fs::read(&options.module).map_err(|why| format!("{}: {why}", options.module.display()))?;
        let digest = Sha256::digest(&module);
        let load = machine::load_average();
        let length = |list: &[String]| list.first().map_or(0, String::len);
        let mut results = Self {
            started: told_by("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?,
            machine: machine::describe(),
            pinned: cores.is_some(),
            envoy: version(&told_by(&options.envoy.display().to_string(), &["--version"])?),
            module_size: module.len() as u64,
            module_digest: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
            token_length: length(&made.tokens(Alg::Hs256).good),
            key_length: length(&made.keys),
            rounds: 0,
            requests: options.requests,
            load: (load, load),
            others: 0.0,
            warnings: Vec::new(),
            rows: Vec::new(),
            starts: Vec::new(),
        };
        if cores.is_none() {
            results.warn("Envoy and the load generator have no core each: there is only one, or no taskset".into());
        }
        Ok(results)
    }

    /// Looks at how quiet the machine was.
    pub fn end(&mut self) {
        self.load.1 = machine::load_average();
        if self.others > BUSY {
            let percent = self.others * 100.0;
            self.warn(format!("THE MACHINE WAS BUSY: other processes used {percent:.0} % of the cores; measure again"));
        }
        // Another guest of the same hardware is seen in no list of processes, only in this.
        let unsteady = |row: &&Row| Spread::of(&row.cpu).width() > UNSTEADY * Spread::of(&row.cpu).median;
        let (count, all) = (self.rows.iter().filter(unsteady).count(), self.rows.len());
        if count * 4 > all {
            let percent = UNSTEADY * 100.0;
            self.warn(format!(
                "THE MACHINE WAS UNSTEADY: for {count} of {all} variants the quartiles of CPU per request are more than {percent:.0} % apart"
            ));
        }
    }

    /// Takes note of something that makes figures doubtful, and says it at once.
    pub fn warn(&mut self, warning: String) {
        eprintln!("\nbench: WARNING: {warning}");
        self.warnings.push(warning);
    }

    /// An earlier result.
    pub fn read(file: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
        serde_json::from_str(&text).map_err(|why| format!("{}: {why}", file.display()).into())
    }

    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    /// A row without measurements.
    pub fn new(variant: &Variant) -> Self {
        Self { name: variant.name.into(), baseline: variant.baseline().into(), cpu: Vec::new(), rate: Vec::new() }
    }

    /// Adds a round.
    pub fn add(&mut self, cpu: Duration, took: Duration, requests: usize) {
        self.cpu.push(cpu.as_secs_f64() * 1e6 / requests as f64);
        self.rate.push(requests as f64 / took.as_secs_f64());
    }
}

impl Start {
    /// Of this name, without measurements.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), listening: Vec::new(), cpu: Vec::new(), resident: Vec::new(), anonymous: Vec::new() }
    }

    /// Adds one start.
    pub fn add(&mut self, listening: Duration, cpu: Duration, resident: f64, anonymous: f64) {
        self.listening.push(listening.as_secs_f64() * 1e3);
        self.cpu.push(cpu.as_secs_f64() * 1e3);
        self.resident.push(resident);
        self.anonymous.push(anonymous);
    }
}

fn told_by(program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).output().map_err(|why| format!("{program}: {why}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `1.40.0` and the kind of build, from `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(text: &str) -> String {
    let mut parts = text.rsplit(' ').next().unwrap_or_default().split('/').skip(1);
    let number = parts.next().unwrap_or("of unknown version");
    format!("Envoy {number} {}", parts.nth(1).unwrap_or_default()).trim().to_owned()
}
