//! `gatekey explain`: how a policy decides requests, and why.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use gatekey::cluster::Cluster;
use gatekey::explain::{Circumstances, Explanation, explain_with};
use gatekey::head::Head;
use gatekey::jose::document;
use gatekey::jose::issuer::Keys;
use gatekey::jose::keyring::Keyring;
use gatekey::json::Json;
use gatekey::list::lists::Lists;
use gatekey::list::load;
use gatekey::peer::{Known, read_address, read_digest};
use gatekey::policy::Policy;
use gatekey::reply::Reply;
use gatekey::time::Time;

use super::args::Args;
use super::list;
use super::policy_file::{Env, compile_aloud, read, read_text, text};
use super::requests::{Request, key_places, read_line};
use super::{Failure, Outcome};

pub(super) const HELP: &str = "\
usage: gatekey explain FILE --requests LIST [--now TIME]
       gatekey explain FILE [--method GET] [--path /x] [--header 'Name: value']... [--token T] [--key K]

Tells how a policy decides requests: the decision, its reason, the route, the identity, the headers that the service
sees, the steps that led there, and the answer to the caller.

  --requests LIST        a file, or - for stdin, with one request per line:
                         {\"id\",\"method\",\"path\",\"headers\":[[name,value],...]}
                         where a value that is not UTF-8 is written {\"b64\":\"...\"}, and if it matters
                         \"peer\":{\"address\":IP,\"certificate\":SHA-256 in hex} and \"policy\":NAME and
                         \"cluster\":NAME, as the proxy's route names them, and \"introspected\":JSON, as an issuer answers that is asked, and
                         \"body\":TEXT. One JSON
                         object per line is printed, in order: {\"id\",\"decision\",\"status\",\"reason\",\"route\",\"identity\",\"set\",
                         \"removed\",\"steps\"}, for a request that gatekey answers itself also
                         \"answer\":{\"status\",\"headers\",\"body\"}, or {\"id\",\"error\"} for a line that is no request
  --method, --path, --header, --body
                         one request on the command line
  --token T, --key K     show a credential where the policy looks first
  --address IP           where the request comes from, as the proxy sees it
  --certificate SHA-256  the digest, in hexadecimal digits, of the certificate that the caller has proved to hold
  --cluster NAME         where the proxy sends the request; taken for the right one where providers are asked for
  --policy NAME          decide by this one of the policies by name
  --introspected JSON    what an issuer that is asked about the token answers
  --jwks NAME=FILE       the key set of an issuer whose keys are fetched; without it they are not there
  --list NAME=FILE       a list that is fetched: clients, revoked, or revoked_1 ... where there are several
  --now TIME             decide as at this RFC 3339 time
  --env NAME=VALUE       a variable of the host's VM environment; those of this process count too
  --allow-missing-env    make up variables that are not set
  --json, --human        print JSON even on a terminal, text even elsewhere; for one request

Exit codes: 0 all requests were decided, however; 1 the policy or a line is wrong.
";

/// The options that take a value.
pub(super) const VALUES: &[&str] = &[
    "env",
    "requests",
    "now",
    "method",
    "path",
    "header",
    "token",
    "key",
    "address",
    "certificate",
    "cluster",
    "policy",
    "introspected",
    "body",
    "jwks",
    "list",
];
/// Those that go with a list of requests; the others make one request.
const WITH_REQUESTS: &[&str] = &["env", "requests", "now", "jwks", "list"];

/// What the policy has others for.
struct Fetched<'f> {
    keyring: &'f Keyring,
    lists: &'f Lists,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let file = args.file()?;
    let now = now(args)?;
    let env = Env::new(args)?;
    let list = args.one("requests")?;
    if list.is_some() {
        for option in VALUES.iter().filter(|option| !WITH_REQUESTS.contains(option)) {
            if args.all(option).next().is_some() {
                return Err(Failure::Usage(format!("--{option} does not go with --requests")));
            }
        }
        if list == Some("-") && file == "-" {
            return Err(Failure::Usage(String::from("policy and requests cannot both be stdin")));
        }
    }
    let policy = compile_aloud(&read(file)?, &env)?.policy;
    let (keyring, lists) = (keyring(&policy, args, now)?, lists(&policy, args, now)?);
    let fetched = Fetched { keyring: &keyring, lists: &lists };
    match list {
        Some(list) => explain_list(&policy, &fetched, list, now, out),
        None => explain_one(&policy, &fetched, args, now, out),
    }
}

/// The time to decide at: `--now`, else the clock.
pub(super) fn now(args: &Args) -> Result<Time, Failure> {
    match args.one("now")? {
        Some(text) => Time::parse(text)
            .ok_or_else(|| Failure::Usage(String::from("--now takes an RFC 3339 time such as 2026-12-31T00:00:00Z"))),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
        }
    }
}

/// The keys that `--jwks NAME=FILE` stands in for, as if they had just been fetched.
fn keyring(policy: &Policy, args: &Args, now: Time) -> Result<Keyring, Failure> {
    const ALL_DAY: i64 = 86_400_000;
    let mut keyring = Keyring::new(policy.issuers());
    for pair in args.all("jwks") {
        let (name, file) =
            pair.split_once('=').ok_or_else(|| Failure::Usage(String::from("write --jwks NAME=FILE")))?;
        let found = policy.issuers().iter().enumerate().find(|(_, issuer)| issuer.name == name);
        let Some((index, Keys::Remote(source))) = found.map(|(index, issuer)| (index, &issuer.keys)) else {
            return Err(Failure::Input(format!("gatekey: the policy fetches no keys for an issuer {name}\n")));
        };
        let text = read_text(file)?;
        let keys = document::read(text.as_bytes(), source.algorithms.as_deref())
            .map_err(|fault| Failure::Input(format!("gatekey: {file} {fault}\n")))?;
        keyring.install(index, keys, now.plus(ALL_DAY));
    }
    Ok(keyring)
}

/// The lists that `--list NAME=FILE` stands in for, as if they had just been fetched.
fn lists(policy: &Policy, args: &Args, now: Time) -> Result<Lists, Failure> {
    let mut lists = Lists::new(policy.lists().len());
    for pair in args.all("list") {
        let (name, file) =
            pair.split_once('=').ok_or_else(|| Failure::Usage(String::from("write --list NAME=FILE")))?;
        let found = policy.lists().iter().enumerate().find(|(_, source)| source.name == name);
        let Some((index, source)) = found else {
            let names: Vec<&str> = policy.lists().iter().map(|source| source.name.as_str()).collect();
            let names = if names.is_empty() { String::from("none") } else { names.join(", ") };
            return Err(Failure::Input(format!("gatekey: the policy fetches no list {name}; it fetches {names}\n")));
        };
        let list = load::read(source.content, 0, &list::read(file)?)
            .map_err(|flaw| Failure::Input(format!("gatekey: {file}: {flaw}\n")))?;
        lists.install(index, list, now);
    }
    Ok(lists)
}

fn explain_list(policy: &Policy, fetched: &Fetched<'_>, list: &str, now: Time, out: &mut dyn Write) -> Outcome {
    let input: Box<dyn BufRead> = match list {
        "-" => Box::new(BufReader::new(io::stdin())),
        path => {
            let file =
                File::open(path).map_err(|error| Failure::Input(format!("gatekey: cannot read {path}: {error}\n")))?;
            Box::new(BufReader::new(file))
        }
    };
    let mut bad = false;
    for line in input.split(b'\n') {
        let line = line.map_err(|error| Failure::Input(format!("gatekey: cannot read {list}: {error}\n")))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        // What is not UTF-8 is no JSON; its replacement is not either, or is decided as what it says.
        let answer = match str::from_utf8(&line) {
            Ok(line) => {
                let line = read_line(line);
                match line.request {
                    Ok(request) => decide(policy, fetched, &request, now).to_json(line.id),
                    Err(message) => error(line.id, message, &mut bad),
                }
            }
            Err(_) => error(Json::Null, String::from("no UTF-8"), &mut bad),
        };
        writeln!(out, "{answer}")?;
    }
    if bad { Err(Failure::Told) } else { Ok(()) }
}

fn error(id: Json<'static>, message: String, bad: &mut bool) -> Json<'static> {
    *bad = true;
    Json::Object(vec![("id".into(), id), ("error".into(), text(message))])
}

fn decide(policy: &Policy, fetched: &Fetched<'_>, request: &Request, now: Time) -> Explanation {
    let around = Circumstances {
        keyring: fetched.keyring,
        lists: fetched.lists,
        peer: &request.peer,
        cluster: request.cluster.as_deref().map_or(Cluster::Right, |name| Cluster::Named(name.into())),
        chosen: request.policy.as_deref(),
        introspected: request.introspected.as_deref().map(str::as_bytes),
        body: &request.body,
    };
    explain_with(policy, &around, &Head { pairs: &request.head(), complete: true }, now)
}

fn explain_one(policy: &Policy, fetched: &Fetched<'_>, args: &Args, now: Time, out: &mut dyn Write) -> Outcome {
    let mut request = Request::new(args.one("method")?.unwrap_or("GET"), args.one("path")?.unwrap_or("/"));
    for header in args.all("header") {
        request.header(header).ok_or_else(|| Failure::Usage(String::from("write --header 'Name: value'")))?;
    }
    let read = policy.read();
    for (option, places) in [("token", read.token.clone()), ("key", key_places(read))] {
        if let Some(credential) = args.one(option)? {
            let shown = request.show(credential, &places);
            shown.ok_or_else(|| {
                Failure::Input(format!("gatekey: the policy reads no {option} from a place that is free\n"))
            })?;
        }
    }
    request.body = args.one("body")?.unwrap_or_default().into();
    request.peer = peer(args)?;
    request.policy = args.one("policy")?.map(String::from);
    request.cluster = args.one("cluster")?.map(String::from);
    request.introspected = args.one("introspected")?.map(String::from);
    let explanation = decide(policy, fetched, &request, now);
    if args.flag("human") || (io::stdout().is_terminal() && !args.flag("json")) {
        return human(&explanation, out);
    }
    Ok(writeln!(out, "{}", explanation.to_json(Json::Null))?)
}

/// Who sends the request, as far as it is said.
fn peer(args: &Args) -> Result<Known, Failure> {
    let usage = |message| Failure::Usage(String::from(message));
    let (address, certificate) = (args.one("address")?, args.one("certificate")?);
    let address = address.map(|text| {
        read_address(text.as_bytes()).ok_or_else(|| usage("--address takes an IP address such as 192.0.2.7"))
    });
    let certificate = certificate.map(|text| {
        read_digest(text.as_bytes()).ok_or_else(|| usage("--certificate takes a SHA-256 digest, 64 hexadecimal digits"))
    });
    Ok(Known { address: address.transpose()?, certificate: certificate.transpose()? })
}

/// The explanation for people, one field per paragraph.
fn human(explanation: &Explanation, out: &mut dyn Write) -> Outcome {
    let reason = explanation.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    writeln!(out, "{} {}{reason}", explanation.decision, explanation.status)?;
    if let Some(policy) = &explanation.policy {
        paragraph(out, "policy", std::slice::from_ref(policy))?;
    }
    let route = explanation.route.as_deref().unwrap_or("none");
    paragraph(out, "route", &[String::from(route)])?;
    let identities =
        std::iter::once(&explanation.identity).chain(&explanation.others).filter(|identity| **identity != Json::Null);
    paragraph(out, "identity", &identities.map(Json::to_string).collect::<Vec<_>>())?;
    let set: Vec<String> = explanation.set.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    paragraph(out, "set", &set)?;
    paragraph(out, "removed", &explanation.removed)?;
    paragraph(out, "steps", &explanation.steps)?;
    paragraph(out, "answer", &explanation.reply.as_ref().map(answer).unwrap_or_default())
}

/// The lines of an answer: its headers, what a gRPC call gets in place of the status, and the body.
fn answer(reply: &Reply) -> Vec<String> {
    let mut lines: Vec<String> = reply.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.extend(reply.grpc_status.map(|status| format!("grpc-status: {status}, in place of the HTTP status")));
    lines.extend(reply.shown().lines().map(String::from));
    lines
}

fn paragraph(out: &mut dyn Write, title: &str, lines: &[String]) -> Outcome {
    for (index, line) in lines.iter().enumerate() {
        let title = if index == 0 { title } else { "" };
        // What came from a request must not speak to the terminal.
        let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        writeln!(out, "  {title:<9} {line}")?;
    }
    Ok(())
}
