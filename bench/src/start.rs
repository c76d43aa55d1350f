//! What a start costs: the time until the listener answers, CPU, and memory, each in a process of its own.

use std::time::Instant;

use crate::Outcome;
use crate::credentials::Credentials;
use crate::envoy::Envoy;
use crate::load::{Connection, Load, PATH};
use crate::machine::{self, Cores};
use crate::options::Options;
use crate::results::{Results, Start};
use crate::signing::Alg;
use crate::variants::{Filter, VARIANTS, Variant};

/// After so many requests memory has settled.
const REQUESTS: usize = 2_000;

const KINDS: &[(&str, Filter)] = &[
    ("no filter", Filter::None),
    ("gatekey empty", Filter::Empty),
    ("gatekey HS256", Filter::Token(Alg::Hs256)),
    ("gatekey ES256", Filter::Token(Alg::Es256)),
    ("gatekey API key, 1,000 clients", Filter::Key),
    ("gatekey production", Filter::Production),
    ("jwt_authn HS256", Filter::NativeToken(Alg::Hs256)),
    ("api_key_auth, 1,000 clients", Filter::NativeKey),
];

/// Starts every kind in turn, as often as the options say.
pub fn measure(
    options: &Options,
    cores: Option<Cores>,
    made: &Credentials,
    begun: Instant,
    results: &mut Results,
) -> Outcome<()> {
    let mut starts: Vec<Start> = KINDS.iter().map(|(name, _)| Start::new(name)).collect();
    for time in 0..options.starts {
        if begun.elapsed() > options.limit {
            results.warn(format!("time was up after {time} of {} starts of each kind", options.starts));
            break;
        }
        eprint!("\rbench: start {} of {} of each kind", time + 1, options.starts);
        for ((_, filter), start) in KINDS.iter().zip(&mut starts) {
            one(options, cores, made, *filter, start)?;
        }
    }
    if options.starts > 0 {
        eprintln!();
        results.starts = starts;
    }
    Ok(())
}

fn one(options: &Options, cores: Option<Cores>, made: &Credentials, filter: Filter, start: &mut Start) -> Outcome<()> {
    let variant = VARIANTS.iter().find(|variant| variant.filter == filter).ok_or("a filter without variant")?;
    let envoy = Envoy::start(options, cores, &[filter])?;
    let address = envoy.listener(filter)?;
    let first = first_answer(address, *variant, made)?;
    let listening = envoy.started().elapsed();
    if first != variant.status {
        return Err(format!("{}: the first answer has status {first}", variant.name).into());
    }
    let cpu = machine::cpu_time(envoy.id()).ok_or("the scheduler's times of Envoy cannot be read")?;
    Load::connect(address, *variant, made)?.run(REQUESTS)?;
    let (resident, anonymous) = machine::memory(envoy.id()).ok_or("the memory of Envoy cannot be read")?;
    start.add(listening, cpu, resident, anonymous);
    Ok(())
}

fn first_answer(address: std::net::SocketAddr, variant: Variant, made: &Credentials) -> Outcome<u16> {
    let credential = variant.credentials(made).first().ok_or("no credential")?;
    let request = [&variant.request(PATH), credential.as_bytes(), b"\r\n\r\n"].concat();
    Ok(Connection::open(address)?.ask(&request)?.status)
}
