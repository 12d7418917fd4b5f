// Checks access tokens of an auth server, without its database and without a call for each token.
//
// A follower holds the public keys of the server and a copy of its blacklist, and keeps both up to date. The rules are
// those of docs/FOLLOWERS.md. `Keys`, `Feed` and `Checker` do no I/O and read no clock, so that the vectors can drive
// them. `Follower` is the part with timers and HTTP. Node 20 or later; no dependencies.
//
//     const follower = new Follower({ url, issuer, audience, clientId, clientSecret });
//     const { answer, claims } = await follower.check(token);
//
// `node build/follower.js` is a service for one question: it answers `GET /check` with 200, 401 or 503.
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const MAX_TOKEN = 4096; // Characters of a token.
const MAX_BODY = 2 ** 24; // Bytes of an answer of the server.
const MAX_SNAPSHOT = 2 ** 30; // Bytes of a snapshot.
const MAX_KEYS = 64; // Keys of a set, and keys that are kept.
const MAX_KEY_REFRESH = 3600; // Seconds after which the keys are fetched again, whatever the server says.
const MAX_WAITING = 1024; // Checks that wait for the keys at once.
const MAX_NAMES = 32; // Roles or scopes of a token.
const MAX_INSTANCES = 64; // Server processes whose clocks are compared with ours.
const LEEWAY = 1; // Seconds after its expiry for which a token is still good.
const SKEW = 7200; // Seconds by which two wall clocks may differ.
const TOKEN_LIFE = 90 * 86400; // Seconds of the longest life of a token. A key is kept for so long after it was published.
const SESSION_LIFE = TOKEN_LIFE + 2 * SKEW; // Seconds from the end of a session to the expiry of its last token, at most.
const DRIFT = 1 / 1000; // Share by which two monotonic clocks may differ in speed.
const PAUSE = 0.1; // Seconds from one request to the feed to the next, at least.
const LAST_EXPIRY = 253_370_764_800;
const MAX_GENERATION = 2 ** 32 - 1;
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]; // Members of a private or symmetric key (RFC 7518 §6).
const SNAPSHOT_TYPE = "application/vnd.revocable-auth.snapshot";
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CURSOR = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,16}):([0-9a-f]{16})$/;
const MARK = /^[0-9a-f]{16}$/;
const ROLE = /^[a-z][a-z0-9_-]{0,63}$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

export type Answer = "good" | "invalid" | "expired" | "revoked" | "unavailable";

/** What came over HTTP. The status is 0 without an answer. Times are monotonic, in seconds. */
export interface Reply {
  sent: number;
  received: number;
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

/** Claims of a good token. Ids are 32 hexadecimal digits. */
export interface Claims {
  user: string;
  token: string;
  session: string | null;
  expiresAt: number;
  generation: number;
  admin: boolean;
  key: string;
  client: boolean;
  roles: string[];
  scopes: string[];
}

/** What came is not what was promised. It is not used at all. */
export class Broken extends Error {}

type Members = Record<string, unknown>;

function need(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}

function members(value: unknown): Members {
  need(typeof value === "object" && value !== null && !Array.isArray(value), "not an object");
  return value as Members;
}

/** Reads a JSON object. `JSON.parse` does not notice a member that occurs twice, and takes the last one. */
function parseJson(data: Buffer): Members {
  try {
    return members(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data)));
  } catch {
    throw new Broken("not a JSON object");
  }
}

function text(value: unknown): string {
  need(typeof value === "string", "not a text");
  return value;
}

function integer(value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  need(Number.isSafeInteger(value), "not an integer");
  const number = value as number;
  need(number >= least && number <= most, "out of bounds");
  return number;
}

function list(value: unknown): unknown[] {
  need(Array.isArray(value), "not a list");
  return value;
}

function idOf(value: unknown): string {
  const id = text(value).toLowerCase();
  need(ID.test(id) || /^[0-9a-f]{32}$/.test(id), "not an id");
  return id.replaceAll("-", "");
}

