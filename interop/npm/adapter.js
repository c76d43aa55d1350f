// Tokens of npm jsonwebtoken: `mint`, `vectors` (the same without a clock) and `verify`, one JSON line per token.
'use strict';
const fs = require('fs');
const jwt = require('jsonwebtoken');

const [command, policyPath, keys] = process.argv.slice(2);
const { issuers } = JSON.parse(fs.readFileSync(policyPath, 'utf8'));
const FAR = 4102444800; // 2100-01-01
const PAST = 1700000000; // 2023-11-14
const BEGIN = 1767225600; // 2026-01-01

/** Signs with the key of an issuer; the times are the library's own, or fixed ones for vectors. */
function token(name, claims, options = {}, secret = issuers[name].secret?.value) {
  const base = { algorithm: issuers[name].algorithms[0], issuer: issuers[name].issuer, audience: 'orders' };
  const all = { ...base, ...(command === 'mint' ? { expiresIn: '1h' } : {}), ...options };
  const body = command === 'mint' ? { ...claims } : { iat: BEGIN, exp: FAR, ...claims };
  if ('exp' in body || body.endless) delete all.expiresIn;
  if (body.endless) { delete body.exp; delete body.endless; }
  for (const key of Object.keys(all)) if (all[key] === null) delete all[key];
  return jwt.sign(body, secret, all);
}

/** The private key that goes with an algorithm, or a stranger's. EdDSA is unknown to this library. */
function privateKey(alg, stranger = '') {
  const name = { ES256: 'p256', ES384: 'p384', ES512: 'p521' }[alg] ?? 'rsa2048';
  return fs.readFileSync(`${keys}/${name}${stranger}.pem`, 'utf8');
}

function list() {
  const fixed = command === 'vectors';
  const good = (name, token) => ({ name, token, decision: 'allow', reason: null });
  const bad = (name, reason, token) => ({ name, token, decision: 'deny', reason });
  const later = fixed ? { nbf: FAR - 1 } : {};
  const earlier = fixed ? { nbf: BEGIN } : {};
  const sub = { sub: 'alice' };
  return [
    good('HS256', token('hs256', sub)),
    good('HS384', token('hs384', sub)),
    good('HS512', token('hs512', sub)),
    good('options', token('hs256', { roles: ['a', 'b'] }, { subject: 'alice', jwtid: 'id-1', keyid: 'key-1' })),
    good('audience list', token('hs256', sub, { audience: ['other', 'orders'] })),
    good('not before, begun', token('hs256', { ...sub, ...earlier }, fixed ? {} : { notBefore: '-10s' })),
    good('without iat', token('hs384', sub, { noTimestamp: true })),
    good('unicode', token('hs512', { sub: 'zoë 漢字 \u{1f511} "quoted" \\ /', nested: { list: [1, 2.5, true, null] } })),
    good('other typ', token('hs256', sub, { header: { typ: 'at+jwt' } })),
    good('secret as octets', token('hs256', sub, {}, Buffer.from(issuers.hs256.secret.value))),
    bad('expired', 'token_expired', token('hs256', { ...sub, exp: fixed ? PAST : Math.floor(Date.now() / 1000) - 60 })),
    bad('wrong audience', 'audience_mismatch', token('hs256', sub, { audience: 'other' })),
    bad('no audience', 'audience_mismatch', token('hs256', sub, { audience: null })),
    bad('wrong secret', 'signature_invalid', token('hs256', sub, {}, 'another-secret-0123456789abcdef0123456789abcdef')),
    bad('secret of another issuer', 'signature_invalid', token('hs512', sub, {}, issuers.hs256.secret.value)),
    bad('not yet valid', 'token_not_yet_valid', token('hs256', { ...sub, ...later }, fixed ? {} : { notBefore: '10m' })),
    bad('no exp', 'claim_mismatch', token('hs256', { ...sub, endless: true })),
    bad('other algorithm', 'algorithm_not_allowed', token('hs256', sub, { algorithm: 'HS512' })),
    bad('unknown issuer', 'issuer_unknown', token('hs256', sub, { issuer: 'https://hs256.interop.test' })),
    bad('unsigned', 'token_malformed', token('hs256', sub, { algorithm: 'none' }, '')),
    bad('proof of possession', 'type_mismatch', token('hs256', sub, { header: { typ: 'dpop+jwt' } })),
    ...Object.keys(issuers).filter((name) => issuers[name].pem && name !== 'eddsa').flatMap((name) => {
      const alg = issuers[name].algorithms[0];
      const other = alg === 'RS256' ? 'PS256' : 'RS256';
      return [
        good(alg, token(name, sub, {}, privateKey(alg))),
        bad(`${alg} of a stranger`, 'signature_invalid', token(name, sub, {}, privateKey(alg, '_other'))),
        bad(`${other} for ${alg}`, 'algorithm_not_allowed', token(name, sub, { algorithm: other }, privateKey(other))),
      ];
    }),
    bad('critical extension', 'token_malformed', token('hs256', sub, { header: { crit: ['exp'] } })),
  ];
}

function verify(line) {
  const { name, issuer, token } = JSON.parse(line);
  const { secret, pem, algorithms, audience, issuer: iss } = issuers[issuer];
  try {
    return { name, claims: jwt.verify(token, secret?.value ?? pem, { algorithms, audience, issuer: iss }) };
  } catch (error) {
    return { name, claims: null, why: error.message };
  }
}

const lines = command === 'verify' ? fs.readFileSync(0, 'utf8').split('\n').filter(Boolean).map(verify) : list();
for (const line of lines) console.log(JSON.stringify(line));
