//! The signature checks of gatekey, compiled as the module is, so that test vectors run inside WebAssembly.

use std::cell::RefCell;

use gatekey::jose::alg::Alg;
use gatekey::jose::hmac::HmacKey;
use gatekey::jose::keyset::Key;
use gatekey::jose::offload::NoOffload;
use gatekey::jose::pem;
use gatekey::redact::Secret;

thread_local! {
    /// The key that was set, once for each algorithm that it was asked for.
    static KEYS: RefCell<Vec<Key>> = const { RefCell::new(Vec::new()) };
}

/// Memory for what the host hands over; it is given back with the next call that takes it.
#[unsafe(no_mangle)]
extern "C" fn allocate(size: usize) -> *mut u8 {
    Box::into_raw(vec![0; size].into_boxed_slice()).cast()
}

/// # Safety
/// The octets came from [`allocate`], with this size.
unsafe fn take(data: *mut u8, size: usize) -> Vec<u8> {
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Sets the key: PEM text, or for HMAC a secret. Whether it is taken.
#[unsafe(no_mangle)]
extern "C" fn set_key(alg: usize, data: *mut u8, size: usize) -> u32 {
    let octets = unsafe { take(data, size) };
    let Some(alg) = Alg::ALL.get(alg).copied() else {
        return 0;
    };
    let keys = if alg.is_asymmetric() {
        let read = str::from_utf8(&octets).ok().and_then(|text| pem::read(text).ok());
        read.into_iter().flatten().flat_map(|public| public.bind(None, &[alg])).collect()
    } else {
        let key = HmacKey::new(alg, &Secret::new(octets));
        key.map(|key| Key { kid: None, verifier: Box::new(key) }).into_iter().collect::<Vec<_>>()
    };
    let taken = !keys.is_empty();
    KEYS.with(|slot| slot.replace(keys));
    u32::from(taken)
}

/// Whether the key that was set made this signature of this message.
#[unsafe(no_mangle)]
extern "C" fn verify(message: *mut u8, message_size: usize, signature: *mut u8, signature_size: usize) -> u32 {
    let message = unsafe { take(message, message_size) };
    let signature = unsafe { take(signature, signature_size) };
    let good = |key: &Key| key.verifier.verify(&message, &signature, &NoOffload);
    KEYS.with(|slot| u32::from(slot.borrow().iter().any(good)))
}
