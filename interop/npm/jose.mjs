// Tokens of npm jose: `mint` and `vectors` (the same without a clock), one JSON line per token. Public keys only.
import fs from 'node:fs';
import { SignJWT, exportJWK, importPKCS8, importSPKI, jwtVerify } from 'jose';

const [command, policyPath, keys] = process.argv.slice(2);
const { issuers } = JSON.parse(fs.readFileSync(policyPath, 'utf8'));
const FAR = 4102444800; // 2100-01-01
const BEGIN = 1767225600; // 2026-01-01
const NAMES = { ES256: 'p256', ES384: 'p384', ES512: 'p521', EdDSA: 'ed25519', Ed25519: 'ed25519' };

/** The private key that goes with an algorithm, or a stranger's. */
async function key(alg, stranger = '') {
  const file = `${keys}/${NAMES[alg] ?? 'rsa2048'}${stranger}.pem`;
  return importPKCS8(fs.readFileSync(file, 'utf8'), alg, { extractable: true });
}

async function token(issuer, alg, { stranger = '', header = {} } = {}) {
  const now = command === 'mint' ? Math.floor(Date.now() / 1000) : BEGIN;
  return new SignJWT({ sub: 'alice' })
    .setProtectedHeader({ alg, ...header })
    .setIssuer(issuers[issuer].issuer)
    .setAudience('orders')
    .setIssuedAt(now)
    .setExpirationTime(command === 'mint' ? now + 3600 : FAR)
    .sign(await key(alg, stranger));
}

const say = (name, token, reason = null) =>
  console.log(JSON.stringify({ name, token, decision: reason ? 'deny' : 'allow', reason }));

/** Judges tokens of gatekey, a line each. */
async function verify(line) {
  const { name, issuer, token } = JSON.parse(line);
  const { secret, pem, algorithms, audience, issuer: iss } = issuers[issuer];
  try {
    const key = secret ? new TextEncoder().encode(secret.value) : await importSPKI(pem, algorithms[0]);
    const { payload } = await jwtVerify(token, key, { algorithms, audience, issuer: iss });
    return { name, claims: payload };
  } catch (error) {
    return { name, claims: null, why: error.message };
  }
}

if (command === 'verify') {
  for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) console.log(JSON.stringify(await verify(line)));
  process.exit(0);
}

for (const issuer of Object.keys(issuers).filter((name) => issuers[name].pem)) {
  const alg = issuers[issuer].algorithms[0];
  say(alg, await token(issuer, alg));
  say(`${alg} with a kid`, await token(issuer, alg, { header: { kid: 'key-1', typ: 'at+jwt' } }));
  say(`${alg} of a stranger`, await token(issuer, alg, { stranger: '_other' }), 'signature_invalid');
  // The stranger's key in the header, as if it were to be trusted.
  const jwk = await exportJWK(await key(alg, '_other'));
  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) delete jwk[member];
  say(`${alg} with its key in it`, await token(issuer, alg, { stranger: '_other', header: { jwk } }), 'signature_invalid');
  const other = alg === 'RS256' ? 'PS256' : 'RS256';
  say(`${other} for ${alg}`, await token(issuer, other), 'algorithm_not_allowed');
}
say('Ed25519 by its own name', await token('eddsa', 'Ed25519'));
