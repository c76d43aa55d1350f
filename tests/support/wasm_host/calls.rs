//! The host calls of proxy-wasm ABI 0.2.1: counts each one, fails it when the test wants that, asks the host for the answer.

use wasmtime::{Caller, Error, ExternType, Linker, Module, Result, Val};

use super::memory::{decode, give, read, write_u32};
use super::state::{Answer, BAD_ARGUMENT, Host, Level, NOT_FOUND, OK, Pairs, Phase, Reply, UNIMPLEMENTED};
use super::state::{remove_all, replace_all};

/// Request headers, in the numbers of the ABI.
const REQUEST_HEADERS: u32 = 0;
/// Request trailers.
const REQUEST_TRAILERS: u32 = 1;
/// The head of the answer to a call.
const CALL_RESPONSE_HEADERS: u32 = 6;
/// Where the longest log line that both hosts keep whole ends, with room for a prefix.
const LOG_LINE: usize = 2048;

/// Where a call that returns bytes wants pointer and size.
#[derive(Clone, Copy)]
pub struct Out(pub u32, pub u32);

/// Counts one call.
pub fn count(host: &mut Host, name: &str, bytes: bool) {
    let calls = host.calls.entry(name.to_owned()).or_default();
    if bytes {
        calls.bytes += 1;
    } else {
        calls.all += 1;
    }
}

/// Counts the call; `Some` is the status of an injected failure.
pub fn enter(c: &mut Caller<'_, Host>, name: &str, out: Option<Out>) -> Result<Option<u32>> {
    count(c.data_mut(), name, false);
    let status = match &c.data().fault {
        Some(fault) if fault.call == name => fault.status,
        _ => return Ok(None),
    };
    if status == OK
        && let Some(Out(data, size)) = out
    {
        give(c, b"", data, size)?;
    }
    Ok(Some(status))
}

pub fn finish(c: &mut Caller<'_, Host>, name: &str, answer: Answer, out: Option<Out>) -> Result<u32> {
    match (answer, out) {
        (Answer::Done, _) => Ok(OK),
        (Answer::Status(status), _) => Ok(status),
        (Answer::Crash(why), _) => Err(Error::msg(why)),
        (Answer::Bytes(bytes), Some(Out(data, size))) => {
            if !bytes.is_empty() {
                count(c.data_mut(), name, true);
            }
            give(c, &bytes, data, size)?;
            Ok(OK)
        }
        (Answer::Bytes(_), None) => Err(Error::msg("a call without output got bytes")),
    }
}

/// A change of a map other than the request headers: only Envoy has request trailers.
fn edit_trailers(host: &mut Host, map: u32, edit: impl FnOnce(&mut Pairs)) -> Answer {
    if !host.abilities.full_life() && map != 2 {
        return Answer::Status(UNIMPLEMENTED);
    }
    match &mut host.trailers {
        Some(trailers) if map == REQUEST_TRAILERS => {
            edit(trailers);
            Answer::Done
        }
        _ => Answer::Status(BAD_ARGUMENT),
    }
}

/// Links every call that `module` asks for and that this host has.
pub fn link(linker: &mut Linker<Host>, module: &Module, abilities: &'static dyn super::Abilities) -> Result<()> {
    link_logs_and_metrics(linker)?;
    link_reads(linker)?;
    link_edits(linker)?;
    super::background::link(linker)?;
    link_rest(linker, module, abilities)
}

fn link_logs_and_metrics(linker: &mut Linker<Host>) -> Result<()> {
    const E: &str = "env";
    linker.func_wrap(E, "proxy_log", |mut c: Caller<'_, Host>, level: u32, at: u32, len: u32| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_log", None)? {
            return Ok(status);
        }
        let bytes = read(&mut c, at, len)?;
        let host = c.data_mut();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if bytes.len() > LOG_LINE {
            host.wrongs.push(format!("a log line of {} bytes, the hosts cut it", bytes.len()));
        }
        if text.chars().any(|c| c.is_control()) {
            host.wrongs.push(format!("a log line with control characters: {text:?}"));
        }
        let Some(level) = Level::from_abi(level) else { return Ok(BAD_ARGUMENT) };
        host.logs.push((level, text));
        Ok(OK)
    })?;
    linker.func_wrap(E, "proxy_get_current_time_nanoseconds", |mut c: Caller<'_, Host>, at: u32| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_get_current_time_nanoseconds", None)? {
            return Ok(status);
        }
        match c.data().abilities.time(c.data()) {
            Ok(now) => super::memory::write(&mut c, at, &now.to_le_bytes()).map(|()| OK),
            Err(status) => Ok(status),
        }
    })?;
    linker.func_wrap(
        E,
        "proxy_define_metric",
        |mut c: Caller<'_, Host>, kind: u32, at: u32, len: u32, id_at: u32| -> Result<u32> {
            if let Some(status) = enter(&mut c, "proxy_define_metric", None)? {
                return Ok(status);
            }
            let name = String::from_utf8(read(&mut c, at, len)?)?;
            if kind > 2 {
                return Ok(BAD_ARGUMENT);
            }
            let abilities = c.data().abilities;
            if let Some(id) = abilities.define_metric(c.data_mut(), &name) {
                write_u32(&mut c, id_at, id)?;
            }
            Ok(OK)
        },
    )?;
    linker.func_wrap(E, "proxy_increment_metric", |mut c: Caller<'_, Host>, id: u32, by: i64| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_increment_metric", None)? {
            return Ok(status);
        }
        let abilities = c.data().abilities;
        let answer = abilities.increment(c.data_mut(), id, by);
        finish(&mut c, "proxy_increment_metric", answer, None)
    })?;
    Ok(())
}

