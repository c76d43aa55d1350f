//! The host calls that are used, and nothing else: raw imports behind functions that never panic.
//!
//! The SDK's own wrappers panic on statuses that hosts really return, and its text getters panic on
//! octets that are not UTF-8. Here every status is data. Only this file and `exports.rs` have `unsafe` in them.

#![allow(unsafe_code)]

use std::ptr;

/// Header maps (ABI 0.2.1).
#[derive(Clone, Copy)]
pub(super) enum Map {
    /// The head of the request.
    Request,
    /// Its trailers.
    RequestTrailers,
    /// The head of the answer to a call of ours, while it is handed over.
    CallResponse,
}

impl Map {
    const fn number(self) -> u32 {
        match self {
            Map::Request => 0,
            Map::RequestTrailers => 1,
            Map::CallResponse => 6,
        }
    }
}

/// Why a host call did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// What was asked for is not there.
    NotFound,
    /// The host cannot or will not.
    Refused,
}

type Result<T> = std::result::Result<T, Failure>;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, size: usize, out: *mut *mut u8, out_size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, out: *mut *mut u8, out_size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, out: *mut *mut u8, out_size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_get_shared_data(
        name: *const u8,
        name_size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
        mark: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(name: *const u8, name_size: usize, value: *const u8, value_size: usize, mark: u32) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        input: *const u8,
        input_size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

fn check(status: u32) -> Result<()> {
    match status {
        0 => Ok(()),
        1 => Err(Failure::NotFound),
        _ => Err(Failure::Refused),
    }
}

/// Calls for octets, and takes over what the host wrote into memory that it got from our allocator.
fn octets(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>> {
    let mut data = ptr::null_mut();
    let mut size = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return if size == 0 { Ok(Vec::new()) } else { Err(Failure::Refused) };
    }
    // SAFETY: the host filled `size` octets that it got from `proxy_on_memory_allocate`, which makes a
    // boxed slice of just that size and gives it away.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to the host's log; a host that cannot log loses the line.
pub(super) fn log(level: u32, text: &str) {
    // SAFETY: pointer and size belong to one string, which outlives the call. So it is in all calls below.
    let _ = unsafe { proxy_log(level, text.as_ptr(), text.len()) };
}

/// The host's wall clock, in nanoseconds since the Unix epoch.
pub(super) fn host_time() -> Result<u64> {
    let mut time = 0;
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// The WASI wall clock, in nanoseconds since the Unix epoch.
pub(super) fn wasi_time() -> Result<u64> {
    let mut time = 0;
    // The errors of WASI are not those of the proxy; all that matters is that there is no time.
    match unsafe { clock_time_get(0, 1_000_000, &raw mut time) } {
        0 => Ok(time),
        _ => Err(Failure::Refused),
    }
}

/// The plugin's configuration, of at most `size` octets.
pub(super) fn configuration(size: usize) -> Result<Vec<u8>> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    octets(|out, out_size| unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, out, out_size) })
}

/// The body of the request as far as it is held, `size` octets.
pub(super) fn request_body(size: usize) -> Result<Vec<u8>> {
    const REQUEST_BODY: u32 = 0;
    octets(|out, out_size| unsafe { proxy_get_buffer_bytes(REQUEST_BODY, 0, size, out, out_size) })
}

/// The body of the answer to a call of ours, of `size` octets, while it is handed over.
pub(super) fn call_body(size: usize) -> Result<Vec<u8>> {
    const CALL_RESPONSE_BODY: u32 = 4;
    octets(|out, out_size| unsafe { proxy_get_buffer_bytes(CALL_RESPONSE_BODY, 0, size, out, out_size) })
}

/// A whole header map in the host's form.
pub(super) fn header_map(map: Map) -> Result<Vec<u8>> {
    octets(|out, out_size| unsafe { proxy_get_header_map_pairs(map.number(), out, out_size) })
}