/** Decodes base64url without padding. Exactly one text is accepted for the same bytes. */
function base64url(value: unknown): Buffer {
  const data = Buffer.from(text(value), "base64url");
  need(data.toString("base64url") === value, "another spelling of base64url");
  return data;
}

/** Id of a client: `rac_` and base64url of 16 bytes and a checksum of 3, which a signed text does not need. */
function clientOf(value: unknown): string {
  need(text(value).startsWith("rac_"), "not the id of a client");
  const data = base64url(text(value).slice(4));
  need(data.length === 19, "not the id of a client");
  return data.toString("hex", 0, 16);
}

/** Id of a key in the feed: the first 128 bits of the SHA-256 of its `kid`. */
const keyId = (kid: string): string => createHash("sha256").update(kid).digest("hex").slice(0, 32);

/**
 * Seconds for which a cache has kept an answer (RFC 9111 §5.1): one more than the header says, because whole seconds are
 * rounded down. An age that cannot be read is endless.
 */
function ageOf(headers: Reply["headers"]): number {
  const age = headers["age"]?.trim();
  if (age === undefined) return 0;
  return /^[0-9]{1,9}$/.test(age) ? Number(age) + 1 : Infinity;
}

const KINDS: Record<string, readonly [unknown, unknown, readonly string[]]> = {
  EdDSA: ["OKP", "Ed25519", ["x"]],
  ES256: ["EC", "P-256", ["x", "y"]],
  RS256: ["RSA", undefined, ["n", "e"]],
};

/** Public key with the one algorithm that it may be used with. */
class Key {
  readonly kid: string;
  readonly algorithm: string;
  private readonly key: KeyObject;

  constructor(jwk: Members) {
    const isPublic = !PRIVATE.some((member) => member in jwk);
    need(isPublic && (jwk["use"] ?? "sig") === "sig", "not a public key for signatures");
    this.kid = text(jwk["kid"]);
    this.algorithm = text(jwk["alg"]);
    const kind = Object.hasOwn(KINDS, this.algorithm) ? KINDS[this.algorithm] : undefined;
    need(kind !== undefined && jwk["kty"] === kind[0] && jwk["crv"] === kind[1], "a key of another kind");
    for (const member of kind[2]) base64url(jwk[member]);
    try {
      this.key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
    } catch {
      throw new Broken("not a key");
    }
    const bits = this.key.asymmetricKeyDetails?.modulusLength ?? 2048;
    need(bits >= 2048 && bits <= 8192, "the RSA key is too small or too large");
  }

  verifies(message: Buffer, signature: Buffer): boolean {
    switch (this.algorithm) {
      case "EdDSA":
        return verify(null, message, this.key, signature);
      case "ES256":
        return verify("sha256", message, { key: this.key, dsaEncoding: "ieee-p1363" }, signature);
      default:
        return verify("sha256", message, this.key, signature);
    }
  }
}

/** Keys that the server publishes (RFC 7517). An empty or unreadable set replaces nothing. */
export class Keys {
  known = new Map<string, { key: Key; seen: number }>();
  /** Those of the last set. */
  private published = new Map<string, Key>();
  etag: string | undefined;
  /** When the last fetch began, and the last good one. */
  tried = -Infinity;
  succeeded = -Infinity;
  private refreshAt = -Infinity;

  constructor(private readonly coolDown: number) {}

  /** Whether to fetch the set: it is old, or a token with an unknown key came at `asked`. Time alone decides. */
  due(now: number, asked?: number): boolean {
    const wanted = now >= this.refreshAt || (asked !== undefined && asked > this.tried);
    return wanted && now >= this.tried + this.coolDown;
  }

