//! The part of WASI preview 1 that a Rust module asks for: clock, randomness, environment, standard output.

use wasmtime::{Caller, Error, Linker, Result};

use super::memory::{read, write, write_u32};
use super::state::{Host, Level};

const MODULE: &str = "wasi_snapshot_preview1";
/// `EBADF`: there are no files.
const BADF: u32 = 8;
/// `EINVAL`.
const INVAL: u32 = 28;

/// Links all of it.
pub fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut c: Caller<'_, Host>, _id: u32, _precision: u64, at: u32| -> Result<u32> {
            super::calls::count(c.data_mut(), "clock_time_get", false);
            let now = c.data().now_ns;
            write(&mut c, at, &now.to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(MODULE, "clock_res_get", |mut c: Caller<'_, Host>, _id: u32, at: u32| -> Result<u32> {
        write(&mut c, at, &1_u64.to_le_bytes())?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "random_get", |mut c: Caller<'_, Host>, at: u32, len: u32| -> Result<u32> {
        super::calls::count(c.data_mut(), "random_get", false);
        // Envoy's limit for one call.
        if len > 64 * 1024 {
            return Ok(INVAL);
        }
        let mut bytes = Vec::new();
        for _ in 0..len {
            let host = c.data_mut();
            host.random ^= host.random << 13;
            host.random ^= host.random >> 7;
            host.random ^= host.random << 17;
            bytes.push(host.random.to_le_bytes()[0]);
        }
        write(&mut c, at, &bytes)?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "environ_sizes_get", |mut c: Caller<'_, Host>, count: u32, size: u32| -> Result<u32> {
        let all = c.data().env.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        let number = c.data().env.len();
        write_u32(&mut c, count, u32::try_from(number)?)?;
        write_u32(&mut c, size, u32::try_from(all)?)?;
        Ok(0)
    })?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |mut c: Caller<'_, Host>, mut table: u32, mut text: u32| -> Result<u32> {
            for (name, value) in c.data().env.clone() {
                let line = format!("{name}={value}\0");
                write_u32(&mut c, table, text)?;
                write(&mut c, text, line.as_bytes())?;
                table += 4;
                text += u32::try_from(line.len())?;
            }
            Ok(0)
        },
    )?;
    linker.func_wrap(MODULE, "args_sizes_get", |mut c: Caller<'_, Host>, count: u32, size: u32| -> Result<u32> {
        write_u32(&mut c, count, 0)?;
        write_u32(&mut c, size, 0)?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "args_get", |_: Caller<'_, Host>, _: u32, _: u32| -> u32 { 0 })?;
    linker.func_wrap(MODULE, "sched_yield", |_: Caller<'_, Host>| -> u32 { 0 })?;
    linker.func_wrap(MODULE, "proc_exit", |_: Caller<'_, Host>, code: u32| -> Result<()> {
        Err(Error::msg(format!("the module called proc_exit({code})")))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut c: Caller<'_, Host>, _fd: u32, vectors: u32, count: u32, written: u32| -> Result<u32> {
            let mut text = Vec::new();
            for n in 0..count {
                let pair = read(&mut c, vectors + n * 8, 8)?;
                let word = |at: usize| u32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
                let (at, len) = (word(0), word(4));
                text.extend(read(&mut c, at, len)?);
            }
            write_u32(&mut c, written, u32::try_from(text.len())?)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            // Envoy logs it, APISIX writes to the worker's output; neither is meant to be used.
            c.data_mut().wrongs.push(format!("the module wrote to standard output: {text:?}"));
            c.data_mut().logs.push((Level::Info, text));
            Ok(0)
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", |_: Caller<'_, Host>, _: u32| -> u32 { BADF })?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |_: Caller<'_, Host>, _: u32, _: u32| -> u32 { BADF })?;
    linker.func_wrap(MODULE, "fd_seek", |_: Caller<'_, Host>, _: u32, _: u64, _: u32, _: u32| -> u32 { BADF })?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: Caller<'_, Host>, _: u32, _: u32| -> u32 { BADF })?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: Caller<'_, Host>, _: u32, _: u32, _: u32| -> u32 { BADF })?;
    Ok(())
}
