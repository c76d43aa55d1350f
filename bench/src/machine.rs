//! The machine: which cores are used, and how busy it is with other things.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The cores of Envoy and of the load generator; `None` where there is only one, or no way to choose.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// Envoy's.
    pub envoy: usize,
    /// Ours.
    pub load: usize,
}

/// Takes two cores of those that this process may use, and moves it to the second. Called before any
/// thread is made.
pub fn pin() -> Option<Cores> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let mut allowed = list.split(',').filter_map(range).flatten();
    let cores = Cores { envoy: allowed.next()?, load: allowed.next()? };
    let ours = std::process::id().to_string();
    let moved = Command::new("taskset")
        .args(["-p", "-c", &cores.load.to_string(), &ours])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    moved.is_ok_and(|status| status.success()).then_some(cores)
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// The CPU time of a process, summed over its threads, from the scheduler's own nanoseconds.
pub fn cpu_time(process: u32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// Resident memory of a process in MB: all, and what is not backed by files.
pub fn memory(process: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok().map(|kb| kb / 1024.0)
    };
    Some((field("VmRSS:")?, field("RssAnon:")?))
}

/// The load average of the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// The name of the processor, and how many there are.
pub fn describe() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches(['\t', ' ', ':']));
    let count = cores();
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} x {}, Linux {}", model.unwrap_or("unknown processor"), system.trim())
}

/// How many cores the machine has, whatever this process is tied to.
fn cores() -> usize {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let core =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    text.lines().filter(core).count().max(1)
}

/// How much of the machine somebody else used.
pub struct Others {
    started: Instant,
    busy: Duration,
    own: Duration,
}

impl Others {
    /// Begins to look. `own` is the CPU time used so far by all processes that are not others.
    pub fn watch(own: Duration) -> Self {
        Self { started: Instant::now(), busy: busy().unwrap_or_default(), own }
    }

    /// The share of all cores that others used since, between 0 and 1.
    pub fn share(&self, own: Duration) -> f64 {
        let busy = busy().unwrap_or_default().saturating_sub(self.busy);
        let foreign = busy.saturating_sub(own.saturating_sub(self.own)).as_secs_f64();
        foreign / (self.started.elapsed().as_secs_f64() * cores() as f64)
    }
}

/// The time that all cores were busy, or taken away from this machine, since it started.
fn busy() -> Option<Duration> {
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
    let busy: f64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|index| fields.get(*index)).sum();
    Some(Duration::from_secs_f64(busy / TICKS))
}