  take({ sent, received, status, headers, body }: Reply): void {
    this.tried = sent;
    this.refreshAt = received + this.coolDown;
    if (status === 304) {
      need(this.published.size > 0, "304 for a set that was never read");
    } else {
      need(status === 200, `status ${status}`);
      const found = new Map<string, Key>();
      for (const jwk of list(parseJson(body)["keys"])) {
        try {
          const key = new Key(members(jwk));
          if (!found.has(key.kid)) found.set(key.kid, key);
        } catch (error) {
          // Keys of a kind that we do not know are ignored (RFC 7517 §5).
          if (!(error instanceof Broken)) throw error;
        }
      }
      need(found.size > 0 && found.size <= MAX_KEYS, "no key, or too many");
      [this.published, this.etag] = [found, headers["etag"]];
    }
    const kept = new Map([...this.published].map(([kid, key]) => [kid, { key, seen: received }]));
    for (const [kid, entry] of this.known) {
      if (!kept.has(kid) && kept.size < MAX_KEYS && received < entry.seen + TOKEN_LIFE) kept.set(kid, entry);
    }
    this.known = kept;
    this.succeeded = sent - ageOf(headers);
    const life = Number(/max-age=([0-9]{1,9})/.exec(headers["cache-control"] ?? "")?.[1] ?? 300) - ageOf(headers);
    this.refreshAt = received + Math.min(Math.max(life, this.coolDown), MAX_KEY_REFRESH);
  }
}

const KINDS_OF_ENTRIES = ["token", "session", "user", "key"] as const;

interface Entry {
  kind: (typeof KINDS_OF_ENTRIES)[number];
  id: string;
  /** Generation below which the tokens of a user are revoked. */
  below: number;
  expiry: number;
}

/** Copy of the blacklist, and the time up to which it is complete. */
export class Feed {
  /** `undefined`: take the snapshot next. */
  cursor: string | undefined;
  /** Whether the last page had everything. Only then is it worth to wait for more. */
  caughtUp = false;
  private fresh = -Infinity;
  private best = new Map<string, { best: number; at: number }>();
  private entries = {
    token: new Map<string, Entry>(),
    session: new Map<string, Entry>(),
    user: new Map<string, Entry>(),
    key: new Map<string, Entry>(),
  };
  private purgedTokens = 0;
  private purgedUsers = 0;
  /** Entries whose tokens expired before were dropped. */
  private forgotten = -Infinity;
  private swept = 0;

  constructor(readonly maxStaleness: number) {}

  isFresh(now: number): boolean {
    return now - this.fresh <= this.maxStaleness;
  }

  takePage(reply: Reply): void {
    if (reply.status === 410) {
      this.cursor = undefined; // What was refused goes on being refused.
      return;
    }
    need(reply.status === 200 && this.cursor !== undefined, `status ${reply.status}`);
    const page = parseJson(reply.body);
    const [epoch, before] = this.cursor.split(":") as [string, string];
    const next = CURSOR.exec(text(page["next"]));
    need(next?.[1] === epoch && page["epoch"] === epoch, "another epoch");
    const after = integer(Number(next[2]));
    const entries = list(page["entries"]).map(members);
    need(entries.length + integer(page["skipped"]) === after - Number(before), "a gap");
    const head = integer(page["head"], after);
    let last = Number(before);
    for (const entry of entries) last = integer(entry["position"], last + 1, after);
    const found = entries.map(Feed.parseEntry);
    const end = entries.at(-1);
    need(end === undefined || last < after || end["mark"] === next[3], "the cursor is of another entry");
    const purged = readPurged(page);
    const asOf = this.asOf(reply, page);
    this.use(found, purged, next[0]);
    this.caughtUp = head === after;
    if (this.caughtUp) this.fresh = Math.max(this.fresh, asOf);
  }

  private static parseEntry(this: void, entry: Members): Entry {
    const kinds = KINDS_OF_ENTRIES.filter((kind) => kind in entry);
    const [kind] = kinds;
    need(kind !== undefined && kinds.length === 1, "an entry of another kind");
    need(MARK.test(text(entry["mark"])), "an entry without a mark");
    const below = kind === "user" ? integer(entry["below"], 0, MAX_GENERATION) : 0;
    const expiry = integer(entry["exp"], 0, LAST_EXPIRY);
    if (kind === "session") {
      need(expiry - integer(entry["at"], 0, LAST_EXPIRY) <= SESSION_LIFE, "the session ended too early");
    }
    return { kind, id: idOf(entry[kind]), below, expiry };
  }

