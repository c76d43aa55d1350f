//! The options of `bench/run`.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// What `--help` prints.
pub const HELP: &str = "\
bench/run [OPTIONS]    measures gatekey beside Envoy's own filters

  --rounds N       rounds, each of which visits every variant once   [15]
  --requests N     requests of one visit                             [4000]
  --only TEXT      only variants whose name holds TEXT, and their baselines; may be given more than once
  --starts N       starts of each kind for the time to listen; 0 leaves that part out   [5]
  --minutes N      ends after the round in which this time has passed   [5]
  --markdown       prints the tables of docs/performance.md
  --from FILE      measures nothing, prints an earlier result (`latest` for the last one)
  --help           this text

ENVOY=/path uses another Envoy, GATEKEY_WASM=/path measures another module.
";

/// The options, with their defaults.
pub struct Options {
    /// How many rounds.
    pub rounds: usize,
    /// Requests per visit of a variant.
    pub requests: usize,
    /// Parts of names of variants; empty for all.
    pub only: Vec<String>,
    /// Starts per kind of configuration.
    pub starts: usize,
    /// When to stop, finished or not.
    pub limit: Duration,
    /// Whether to print Markdown.
    pub markdown: bool,
    /// The result to print in place of measuring.
    pub from: Option<PathBuf>,
    /// Whether to print the help only.
    pub help: bool,
    /// The Envoy binary.
    pub envoy: PathBuf,
    /// The module.
    pub module: PathBuf,
    /// Where results go.
    pub out: PathBuf,
}

impl Options {
    /// Reads the command line, and from the environment what the script puts there.
    pub fn read(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_default());
        let mut options = Self {
            rounds: 15,
            requests: 4000,
            only: Vec::new(),
            starts: 5,
            limit: Duration::from_secs(5 * 60),
            markdown: false,
            from: None,
            help: false,
            envoy: path("BENCH_ENVOY"),
            module: path("BENCH_MODULE"),
            out: path("BENCH_OUT"),
        };
        let mut arguments = arguments;
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{option} wants a value; see bench/run --help"));
            match option.as_str() {
                "--rounds" => options.rounds = at_least(1, &value()?)?,
                "--requests" => options.requests = at_least(100, &value()?)?,
                "--only" => options.only.push(value()?),
                "--starts" => options.starts = at_least(0, &value()?)?,
                "--minutes" => options.limit = Duration::from_secs(60 * at_least(1, &value()?)? as u64),
                "--markdown" => options.markdown = true,
                "--from" => options.from = Some(value()?.into()),
                "--help" | "-h" => options.help = true,
                _ => return Err(format!("{option} is not known; see bench/run --help").into()),
            }
        }
        if options.from.as_ref().is_some_and(|file| file.as_os_str() == "latest") {
            options.from = Some(options.out.join("latest.json"));
        }
        Ok(options)
    }
}

fn at_least(least: usize, text: &str) -> Outcome<usize> {
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| format!("{text} is not a number of at least {least}").into())
}
