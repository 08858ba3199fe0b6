/** Who a caller is: by an API key, or by a signed token. The door to jose. */
import { hash as digest } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../ground/clock.js'
import { TroupeError, describe } from '../../ground/errors.js'
import { RATE_DEFAULT } from './limits.js'
import { checkRate, type Rate } from './rates.js'
import { scope, type May, type Scope } from './scopes.js'
import { refusal } from './statuses.js'

export interface ApiKey {
  /** What the audit log calls its holder. */
  readonly name: string
  /** The key itself, 16 characters at least … */
  readonly key?: string
  /** … or its SHA-256 in hex, so that no secret stands in the configuration. */
  readonly hash?: string
  readonly may: May
  /** Default 100 a second, 200 at once. */
  readonly rate?: Rate
}

/** Signed tokens (JWT): verified with a shared secret, or with the public keys of whoever issues them. */
export interface TokenOptions {
  readonly secret?: string | Uint8Array
  /** The address of a JSON Web Key Set, or the set itself. */
  readonly jwks?: string | { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  /** The only ones accepted. Default `HS256` with a secret, otherwise `RS256`, `ES256` and `EdDSA`. */
  readonly algorithms?: readonly string[]
  readonly issuer?: string
  readonly audience?: string
  /** What the holder of these claims may do. */
  readonly may: (claims: Readonly<Record<string, unknown>>) => May
  /** For each subject. Default 100 a second, 200 at once. */
  readonly rate?: Rate
}

/** Somebody who was let in. */
export interface Caller {
  readonly name: string
  readonly may: Scope
  readonly rate: Rate | undefined
  /** When what let it in expires, in milliseconds since the epoch; a key does not. */
  readonly until?: number
}

export const ANONYMOUS: Caller = { name: 'anonymous', may: () => true, rate: undefined }

type Verify = (token: string) => Promise<Caller>
const KEY_LENGTH_MIN = 16
const CREDENTIAL_LENGTH_MAX = 8_192

const sha256 = (text: string): string => digest('sha256', text, 'hex')
const unknown = (message: string): TroupeError => refusal(401, 'Unauthorized', message, "send the header 'authorization: Bearer …' with a key or token of this gateway")

/** Throws `InvalidDefinition` for a key that is none. */
function holderOf({ name, key, hash, may, rate = RATE_DEFAULT }: ApiKey): readonly [hash: string, Caller] {
  checkRate(rate)
  if ((key === undefined) === (hash === undefined)) throw new TroupeError('InvalidDefinition', `the key ${name} has ${key === undefined ? 'neither key nor hash' : 'both key and hash'}`, 'give one of the two')
  if (key !== undefined && key.length < KEY_LENGTH_MIN) throw new TroupeError('InvalidDefinition', `the key ${name} is shorter than ${KEY_LENGTH_MIN} characters`, 'take a random one: openssl rand -hex 24')
  if (hash !== undefined && !/^[0-9a-f]{64}$/i.test(hash)) throw new TroupeError('InvalidDefinition', `the hash of the key ${name} is no SHA-256 in hex`, 'printf %s "$KEY" | sha256sum')
  return [key === undefined ? (hash as string).toLowerCase() : sha256(key), { name, may: scope(may), rate }]
}

/** Tells who a caller is. Without keys and tokens everybody is let in: a gateway allows that on loopback only. */
export class Gatekeeper {
  /** By the hashes of their keys: a guess chooses its hash no more than it knows theirs, so the time a look-up takes tells nothing of a key. */
  readonly #holders: ReadonlyMap<string, Caller>
  readonly #tokens: TokenOptions | undefined
  readonly #clock: Clock
  #verify: Promise<Verify> | undefined

  constructor(keys: readonly ApiKey[], tokens: TokenOptions | undefined, clock: Clock) {
    this.#holders = new Map(keys.map(holderOf))
    this.#tokens = tokens
    this.#clock = clock
    if (tokens !== undefined) checkTokens(tokens)
  }

  get isOpen(): boolean {
    return this.#holders.size === 0 && this.#tokens === undefined
  }