  /** Monotonic time up to which a page is complete. It trusts no wall clock, and a cache can only make it earlier. */
  private asOf({ sent, received, headers }: Reply, page: Members): number {
    const instance = text(page["instance"]);
    const [uptime, copy] = [integer(page["uptime_ms"]) / 1000, integer(page["age_ms"]) / 1000];
    const noted = this.best.get(instance) ?? { best: -Infinity, at: received };
    const best = Math.max(noted.best - DRIFT * (received - noted.at), uptime - received);
    this.best.delete(instance);
    this.best.set(instance, { best, at: received });
    const [oldest] = this.best.keys();
    if (this.best.size > MAX_INSTANCES) this.best.delete(oldest ?? instance);
    return Math.min(sent, uptime - best) - copy - ageOf(headers);
  }

  takeSnapshot({ status, body }: Pick<Reply, "status" | "body">): void {
    need(status === 200, `status ${status}`);
    need(body.length >= 41 && body.subarray(0, 5).equals(Buffer.from("RARS\x01", "latin1")), "not a snapshot");
    const content = body.subarray(0, -32);
    need(timingSafeEqual(createHash("sha256").update(content).digest(), body.subarray(-32)), "the digest is wrong");
    const reader = new Reader(content, 5);
    const header = parseJson(reader.take(reader.number(4)));
    const next = CURSOR.exec(text(header["next"]));
    need(next !== null && next[1] === header["epoch"], "no cursor");
    const purged = readPurged(header);
    const stated = members(header["counts"]);
    const found: Entry[] = [];
    for (const kind of KINDS_OF_ENTRIES) {
      const before = found.length;
      for (let number = reader.number(4); number > 0; number -= 1) {
        if (kind === "user" || kind === "key") {
          const id = reader.take(16).toString("hex");
          found.push({ kind, id, below: kind === "user" ? reader.number(4) : 0, expiry: reader.hour() });
        } else {
          const expiry = reader.hour();
          if (kind === "session") need(expiry - reader.hour() <= SESSION_LIFE + 3600, "a session ended too early");
          for (const id of reader.ids()) found.push({ kind, id, below: 0, expiry });
        }
      }
      need(found.length - before === stated[`${kind}s`], "the counts are wrong");
    }
    need(reader.isAtTheEnd(), "more than a snapshot");
    this.use(found, purged, next[0]);
    this.caughtUp = false;
  }

  private use(found: Entry[], purged: { tokens: number; users: number }, cursor: string): void {
    for (const entry of found) {
      const known = this.entries[entry.kind].get(entry.id) ?? entry;
      entry.below = Math.max(entry.below, known.below);
      entry.expiry = Math.max(entry.expiry, known.expiry);
      this.entries[entry.kind].set(entry.id, entry);
    }
    this.purgedTokens = Math.max(this.purgedTokens, purged.tokens);
    this.purgedUsers = Math.max(this.purgedUsers, purged.users);
    this.cursor = cursor;
  }

  /** Drops the entries whose tokens expired more than the leeway and the skew ago. Once an hour is often enough. */
  forget(wall: number): void {
    if (wall < this.swept + 3600) return;
    this.swept = wall;
    this.forgotten = Math.max(this.forgotten, wall - LEEWAY - SKEW);
    for (const entries of Object.values(this.entries)) {
      for (const [id, { expiry }] of entries) if (expiry < this.forgotten) entries.delete(id);
    }
  }

