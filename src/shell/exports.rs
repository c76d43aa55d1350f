//! The callbacks of the proxy-wasm ABI 0.2.1, as far as they are used: each hands on to [`super::vm`].
//!
//! They stand here and not in a library because each costs a request time, and because a library's
//! contexts panic where hosts differ.

#![allow(unsafe_code)] // Exported names are unsafe attributes.

use super::vm;

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs constructors once, and makes logs go to the host. Without this export the linker would wrap every
/// other one in constructors and destructors.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker's own function, which the host calls this for, once and before all else.
    unsafe { __wasm_call_ctors() };
    super::log::install();
}

/// Says which ABI this is.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for what the host hands over. It is given back as a boxed slice of just this size.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let octets = vec![0; size].into_boxed_slice();
    Box::into_raw(octets).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    vm::create(context, parent);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(vm::configure(root, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, end: u32) -> u32 {
    vm::request(context, end != 0).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    vm::body(context, size, end != 0).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    vm::trailers(context).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    vm::tick(root);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(_context: u32, token: u32, headers: usize, size: usize, _trailers: usize) {
    vm::answered(token, headers, size);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    vm::delete(context);
}