  /** Loads what verifies tokens, so that what is missing is known at the start. */
  async ready(): Promise<void> {
    if (this.#tokens === undefined) return
    this.#verify ??= verifier(this.#tokens, this.#clock)
    await this.#verify
  }

  /** The caller, or a refusal with the status 401. */
  identify(headers: IncomingHttpHeaders): Caller | TroupeError | Promise<Caller | TroupeError> {
    if (this.isOpen) return ANONYMOUS
    const credential = credentialIn(headers)
    if (credential === undefined) return unknown('this gateway lets in nobody without a key')
    if (credential.length > CREDENTIAL_LENGTH_MAX) return unknown('no key is as long as this one')
    // Keys first: one with two dots in it looks like a token.
    const holder = this.#holders.get(sha256(credential))
    if (holder !== undefined) return holder
    return this.#tokens !== undefined && credential.split('.').length === 3 ? this.#byToken(credential) : unknown('nobody has this key')
  }

  async #byToken(token: string): Promise<Caller | TroupeError> {
    try {
      const verify = await (this.#verify ??= verifier(this.#tokens as TokenOptions, this.#clock))
      return await verify(token)
    } catch (error) {
      if (error instanceof TroupeError) return error
      // The reason in full would help whoever forges tokens.
      return unknown(`the token is not valid: ${(error as { code?: string }).code ?? 'unreadable'}`)
    }
  }
}

/** From `authorization: Bearer`, `x-api-key`, or, where a browser's WebSocket can set no header, a subprotocol. */
function credentialIn(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const key = headers['x-api-key']
  if (typeof key === 'string' && key !== '') return key
  const offered = /(?:^|,)\s*bearer\.([\w-]+)\s*(?:,|$)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]
  return offered === undefined ? undefined : Buffer.from(offered, 'base64url').toString()
}

const SYMMETRIC = /^HS(256|384|512)$/
const algorithmsOf = ({ algorithms, secret }: TokenOptions): readonly string[] => algorithms ?? (secret === undefined ? ['RS256', 'ES256', 'EdDSA'] : ['HS256'])

function checkTokens(options: TokenOptions): void {
  const { secret, jwks, rate = RATE_DEFAULT } = options
  checkRate(rate)
  if ((secret === undefined) === (jwks === undefined)) throw new TroupeError('InvalidDefinition', 'tokens are verified by a secret or by a key set', 'give one of secret and jwks')
  if (secret !== undefined && secret.length < 32) throw new TroupeError('InvalidDefinition', 'the secret of the tokens is shorter than 32 bytes', 'take a random one: openssl rand -hex 32')
  // A public key taken for a shared secret would let anybody sign.
  const wrong = algorithmsOf(options).filter((name) => SYMMETRIC.test(name) !== (secret !== undefined) || name.toLowerCase() === 'none')
  if (wrong.length > 0) throw new TroupeError('InvalidDefinition', `${wrong.join(', ')} with a ${secret === undefined ? 'key set' : 'secret'}`, 'a secret goes with HS256, HS384 or HS512, a key set with the others')
}

async function verifier(options: TokenOptions, clock: Clock): Promise<Verify> {
  const { secret, jwks, issuer, audience, may, rate = RATE_DEFAULT } = options
  const { jwtVerify, createLocalJWKSet, createRemoteJWKSet } = await load()
  const checks = {
    algorithms: [...algorithmsOf(options)],
    requiredClaims: ['exp', 'sub'],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }
  const now = (): { currentDate: Date } => ({ currentDate: new Date(clock.now()) })
  const callerOf = ({ payload }: { payload: Readonly<Record<string, unknown>> }): Caller => ({ name: `sub:${String(payload['sub'])}`, may: scope(may(payload)), rate, until: Number(payload['exp']) * 1_000 })
  if (secret !== undefined) {
    const key = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
    return async (token) => callerOf(await jwtVerify(token, key, { ...checks, ...now() }))
  }
  const keys = typeof jwks === 'string' ? createRemoteJWKSet(new URL(jwks)) : createLocalJWKSet(jwks as unknown as Parameters<typeof createLocalJWKSet>[0])
  return async (token) => callerOf(await jwtVerify(token, keys, { ...checks, ...now() }))
}

async function load(): Promise<typeof import('jose')> {
  try {
    return await import('jose')
  } catch (error) {
    throw new TroupeError('MissingDependency', `signed tokens need jose, which could not be loaded: ${describe(error)}`, 'npm install jose', { dependency: 'jose' }, error)
  }
}