  standing(claims: Claims, now: number): Answer {
    const renewable = claims.session !== null && claims.session !== claims.token;
    const ended = renewable ? this.entries.session.has(claims.session ?? "") : this.entries.token.has(claims.token);
    const below = this.entries.user.get(claims.user)?.below ?? 0;
    if (ended || claims.generation < below || this.entries.key.has(claims.key)) return "revoked";
    if (claims.expiresAt <= this.purgedTokens) return "revoked";
    if (claims.expiresAt <= this.purgedUsers || claims.expiresAt < this.forgotten) return "unavailable";
    return this.isFresh(now) ? "good" : "unavailable";
  }
}

function readPurged(page: Members): { tokens: number; users: number } {
  const purged = members(page["purged"]);
  return { tokens: integer(purged["tokens"]), users: integer(purged["users"]) };
}

/** Numbers and ids of a snapshot, one after the other. */
class Reader {
  constructor(
    private readonly data: Buffer,
    private at: number,
  ) {}

  take(length: number): Buffer {
    need(this.at + length <= this.data.length, "the snapshot ends too early");
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }

  number(length: 1 | 4 | 8): number {
    const data = this.take(length);
    return integer(length === 8 ? Number(data.readBigUInt64BE()) : data.readUIntBE(0, length));
  }

  /** Last second of an hour. What happened within the hour was not later. */
  hour(): number {
    return integer(this.number(8), 0, LAST_EXPIRY / 3600) * 3600 + 3599;
  }

  /** Sorted ids, each as the number of bytes that it shares with the one before, and the others. */
  *ids(): Generator<string> {
    let before = "";
    for (let count = this.number(4); count > 0; count -= 1) {
      const shared = this.number(1);
      need(shared < 16 && shared * 2 <= before.length, "shares more than there is");
      const id = before.slice(0, shared * 2) + this.take(16 - shared).toString("hex");
      need(id > before, "the ids are not sorted");
      yield id;
      before = id;
    }
  }

  isAtTheEnd(): boolean {
    return this.at === this.data.length;
  }
}

/** Decides about tokens, with the keys, the copy of the blacklist and two clocks. */
export class Checker {
  readonly keys: Keys;
  readonly feed: Feed;

  constructor(
    private readonly issuer: string,
    private readonly audience: string,
    maxStaleness = 5,
    coolDown = 2,
  ) {
    this.keys = new Keys(coolDown);
    this.feed = new Feed(maxStaleness);
  }

  /**
   * The answer "keys" means: fetch the keys when that is due, and ask again with the same `asked`, the monotonic time at
   * which the token came.
   */
  check(token: string, wall: number, now: number, asked = now): { answer: Answer | "keys"; claims?: Claims } {
    let claims: Claims;
    try {
      need(token.length <= MAX_TOKEN, "too long");
      const parts = token.split(".");
      need(parts.length === 3, "not three parts");
      const header = parseJson(base64url(parts[0]));
      need(header["typ"] === "at+jwt" && !("crit" in header), "another type");
      const [kid, algorithm] = [text(header["kid"]), text(header["alg"])];
      need(Object.hasOwn(KINDS, algorithm), "not an algorithm of a key pair");
      const key = this.keys.known.get(kid)?.key;
      if (key === undefined) return { answer: this.withoutKey(asked) };
      need(algorithm === key.algorithm, "the key decides the algorithm");
      const message = Buffer.from(`${parts[0]}.${parts[1]}`);
      need(key.verifies(message, base64url(parts[2])), "not signed with the key");
      claims = this.read(parseJson(base64url(parts[1])), kid);
    } catch (error) {
      if (error instanceof Broken) return { answer: "invalid" };
      throw error;
    }
    if (wall >= claims.expiresAt + LEEWAY) return { answer: "expired" };
    this.feed.forget(wall);
    const answer = this.feed.standing(claims, now);
    return answer === "good" ? { answer, claims } : { answer };
  }

  /** A token with an unknown key is decided by a fetch of the keys that began after the token came. */
  private withoutKey(asked: number): Answer | "keys" {
    if (this.keys.tried < asked) return "keys";
    return this.keys.succeeded >= asked ? "invalid" : "unavailable";
  }