/// The first value of a header.
pub(super) fn header(map: Map, name: &str) -> Result<Vec<u8>> {
    let map = map.number();
    octets(|out, out_size| unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), out, out_size) })
}

/// Sets a request header in place of every value it has.
pub(super) fn replace_header(name: &str, value: &[u8]) -> Result<()> {
    let map = Map::Request.number();
    check(unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Removes every value of a header.
pub(super) fn remove_header(map: Map, name: &[u8]) -> Result<()> {
    check(unsafe { proxy_remove_header_map_value(map.number(), name.as_ptr(), name.len()) })
}

/// A property; the segments of its path are parted by NUL.
pub(super) fn property(name: &str) -> Result<Vec<u8>> {
    octets(|out, out_size| unsafe { proxy_get_property(name.as_ptr(), name.len(), out, out_size) })
}

/// Sets a property whose path is one segment.
pub(super) fn set_property(name: &str, value: &[u8]) -> Result<()> {
    check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Answers the caller in place of the service. `headers` is in the host's form of a header map.
pub(super) fn reply(status: u16, details: &str, headers: &[u8], body: &str, grpc_status: Option<u32>) -> Result<()> {
    let grpc_status = grpc_status.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

/// Defines a counter, or finds it.
pub(super) fn define_counter(name: &str) -> Result<u32> {
    define_metric(0, name)
}

fn define_metric(kind: u32, name: &str) -> Result<u32> {
    let mut id = 0;
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Counts one more.
pub(super) fn count(id: u32) -> Result<()> {
    check(unsafe { proxy_increment_metric(id, 1) })
}

/// Defines a gauge, or finds it.
pub(super) fn define_gauge(name: &str) -> Result<u32> {
    define_metric(1, name)
}

/// Counts `by` more.
pub(super) fn count_many(id: u32, by: i64) -> Result<()> {
    check(unsafe { proxy_increment_metric(id, by) })
}

/// Sets a gauge.
pub(super) fn record(id: u32, value: u64) -> Result<()> {
    check(unsafe { proxy_record_metric(id, value) })
}

/// Asks to be called back every so many milliseconds; of a root context.
pub(super) fn set_tick_period(period: u32) -> Result<()> {
    check(unsafe { proxy_set_tick_period_milliseconds(period) })
}

/// Makes the calls that follow be about another context, until the callback returns.
pub(super) fn set_effective_context(id: u32) -> Result<()> {
    check(unsafe { proxy_set_effective_context(id) })
}

/// Lets the request of the effective context go on.
pub(super) fn continue_request() -> Result<()> {
    const REQUEST: u32 = 0;
    check(unsafe { proxy_continue_stream(REQUEST) })
}

/// A value that the workers share, and its mark.
pub(super) fn shared(name: &str) -> Result<(Vec<u8>, u32)> {
    let mut mark = 0;
    let value = octets(|out, out_size| unsafe {
        proxy_get_shared_data(name.as_ptr(), name.len(), out, out_size, &raw mut mark)
    })?;
    Ok((value, mark))
}

/// Puts a shared value in place of the one with this mark, or, with the mark 0, of any.
pub(super) fn set_shared(name: &str, value: &[u8], mark: u32) -> Result<()> {
    check(unsafe { proxy_set_shared_data(name.as_ptr(), name.len(), value.as_ptr(), value.len(), mark) })
}

/// Calls a function that only some hosts have.
pub(super) fn foreign(name: &str, input: &[u8]) -> Result<Vec<u8>> {
    octets(|out, out_size| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), input.as_ptr(), input.len(), out, out_size)
    })
}

/// Sends a request, whose answer comes under the number that this returns. `headers` is in
/// the host's form of a header map, `timeout` in milliseconds.
pub(super) fn call(cluster: &str, headers: &[u8], body: &[u8], timeout: u32) -> Result<u32> {
    // An empty map of trailers, in the host's form.
    const NO_TRAILERS: [u8; 4] = [0; 4];
    let mut token = 0;
    check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout,
            &raw mut token,
        )
    })?;
    Ok(token)
}
