//! Reads and writes the memory of the module, and the pair format that header maps travel in.

use wasmtime::{Caller, Error, Extern, Memory, Result};

use super::state::Host;

fn memory(caller: &mut Caller<'_, Host>) -> Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Error::msg("the module exports no memory")),
    }
}

/// Copies `len` bytes out of the module. A range outside of its memory is a bug of the module and ends the call.
pub fn read(caller: &mut Caller<'_, Host>, at: u32, len: u32) -> Result<Vec<u8>> {
    let memory = memory(caller)?;
    let start = usize::try_from(at)?;
    let end = start.saturating_add(usize::try_from(len)?);
    memory
        .data(&*caller)
        .get(start..end)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Error::msg(format!("host call with a pointer outside of memory: {at}+{len}")))
}

/// Copies `bytes` to `at`.
pub fn write(caller: &mut Caller<'_, Host>, at: u32, bytes: &[u8]) -> Result<()> {
    let memory = memory(caller)?;
    memory
        .write(&mut *caller, usize::try_from(at)?, bytes)
        .map_err(|_| Error::msg(format!("host call with a return pointer outside of memory: {at}")))
}

/// Writes one little-endian `u32`.
pub fn write_u32(caller: &mut Caller<'_, Host>, at: u32, value: u32) -> Result<()> {
    write(caller, at, &value.to_le_bytes())
}

/// Gives `bytes` to the module: asks it for memory, copies, and writes pointer and size. Nothing is allocated for an
/// empty value: the pointer is null, as on the real hosts.
pub fn give(caller: &mut Caller<'_, Host>, bytes: &[u8], data_at: u32, size_at: u32) -> Result<()> {
    let size = u32::try_from(bytes.len())?;
    let mut data = 0;
    if size > 0 {
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| caller.get_export(name).and_then(Extern::into_func))
            .ok_or_else(|| Error::msg("the module exports no allocator"))?
            .typed::<u32, u32>(&*caller)?;
        data = allocate.call(&mut *caller, size)?;
        if data == 0 {
            return Err(Error::msg("the module's allocator gave null"));
        }
        write(caller, data, bytes)?;
    }
    write_u32(caller, data_at, data)?;
    write_u32(caller, size_at, size)
}

/// The wire form of a header map: count, all sizes, then every name and value with a NUL behind it.
pub fn encode(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&word(pairs.len()));
    for (name, value) in pairs {
        out.extend_from_slice(&word(name.len()));
        out.extend_from_slice(&word(value.len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

/// Reads the wire form as a host does.
pub fn decode(bytes: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let bad = || Error::msg("the module passed a malformed header list");
    let word = |at: usize| -> Result<usize> {
        let raw: [u8; 4] = bytes.get(at..at + 4).ok_or_else(bad)?.try_into().map_err(|_| bad())?;
        Ok(usize::try_from(u32::from_le_bytes(raw))?)
    };
    let count = word(0)?;
    if count > 1024 {
        return Err(bad());
    }
    let mut at = 4 + count * 8;
    let mut pairs = Vec::new();
    let mut take = |len: usize| -> Result<Vec<u8>> {
        let part = bytes.get(at..at + len).ok_or_else(bad)?.to_vec();
        if bytes.get(at + len) != Some(&0) {
            return Err(bad());
        }
        at += len + 1;
        Ok(part)
    };
    for n in 0..count {
        pairs.push((take(word(4 + n * 8)?)?, take(word(8 + n * 8)?)?));
    }
    if at != bytes.len() {
        return Err(bad());
    }
    Ok(pairs)
}