  private read(claims: Members, kid: string): Claims {
    need(claims["iss"] === this.issuer, "another issuer");
    const audience = Array.isArray(claims["aud"]) ? claims["aud"].map(text) : [text(claims["aud"])];
    need(audience.includes(this.audience), "for somebody else");
    const roles = list(claims["roles"] ?? []).map(text);
    const scopes = text(claims["scope"] ?? "").split(" ").filter((scope) => scope !== "");
    for (const [names, form] of [[roles, ROLE], [scopes, SCOPE]] as const) {
      need(names.every((name) => form.test(name)) && new Set(names).size <= MAX_NAMES, "not roles or scopes");
    }
    const [admin, user, client] = [claims["admin"], idOf(claims["sub"]), claims["client_id"] ?? null];
    need(typeof admin === "boolean", "no admin");
    need(client === null || (clientOf(client) === user && !admin), "not the client's own token");
    integer(claims["iat"], -LAST_EXPIRY, LAST_EXPIRY);
    return {
      user,
      token: idOf(claims["jti"]),
      session: (claims["sid"] ?? null) === null ? null : idOf(claims["sid"]),
      expiresAt: integer(claims["exp"], 0, LAST_EXPIRY),
      generation: integer(claims["gen"], 0, MAX_GENERATION),
      admin,
      key: keyId(kid),
      client: client !== null,
      roles,
      scopes,
    };
  }
}

export interface FollowerOptions {
  url: string;
  issuer: string;
  audience: string;
  clientId: string;
  clientSecret: string;
  /** Maximum age of the copy, in seconds: at least two waits and a second. */
  maxStaleness?: number;
  /** How long the server may hold a request until there is news, in whole seconds from 1 to 20. */
  wait?: number;
  /** Keeps the last snapshot for the next start. Only its owner can read it. */
  file?: string | undefined;
}

/** Refuses options that cannot work. Without TLS anybody on the way could read our token and change the keys. */
function checkOptions({ url: address, clientId, clientSecret, maxStaleness = 5, wait = 1 }: FollowerOptions): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!/^https?:$/.test(url?.protocol ?? "") || url?.username || url?.password || url?.search || url?.hash) {
    throw new RangeError("url: https://HOST or http://HOST, with a port and a path if need be");
  }
  if (url?.protocol === "http:" && !/^(localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname)) {
    throw new RangeError("url: http:// leads to this machine only, and https:// to others");
  }
  if (clientId === "" || clientSecret === "") throw new RangeError("clientId and clientSecret: neither is empty");
  if (!Number.isInteger(wait) || wait < 1 || wait > 20) {
    throw new RangeError("wait: a whole number of seconds from 1 to 20");
  }
  if (!(maxStaleness >= 2 * wait + 1)) throw new RangeError("maxStaleness: at least twice `wait` and one second");
}

/** Follows a server, and answers from memory. */
export class Follower {
  private readonly checker: Checker;
  private stopped = false;
  /** Wake the checks that wait for the keys. */
  private readonly waiting = new Set<() => void>();
  /** When the oldest token with an unknown key came that was not decided yet. */
  private asked: number | undefined;
  private token = { text: "", until: -Infinity };

  /** Throws a `RangeError` that names an option which cannot work. */
  constructor(private readonly options: FollowerOptions) {
    checkOptions(options);
    this.checker = new Checker(options.issuer, options.audience, options.maxStaleness);
    if (options.file !== undefined && existsSync(options.file)) load(this.checker.feed, options.file);
    void this.followKeys();
    void this.followFeed();
  }

  async check(token: string): Promise<{ answer: Answer; claims?: Claims }> {
    const asked = monotonic();
    for (;;) {
      const { answer, claims } = this.checker.check(token, Date.now() / 1000, monotonic(), asked);
      if (answer !== "keys") return claims === undefined ? { answer } : { answer, claims };
      if (this.waiting.size >= MAX_WAITING || monotonic() > asked + 5) return { answer: "unavailable" };
      this.asked ??= asked;
      await this.fetchOfKeys();
    }
  }

