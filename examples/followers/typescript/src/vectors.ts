// Runs the vectors: `node build/vectors.js ../vectors.json`. They say what a follower answers, event by event.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { Broken, Checker, type Reply } from "./follower.js";

/** What came over HTTP, and whether the follower uses it. Times are in milliseconds. */
interface Fetched {
  sent: number;
  received: number;
  status: number;
  headers: Record<string, string>;
  body: string;
  used: boolean;
}

type Event =
  | ({ event: "keys" | "snapshot" } & Fetched)
  | ({ event: "page"; after: string } & Fetched)
  | { event: "keys_due"; mono: number; asked?: number; due: boolean }
  | { event: "check"; token: string; mono: number; wall: number; asked?: number; answer: string }
  | Flood;

/** Tokens with keys that nobody has, spread evenly over a time. */
interface Flood {
  event: "flood";
  token: string;
  checks: number;
  mono: number;
  until: number;
  wall: number;
  fetches: number;
  status: number;
  body: string;
}

interface Vectors {
  options: { issuer: string; audience: string; max_staleness_ms: number; cool_down_ms: number };
  tokens: Record<string, string>;
  scenarios: { name: string; events: Event[] }[];
}

const vectors = JSON.parse(readFileSync(process.argv[2] ?? "../vectors.json", "utf8")) as Vectors;
const token = (name: string): string => vectors.tokens[name] ?? assert.fail(`no token ${name}`);

function take(used: boolean, use: (reply: Reply) => void, reply: Reply): void {
  try {
    use(reply);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    assert.ok(!used, error.message);
    return;
  }
  assert.ok(used, "it is used");
}

function reply(event: Fetched, encoding: BufferEncoding): Reply {
  const { status, headers } = event;
  return { sent: event.sent / 1000, received: event.received / 1000, status, headers, body: Buffer.from(event.body, encoding) };
}

function run(checker: Checker, event: Event): void {
  const { keys, feed } = checker;
  switch (event.event) {
    case "keys":
      take(event.used, (reply) => keys.take(reply), reply(event, "utf8"));
      break;
    case "keys_due":
      assert.equal(keys.due(event.mono / 1000, event.asked === undefined ? undefined : event.asked / 1000), event.due);
      break;
    case "snapshot":
      assert.equal(feed.cursor, undefined);
      take(event.used, (reply) => feed.takeSnapshot(reply), reply(event, "base64"));
      break;
    case "page":
      assert.equal(feed.cursor, event.after);
      take(event.used, (reply) => feed.takePage(reply), reply(event, "utf8"));
      break;
    case "check": {
      const { mono, wall, asked = mono } = event;
      assert.equal(checker.check(token(event.token), wall / 1000, mono / 1000, asked / 1000).answer, event.answer);
      break;
    }
    case "flood":
      flood(checker, event);
      break;
    default:
      assert.fail("an event of another kind");
  }
}

function flood(checker: Checker, { token: name, checks, mono, until, wall, fetches, status, body }: Flood): void {
  const { keys } = checker;
  const rest = token(name).replace(/^[^.]*/, "");
  let fetched = 0;
  for (let number = 0; number < checks; number += 1) {
    const passed = Math.floor(((until - mono) * number) / checks);
    const header = Buffer.from(JSON.stringify({ typ: "at+jwt", alg: "EdDSA", kid: `flood-${number}` }));
    const forged = header.toString("base64url") + rest;
    const [now, at] = [(mono + passed) / 1000, (wall + passed) / 1000];
    assert.equal(checker.check(forged, at, now).answer, "keys");
    if (!keys.due(now, now)) continue;
    fetched += 1;
    const reply = { sent: now, received: now, status, headers: {}, body: Buffer.from(body) };
    take(status === 200, (reply) => keys.take(reply), reply);
    assert.equal(checker.check(forged, at, now).answer, status === 200 ? "invalid" : "unavailable");
  }
  assert.equal(fetched, fetches);
}

let events = 0;
for (const scenario of vectors.scenarios) {
  const { issuer, audience, max_staleness_ms: staleness, cool_down_ms: coolDown } = vectors.options;
  const checker = new Checker(issuer, audience, staleness / 1000, coolDown / 1000);
  for (const [number, event] of scenario.events.entries()) {
    try {
      run(checker, event);
    } catch (error) {
      throw new Error(`${scenario.name}: event ${number}: ${JSON.stringify(event).slice(0, 400)}`, { cause: error });
    }
    events += 1;
  }
}
console.log(`typescript: ${vectors.scenarios.length} scenarios with ${events} events are as they should be`);
