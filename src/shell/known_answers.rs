//! Signatures that a host must find good, and ones that it must find bad, before it is asked about others.
//!
//! The keys were made for this and sign nothing else. Everything is base64 without padding: keys as DER
//! SubjectPublicKeyInfo, signatures as a host takes them.

use crate::jose::alg::Alg;

/// What was signed.
pub(super) const MESSAGE: &[u8] = b"gatekey asks what it knows";

/// A key, and its signature of [`MESSAGE`].
pub(super) struct Known {
    /// How it was made.
    pub(super) alg: Alg,
    /// The key.
    pub(super) spki: &'static str,
    /// The signature.
    pub(super) signature: &'static str,
}

/// One for each algorithm that a host may know.
pub(super) const KNOWN: [Known; 6] = [
    Known {
        alg: Alg::Rs256,
        spki: RSA,
        signature: "k9o9+A5TPxkb9xCuQdCrJ4e6OPZtpqXZvKhLN/WWfWac3IEvlaRDNzhL81isxGC+OlRvG7XrgSHvnfeOIM1n9jwSTFHDom1X\
        eeblch4RFuxZFB3qsP7LxdNYitKMxF03nkdDmCq9bvHCIugYeA6ZckLEIsYZx62M4qPhmgJnC3wlCNG+9Md50YMe/C0ykere\
        CoxxrISGr2EU2dEaj99p6HYI0PsB3RvqEBkcRlU+//aG7HaF+ny9bOeiEAB2tZl0hgEHJLxU5f8G77XhYUe+YZ8gBwVcrhnd\
        tSIdtXGTMmGESvwMg4mL6IJaplopIMwVG5pli82IQc3UInuZepM63Q",
    },
    Known {
        alg: Alg::Rs384,
        spki: RSA,
        signature: "SMvn72jZ6u+U5r8+T1iM+p56nhlR1TCglsBlXOfQpODbTxGZ7UgtOSE6hxHh6cwfznipXyaDh75ftM8/Ks84rczpHIuw/SbZ\
        jsaUSw6nLQg0AFyCIt4ba8shMfGQAFaVUDGYnnD+a1qVMglVMfeqZCyTZeTFSFWpSNOWW46N7TwPSnBi6Mi9qsjRsKm5lhdS\
        jt/0GKYsTgUmxgTTSF2UVV4Nre6dOKauNxzxULs4sgRL2SJbx3ybFZUx6kEwfGEgRUIhpCeItDE7oc7zaUhc9gHwm2qhucKk\
        VeWEjoVPoS2u51HbMJqflM0gQRGgNE47DAtpk0GAjNuwCJ7xnUyQ2A",
    },
    Known {
        alg: Alg::Rs512,
        spki: RSA,
        signature: "RP9LqBmjkmuYBHkePN6pJkd+YNxp4QxuMAsnsJnZwNiENgKzM1Bz/LwTsUy4JfhPQcwBsIjpQSgyhasSnr3s1enf4Gkus5rN\
        4zfpG4Fz0xIUtpq5CSLSg3xa7o1EdxeWyFzhyu3m+pSB31o4D1B6R3D6ZrsaFLLpuk/Pz5XZe/FBTrSmyxuHGOUeD9iN/7iZ\
        4MfCdqwX8T1QieSZZso68zGman4WhV6lxq4KowwFmvpfSO+D9WLaVFNRAG91bkwgeb47uvdRDAaZyFYXzRdiv9Ev4H4sYQIV\
        GOujT2kjG2rSGVrp+MIQWj+LfqRgPES+XfOzGCrlGINdCv4YgcY5Ow",
    },
    Known {
        alg: Alg::Es256,
        spki: P256,
        signature: "MEUCIQDgzXhD9zXoyx5D9aPP5kdrHeBXoFOJBAar/izS+lqOjAIgOME1vqWwh0Z5OyUQtfDt+KZ7XNRF+P9sfDQyvD5vsjw",
    },
    Known {
        alg: Alg::Es384,
        spki: P384,
        signature: "MGQCMA0JI9nvlk00288UhMRR7hQD4UW0kZk+ZEOTSLoqKeRLTBLxECIn6g09a1qAYtiH2QIwdhTYcHUP4HyVGPLgy7Py/inb\
        ia8pJ0kxa4306WK0JO02sVI6EgqocDmCxLrXgOma",
    },
    Known {
        alg: Alg::Es512,
        spki: P521,
        signature: "MIGHAkIBYXi4gyDHV24uG4kmBfQbPHQyJYXb0uhh6jTX/zpkf5ZxoCdFLDGML4//YMdLYE+CzxCu/hc+rnukBODTmTACNHMC\
        QStb7LCO7CypakTYIbEyNiGPT7s7w/uPU83DicXufKADnpPrtzrzUcEp6wWIbk5yMsQAjYDdRP0NRec/PFnDRt5e",
    },
];

const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmKVXJw8aaHy1xrBL3EQ5mOs/vqQWAHJeoeBV4AJ9aTbf37hVKTfN\
    k0ScmnLUcnP3aqkKeD9fbKP+lSz/Rj4N7WamaNbJtRosLe0gJ4ln8w1NhCYQ1WkRhNnHegzgvxsK0a69oRhATH2U3EQyttM3\
    EnMj+8MEguLoJFd9caz5dK3eGBRUpzGJIIFu1SdHfv7tYZ/NVqrILIowjCV2RGxcFYwKkOB7IkYkOKbEyMrSXmve9Pm+PrcP\
    /fi2p5FpyAGcGqg/VegmOuS5qIe2pASJ51zT6EeK4blUc8irSmgnxDUVsfB8oh7ME4SXH7PKcl3wD8IubDvbXR6Ys3x+R0RC\
    /wIDAQAB";
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMih0kJ4pxjAPy53jR29fLEKeBKIjRcrtgkP0eWM4EDjovrkHeLJZ+jvsHD5G\
    Z1Q20ESvBbr8aUQOzDYvKxJIMw";
const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEXvHBFYROVexGB941DmODw2wrxAOUEiPs2yDsHKJFZmGNhCWoirEd3J18pG7OTYp7\
    t/R5R/h0wbPL0P82AlbRDIAMieDnV1qSW3PTeJMmqiYuI/1a6S7a9EFTjpIRju8S";
const P521: &str = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBvolifqkhUsug4BCGYcNPB6pdONBUReyC99J0PZBbiWV69P6ES6MrIEVtn9nf\
    zqitn0QKhQ01l406dgl5Qs+EC6MB0R018jm9L4Y+kLLVdBrjzXqTXjsBV0zLH7YI86g5rqLyU9B1+y1MVyMcFvCMAUlwTmnR\
    DqEc5yblDlK2a8UTN7w";