  stop(): void {
    this.stopped = true;
  }

  /** Waits until the keys were fetched, for a second at most. */
  private fetchOfKeys(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 1000);
      this.waiting.add(wake);
    });
  }

  private async followKeys(): Promise<void> {
    const { keys } = this.checker;
    while (!this.stopped) {
      if (!keys.due(monotonic(), this.asked)) {
        await pause(0.1);
        continue;
      }
      const headers = { "Cache-Control": "no-cache", ...(keys.etag === undefined ? {} : { "If-None-Match": keys.etag }) };
      const reply = await this.ask("/.well-known/jwks.json", { headers }, 3);
      attempt(() => keys.take(reply));
      if (this.asked !== undefined && this.asked <= reply.sent) this.asked = undefined;
      for (const wake of [...this.waiting]) wake();
    }
  }

  private async followFeed(): Promise<void> {
    let failures = 0;
    while (!this.stopped) {
      const began = monotonic();
      failures = (await this.askFeed().catch(report)) ? 0 : Math.min(failures + 1, 5);
      if (failures > 0) await pause((0.5 + Math.random() / 2) * PAUSE * 2 ** failures);
      else if (this.checker.feed.caughtUp) await pause(began + PAUSE - monotonic());
    }
  }

  /** Asks for the snapshot or the next page. Resolves to whether it was there and was used. */
  private async askFeed(): Promise<boolean> {
    if (monotonic() >= this.token.until && !(await this.renewToken())) return false;
    const { feed } = this.checker;
    const authorization = `Bearer ${this.token.text}`;
    let [status, used] = [0, false];
    if (feed.cursor === undefined) {
      const headers = { authorization, accept: SNAPSHOT_TYPE };
      const reply = await this.ask("/auth/revocations/snapshot", { headers }, 90, MAX_SNAPSHOT);
      [status, used] = [reply.status, attempt(() => feed.takeSnapshot(reply))];
      if (used && this.options.file !== undefined) keep(reply.body, this.options.file);
    } else {
      // A page that fails is asked for again without a wait. A late one leaves time for another before the copy is too old.
      const longest = this.options.wait ?? 1;
      const wait = feed.caughtUp ? longest : 0;
      feed.caughtUp = false;
      const path = `/auth/revocations?after=${feed.cursor}&wait=${wait}`;
      const reply = await this.ask(path, { headers: { authorization } }, wait + Math.min(5, feed.maxStaleness / 2 - longest));
      [status, used] = [reply.status, attempt(() => feed.takePage(reply))];
      if (used) feed.forget(Date.now() / 1000);
    }
    if (status === 401) this.token.until = -Infinity;
    return used && status === 200;
  }

  /** Asks for a token of our own for the feed (RFC 6749 §4.4). */
  private async renewToken(): Promise<boolean> {
    const pair = [this.options.clientId, this.options.clientSecret].map(encodeURIComponent).join(":");
    const headers = { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
    const body = new URLSearchParams({ grant_type: "client_credentials", scope: "revocations" });
    const reply = await this.ask("/oauth/token", { method: "POST", headers, body }, 5);
    return attempt(() => {
      need(reply.status === 200, `status ${reply.status} for our own token`);
      const answer = parseJson(reply.body);
      this.token = { text: text(answer["access_token"]), until: reply.sent + 0.8 * integer(answer["expires_in"]) };
    });
  }

  /**
   * Asks the server for an answer of at most `most` bytes `within` so many seconds. It follows no redirects, which would
   * send our token elsewhere.
   */
  private async ask(path: string, request: RequestInit, within: number, most = MAX_BODY): Promise<Reply> {
    const sent = monotonic();
    try {
      const url = this.options.url.replace(/\/$/, "") + path;
      const response = await fetch(url, { ...request, signal: AbortSignal.timeout(within * 1000), redirect: "error" });
      const body = await readBody(response, most, sent + within);
      const headers = Object.fromEntries(response.headers);
      return { sent, received: monotonic(), status: response.status, headers, body };
    } catch (error) {
      report(error);
      return { sent, received: monotonic(), status: 0, headers: {}, body: Buffer.alloc(0) };
    }
  }
}

