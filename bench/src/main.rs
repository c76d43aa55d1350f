//! `bench/run`: what a request costs with gatekey, with Envoy's own filters, and with none, side by side
//! in one Envoy process. It measures and prints; it never judges.

mod bootstrap;
mod credentials;
mod envoy;
mod figures;
mod load;
mod machine;
mod measure;
mod options;
mod plot;
mod policies;
mod print;
mod results;
mod signing;
mod start;
mod tables;
mod variants;
mod verify;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use options::Options;
use results::Results;

/// Whatever goes wrong is told to a person, and ends the run.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let options = Options::read(std::env::args().skip(1))?;
    if options.help {
        print!("{}", options::HELP);
        return Ok(());
    }
    let results = match &options.from {
        Some(file) => Results::read(file)?,
        None => measured(&options)?,
    };
    if options.markdown {
        print!("{}", print::markdown(&results));
    } else {
        print!("{}", print::plain(&results));
    }
    Ok(())
}

/// Measures, and keeps the result and its plot beside those of earlier runs.
fn measured(options: &Options) -> Outcome<Results> {
    let results = measure::run(options)?;
    let folder = &options.out;
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string_pretty(&results)? + "\n";
    let keep = |name: &str, text: &str| fs::write(Path::new(folder).join(name), text);
    keep(&format!("{}.json", results.started.replace(':', "")), &text)?;
    keep("latest.json", &text)?;
    keep("latest.svg", &plot::draw(&results))?;
    eprintln!("bench: wrote {0}/latest.json and {0}/latest.svg", folder.display());
    Ok(results)
}
