import { describe, expect, it } from "vitest";
import type { LiveEvent } from "../live/live";
import { fresh, heard, KEPT_MS, markOf, NOTHING, type Qualities } from "./quality";

const NOW = 1_795_000_000_000;
const UNKNOWN = { mos: -1, loss: -1, jitter_ms: -1, round_trip_ms: -1, far_mos: -1, far_loss: -1, far_jitter_ms: -1 };

/** As the server sends it: without a number. */
const told = (side: string, figures: Record<string, number> = {}, call = "c1"): LiveEvent =>
  ({ at: "", type: "call.quality", call: { id: call }, side, ...UNKNOWN, ...figures }) as unknown as LiveEvent;
const happened = (type: string, call = "c1"): LiveEvent => ({ seq: 1, at: "", type, call: { id: call } });
const knownAfter = (...events: LiveEvent[]): Qualities =>
  events.reduce((known, each) => heard(known, each, NOW), NOTHING);
const markAfter = (...events: LiveEvent[]): string | null => markOf(knownAfter(...events).get("c1"));

describe("the mark of a call", () => {
  it.each([
    [4.41, "good"],
    [4.03, "good"],
    [4.02, "fair"],
    [3.6, "fair"],
    [3.59, "poor"],
    [1, "poor"],
  ])("with a MOS of %s is %s", (mos, mark) => {
    expect(markAfter(told("caller", { mos }))).toBe(mark);
  });

  it("is that of the worst side, and of the worst way", () => {
    expect(markAfter(told("caller", { mos: 4.4 }), told("agent", { mos: 3.2 }))).toBe("poor");
    expect(markAfter(told("caller", { mos: 4.4, far_mos: 3.8 }), told("agent", { mos: 4.4 }))).toBe("fair");
  });

  it("follows the last report of each side", () => {
    expect(markAfter(told("caller", { mos: 2 }), told("agent", { mos: 4.3 }), told("caller", { mos: 4.3 }))).toBe(
      "good",
    );
  });

  it("is none where nothing is known", () => {
    expect(markOf(undefined)).toBeNull();
    expect(markAfter(told("caller"), told("agent", { loss: 0, jitter_ms: 3 }))).toBeNull();
    expect(markAfter(told("caller", { mos: 4.4 }, "c2"))).toBeNull();
  });
});

describe("the figures", () => {
  it("leave out what is not known, and keep what is nothing", () => {
    const caller = knownAfter(told("caller", { mos: 4.2, loss: 0, jitter_ms: 0, far_loss: 0.01 })).get("c1")?.caller;
    expect(caller).toEqual({ from: { mos: 4.2, loss: 0, jitterMs: 0 }, to: { loss: 0.01 }, toldAt: NOW });
    const agent = knownAfter(told("agent", { round_trip_ms: 0, far_mos: 4, far_jitter_ms: 7.5 })).get("c1")?.agent;
    expect(agent).toEqual({ from: {}, to: { mos: 4, jitterMs: 7.5 }, roundTripMs: 0, toldAt: NOW });
  });

  it("do not trust what is no figure", () => {
    const odd = { ...told("caller"), mos: "4", loss: null, jitter_ms: Number.NaN };
    expect(knownAfter(odd).get("c1")?.caller?.from).toEqual({});
    expect(knownAfter(told("monitor", { mos: 4 }))).toBe(NOTHING);
    expect(knownAfter({ ...told("caller", { mos: 4 }), call: undefined })).toBe(NOTHING);
  });
});

describe("what is over", () => {
  const both = knownAfter(told("caller", { mos: 4.4 }), told("agent", { mos: 3.2 }), told("caller", { mos: 4 }, "c2"));

  it("is forgotten with its call", () => {
    expect([...heard(both, happened("call.ended"), NOW).keys()]).toEqual(["c2"]);
  });

  it.each(["call.talk_ended", "call.transferred"])("after %s is the agent's side alone", (type) => {
    const known = heard(both, happened(type), NOW);
    expect(Object.keys(known.get("c1") ?? {})).toEqual(["caller"]);
    expect(markOf(known.get("c1"))).toBe("good");
  });

  it("is forgotten side by side when nothing is told any more", () => {
    const later = heard(both, told("agent", { mos: 4.1 }), NOW + KEPT_MS);
    expect(fresh(later, NOW + KEPT_MS)).toBe(later);
    const left = fresh(later, NOW + KEPT_MS + 1);
    expect([...left.keys()]).toEqual(["c1"]);
    expect(Object.keys(left.get("c1") ?? {})).toEqual(["agent"]);
  });
});

it("changes nothing with any other event", () => {
  const known = knownAfter(told("caller", { mos: 4.4 }));
  for (const type of ["call.held", "agent.changed", "refresh"]) expect(heard(known, happened(type), NOW)).toBe(known);
  expect(heard(known, { seq: 1, at: "", type: "hello" }, NOW)).toBe(known);
  expect(heard(known, happened("call.ended", "c9"), NOW)).toBe(known);
  expect(fresh(known, NOW)).toBe(known);
});