fn link_reads(linker: &mut Linker<Host>) -> Result<()> {
    const E: &str = "env";
    linker.func_wrap(
        E,
        "proxy_get_buffer_bytes",
        |mut c: Caller<'_, Host>, kind: u32, start: u32, max: u32, data: u32, size: u32| -> Result<u32> {
            let out = Some(Out(data, size));
            let name = "proxy_get_buffer_bytes";
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let abilities = c.data().abilities;
            let answer = match (kind, abilities.full_life()) {
                (7, true) => match abilities.configuration(c.data()) {
                    Answer::Bytes(all) => {
                        let start = usize::try_from(start)?.min(all.len());
                        let end = start.saturating_add(usize::try_from(max)?).min(all.len());
                        Answer::Bytes(all[start..end].to_vec())
                    }
                    other => other,
                },
                // Offset and size are ignored there.
                (7, false) => abilities.configuration(c.data()),
                (4, _) => match &c.data().background.response {
                    Some((_, body)) => {
                        let start = usize::try_from(start)?.min(body.len());
                        let end = start.saturating_add(usize::try_from(max)?).min(body.len());
                        Answer::Bytes(body[start..end].to_vec())
                    }
                    None => Answer::Status(NOT_FOUND),
                },
                (0, true) => {
                    let body = &c.data().body;
                    let start = usize::try_from(start)?.min(body.len());
                    let end = start.saturating_add(usize::try_from(max)?).min(body.len());
                    Answer::Bytes(body[start..end].to_vec())
                }
                (6, true) => Answer::Bytes(Vec::new()),
                (_, true) => Answer::Status(NOT_FOUND),
                (0 | 1, false) => Answer::Crash("the module reads a body that APISIX has not initialised".to_owned()),
                (_, false) => Answer::Status(UNIMPLEMENTED),
            };
            finish(&mut c, name, answer, out)
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_get_header_map_pairs",
        |mut c: Caller<'_, Host>, map: u32, data: u32, size: u32| -> Result<u32> {
            let out = Some(Out(data, size));
            let name = "proxy_get_header_map_pairs";
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let host = c.data();
            let answer = match (map, &host.map_bytes) {
                (REQUEST_HEADERS, Some(bytes)) => Answer::Bytes(bytes.clone()),
                (REQUEST_HEADERS, None) => host.abilities.all_headers(host),
                (REQUEST_TRAILERS, _) if host.abilities.full_life() => match &host.trailers {
                    Some(trailers) => Answer::Bytes(super::memory::encode(trailers)),
                    None => Answer::Bytes(super::memory::encode(&[])),
                },
                _ => Answer::Status(if host.abilities.full_life() { BAD_ARGUMENT } else { UNIMPLEMENTED }),
            };
            finish(&mut c, name, answer, out)
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_get_header_map_value",
        |mut c: Caller<'_, Host>, map: u32, at: u32, len: u32, data: u32, size: u32| -> Result<u32> {
            let out = Some(Out(data, size));
            let name = "proxy_get_header_map_value";
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let key = read(&mut c, at, len)?;
            let host = c.data();
            let answer = match map {
                REQUEST_HEADERS => host.abilities.header(host, &key),
                REQUEST_TRAILERS if host.abilities.full_life() => {
                    let trailers = host.trailers.as_deref().unwrap_or_default();
                    trailers
                        .iter()
                        .find(|(name, _)| name.eq_ignore_ascii_case(&key))
                        .map_or(Answer::Status(NOT_FOUND), |(_, value)| Answer::Bytes(value.clone()))
                }
                CALL_RESPONSE_HEADERS => {
                    let pairs =
                        host.background.response.as_ref().map(|(pairs, _)| pairs.as_slice()).unwrap_or_default();
                    let found = pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key));
                    found.map_or(Answer::Status(NOT_FOUND), |(_, value)| Answer::Bytes(value.clone()))
                }
                _ => Answer::Status(BAD_ARGUMENT),
            };
            finish(&mut c, name, answer, out)
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_get_property",
        |mut c: Caller<'_, Host>, at: u32, len: u32, data: u32, size: u32| -> Result<u32> {
            let out = Some(Out(data, size));
            let name = "proxy_get_property";
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let path = read(&mut c, at, len)?;
            let answer = c.data().abilities.property(c.data(), &path);
            finish(&mut c, name, answer, out)
        },
    )?;
    Ok(())
}

