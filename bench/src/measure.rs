//! The run: verify, warm up, then rounds that visit every variant once.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::credentials::Credentials;
use crate::envoy::Envoy;
use crate::load::Load;
use crate::machine::{self, Cores, Others};
use crate::options::Options;
use crate::results::{Results, Row};
use crate::variants::{Filter, Variant, chosen};
use crate::{start, verify};

/// After this, a worker without work sleeps, and the scheduler has booked its time.
const SETTLE: Duration = Duration::from_millis(3);
const WARM_UP: usize = 2_000;

/// Measures everything that the options ask for.
pub fn run(options: &Options) -> Outcome<Results> {
    let begun = Instant::now();
    let variants = chosen(&options.only);
    if variants.is_empty() {
        return Err("no variant has such a name".into());
    }
    let cores = machine::pin();
    let made = Credentials::make();
    let mut results = Results::begin(options, cores, &made)?;
    rounds(options, cores, &variants, &made, begun, &mut results)?;
    start::measure(options, cores, &made, begun, &mut results)?;
    results.end();
    Ok(results)
}

fn rounds(
    options: &Options,
    cores: Option<Cores>,
    variants: &[&'static Variant],
    made: &Credentials,
    begun: Instant,
    results: &mut Results,
) -> Outcome<()> {
    let is_used = |filter: &Filter| variants.iter().any(|variant| variant.filter == *filter);
    let filters: Vec<Filter> = Filter::all().into_iter().filter(is_used).collect();
    let envoy = Envoy::start(options, cores, &filters)?;
    verify::variants(&envoy, variants, made)?;
    eprintln!("bench: {} variants answer as they should", variants.len());

    let load = |variant: &&'static Variant| Load::connect(envoy.listener(variant.filter)?, **variant, made);
    let mut loads = variants.iter().map(load).collect::<Outcome<Vec<_>>>()?;
    for load in &mut loads {
        load.run(WARM_UP.min(options.requests))?;
    }
    results.rows = variants.iter().map(|variant| Row::new(variant)).collect();

    let decided = verify::decided(&envoy)?;
    let others = Others::watch(own(&envoy)?);
    let mut done = 0;
    while done < options.rounds {
        let mut order: Vec<usize> = (0..loads.len()).collect();
        if done % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let (Some(load), Some(row)) = (loads.get_mut(index), results.rows.get_mut(index)) else {
                continue;
            };
            sleep(SETTLE);
            let before = cpu(&envoy)?;
            let took = load.run(options.requests)?;
            sleep(SETTLE);
            row.add(cpu(&envoy)? - before, took, options.requests);
        }
        done += 1;
        eprint!("\rbench: round {done} of {}", options.rounds);
        if begun.elapsed() > options.limit && done < options.rounds {
            results.warn(format!("time was up after {done} of {} rounds", options.rounds));
            break;
        }
    }
    eprintln!();
    results.others = others.share(own(&envoy)?);
    results.rounds = done;

    let ours = variants.iter().filter(|variant| variant.filter.is_ours()).count();
    let (expected, counted) = ((ours * done * options.requests) as u64, verify::decided(&envoy)? - decided);
    if counted != expected {
        return Err(format!("gatekey decided {counted} requests, but {expected} were sent to it").into());
    }
    let log = envoy.log();
    if log.contains("[critical]") || log.contains("[error]") {
        return Err(format!("Envoy complained:\n{log}").into());
    }
    Ok(())
}

fn cpu(envoy: &Envoy) -> Outcome<Duration> {
    machine::cpu_time(envoy.id()).ok_or_else(|| "the scheduler's times of Envoy cannot be read".into())
}

/// The CPU time of Envoy and of this process.
fn own(envoy: &Envoy) -> Outcome<Duration> {
    Ok(cpu(envoy)? + machine::cpu_time(std::process::id()).unwrap_or_default())
}