/**
 * Reads a body of at most `most` bytes until the monotonic time `until`. It has a timer of its own, because the signal of
 * `fetch` does not end a body in Node 20 any more after garbage was collected.
 */
async function readBody(response: Response, most: number, until: number): Promise<Buffer> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  let [size, late] = [0, false];
  const timer = setTimeout(() => {
    late = true;
    reader?.cancel().catch(report);
  }, (until - monotonic()) * 1000);
  try {
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      size += part.value.length;
      need(size <= most, "the answer is too long");
      parts.push(part.value);
    }
    need(!late, "the answer comes too slowly");
    return Buffer.concat(parts);
  } finally {
    clearTimeout(timer);
    reader?.cancel().catch(report);
  }
}

/** Whatever is wrong with an answer, the follower goes on. */
function attempt(take: () => void): boolean {
  try {
    take();
  } catch (error) {
    return report(error);
  }
  return true;
}

function report(error: unknown): false {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  console.error(`not used: ${cause instanceof Error ? cause.message : String(cause)}`);
  return false;
}

function load(feed: Feed, file: string): void {
  attempt(() => {
    feed.takeSnapshot({ status: 200, body: readFileSync(file) });
  });
}

function keep(snapshot: Buffer, file: string): void {
  const draft = `${file}.${process.pid}`;
  attempt(() => {
    rmSync(draft, { force: true }); // Of a process that was killed and had the same id.
    writeFileSync(draft, snapshot, { mode: 0o600, flag: "wx" });
    renameSync(draft, file);
  });
}

const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const clock = { reading: 0, performance: performance.now(), wall: Date.now() };

/**
 * Seconds that never go back. The clock of Node stands still while the machine is suspended, so a jump of the wall clock
 * by more than a second counts as time too. At worst the copy looks older than it is.
 */
function monotonic(): number {
  const [now, wall] = [performance.now(), Date.now()];
  const [passed, onTheWall] = [now - clock.performance, wall - clock.wall];
  clock.reading += onTheWall > passed + 1000 ? onTheWall : passed;
  [clock.performance, clock.wall] = [now, wall];
  return clock.reading / 1000;
}

function serve(): void {
  const setting = (name: string, unset?: string): string => {
    const value = process.env[`FOLLOW_${name}`] ?? unset;
    if (value === undefined) throw new Error(`FOLLOW_${name} is not set`);
    return value;
  };
  const follower = new Follower({
    url: setting("URL"),
    issuer: setting("ISSUER", setting("URL")),
    audience: setting("AUDIENCE"),
    clientId: setting("CLIENT_ID"),
    clientSecret: setting("CLIENT_SECRET"),
    file: process.env["FOLLOW_FILE"],
  });
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/check") return void response.writeHead(404).end();
    const token = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
    const checked = token === undefined ? Promise.resolve({ answer: "missing", claims: undefined }) : follower.check(token);
    const answered = checked.then(({ answer, claims }) => {
      const status = answer === "good" ? 200 : answer === "unavailable" ? 503 : 401;
      const headers: Record<string, string> = { "Content-Type": "application/json" };
      if (status === 401) headers["WWW-Authenticate"] = 'Bearer realm="auth"';
      if (status === 503) headers["Retry-After"] = "2";
      const user = claims?.user.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
      response.writeHead(status, headers).end(JSON.stringify({ answer, user_id: user }));
    });
    answered.catch((error: unknown) => {
      console.error(error);
      response.destroy();
    });
  });
  server.listen(Number(setting("PORT", "3003")), "127.0.0.1");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) serve();