fn link_edits(linker: &mut Linker<Host>) -> Result<()> {
    const E: &str = "env";
    for (name, add) in [("proxy_replace_header_map_value", false), ("proxy_add_header_map_value", true)] {
        linker.func_wrap(
            E,
            name,
            move |mut c: Caller<'_, Host>,
                  map: u32,
                  key: u32,
                  key_len: u32,
                  value: u32,
                  value_len: u32|
                  -> Result<u32> {
                if let Some(status) = enter(&mut c, name, None)? {
                    return Ok(status);
                }
                let key = read(&mut c, key, key_len)?;
                let value = read(&mut c, value, value_len)?;
                let host = c.data_mut();
                let abilities = host.abilities;
                let answer = match (map, add) {
                    (REQUEST_HEADERS, false) => abilities.replace(host, &key, &value),
                    (REQUEST_HEADERS, true) => abilities.add(host, &key, &value),
                    (_, false) => edit_trailers(host, map, |pairs| replace_all(pairs, &key, &value)),
                    (_, true) => edit_trailers(host, map, |pairs| pairs.push((key.to_ascii_lowercase(), value))),
                };
                finish(&mut c, name, answer, None)
            },
        )?;
    }
    linker.func_wrap(
        E,
        "proxy_remove_header_map_value",
        |mut c: Caller<'_, Host>, map: u32, key: u32, key_len: u32| -> Result<u32> {
            let name = "proxy_remove_header_map_value";
            if let Some(status) = enter(&mut c, name, None)? {
                return Ok(status);
            }
            let key = read(&mut c, key, key_len)?;
            let host = c.data_mut();
            let abilities = host.abilities;
            let answer = match map {
                REQUEST_HEADERS => abilities.remove(host, &key),
                _ => edit_trailers(host, map, |pairs| remove_all(pairs, &key)),
            };
            finish(&mut c, name, answer, None)
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_set_property",
        |mut c: Caller<'_, Host>, at: u32, len: u32, value: u32, value_len: u32| -> Result<u32> {
            let name = "proxy_set_property";
            if let Some(status) = enter(&mut c, name, None)? {
                return Ok(status);
            }
            let path = read(&mut c, at, len)?;
            let value = read(&mut c, value, value_len)?;
            let abilities = c.data().abilities;
            let answer = abilities.set_property(c.data_mut(), &path, &value);
            finish(&mut c, name, answer, None)
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_send_local_response",
        |mut c: Caller<'_, Host>,
         status: u32,
         details: u32,
         details_len: u32,
         body: u32,
         body_len: u32,
         headers: u32,
         headers_len: u32,
         grpc_status: i32|
         -> Result<u32> {
            if let Some(status) = enter(&mut c, "proxy_send_local_response", None)? {
                return Ok(status);
            }
            let details = read(&mut c, details, details_len)?;
            let body = read(&mut c, body, body_len)?;
            let headers = decode(&read(&mut c, headers, headers_len)?)?;
            if c.data().phase != Phase::Request {
                c.data_mut().wrongs.push("a local response outside of a request".to_owned());
                return Ok(BAD_ARGUMENT);
            }
            c.data_mut().answer(Reply { status, details, body, headers, grpc_status });
            Ok(OK)
        },
    )?;
    Ok(())
}

/// Calls that gatekey does not make: APISIX answers 12 to them, on Envoy they would need a real answer here.
fn link_rest(linker: &mut Linker<Host>, module: &Module, abilities: &'static dyn super::Abilities) -> Result<()> {
    let mut store = wasmtime::Store::new(module.engine(), Host::new(abilities, &[], 0));
    for import in module.imports() {
        let name = import.name().to_owned();
        let ExternType::Func(ty) = import.ty() else { continue };
        if import.module() != "env"
            || !name.starts_with("proxy_")
            || abilities.missing_imports().contains(&name.as_str())
        {
            continue;
        }
        if linker.get(&mut store, "env", &name).is_ok() {
            continue;
        }
        linker.func_new("env", &name.clone(), ty, move |mut c: Caller<'_, Host>, _: &[Val], results: &mut [Val]| {
            let answer = enter(&mut c, &name, None)?;
            if answer.is_none() && c.data().abilities.knows(&name) {
                return Err(Error::msg(format!(
                    "the module made host call {name}, which this test host does not play"
                )));
            }
            for result in results {
                *result = Val::I32(answer.map_or(12, u32::cast_signed));
            }
            Ok(())
        })?;
    }
    Ok(())
}
