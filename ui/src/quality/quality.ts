import type { LiveEvent } from "../live/live";

/**
 * How running calls sound, of the live events `call.quality`: one for each side of a call, every five seconds. What is
 * not known is -1 there and missing here; what was told too long ago is forgotten.
 */
export type Side = "caller" | "agent";
export type Mark = "good" | "fair" | "poor";

/** One way of the voice. `loss` is a share from 0 to 1. */
export interface Figures {
  mos?: number;
  loss?: number;
  jitterMs?: number;
}

/** A side: what comes from there, what reaches it as its phone reports, and how long there and back takes. */
export interface SideQuality {
  from: Figures;
  to: Figures;
  roundTripMs?: number;
  toldAt: number;
}

export type CallQuality = { readonly [side in Side]?: SideQuality };
/** By call. */
export type Qualities = ReadonlyMap<string, CallQuality>;

export const NOTHING: Qualities = new Map();
/** Three reports that did not come. */
export const KEPT_MS = 15_000;
/** ITU-T G.107, Annex B: from here on nearly all are satisfied; below the other many are not. */
const GOOD = 4.03;
const FAIR = 3.6;

const SIDES: Side[] = ["caller", "agent"];
/** Whose figures are over with these: the next who talks in the call has a network of their own. */
const OVER: Record<string, Side[]> = {
  "call.ended": SIDES,
  "call.talk_ended": ["agent"],
  "call.transferred": ["agent"],
};

/** Take a live event; `now` is in milliseconds. What changes nothing gives the same qualities back. */
export function heard(known: Qualities, event: LiveEvent, now: number): Qualities {
  const call = (event.call as { id?: unknown } | undefined)?.id;
  if (typeof call !== "string") return known;
  if (event.type === "call.quality") {
    if (event.side !== "caller" && event.side !== "agent") return known;
    return new Map(known).set(call, { ...known.get(call), [event.side]: sideQuality(event, now) });
  }
  const over = OVER[event.type];
  return over ? without(known, (id, side) => id === call && over.includes(side)) : known;
}

/** Forget what was told too long ago. */
export function fresh(known: Qualities, now: number): Qualities {
  return without(known, (_, __, quality) => now - quality.toldAt > KEPT_MS);
}

/** The worst of both sides and ways; null where nothing is known. */
export function markOf(quality: CallQuality | undefined): Mark | null {
  const all = SIDES.flatMap((side) => [quality?.[side]?.from.mos, quality?.[side]?.to.mos]);
  const known = all.filter((mos) => mos !== undefined);
  if (known.length === 0) return null;
  const worst = Math.min(...known);
  return worst >= GOOD ? "good" : worst >= FAIR ? "fair" : "poor";
}

function sideQuality(event: LiveEvent, now: number): SideQuality {
  return {
    from: figures(event.mos, event.loss, event.jitter_ms),
    to: figures(event.far_mos, event.far_loss, event.far_jitter_ms),
    ...ifKnown("roundTripMs", event.round_trip_ms),
    toldAt: now,
  };
}

function figures(mos: unknown, loss: unknown, jitterMs: unknown): Figures {
  return { ...ifKnown("mos", mos), ...ifKnown("loss", loss), ...ifKnown("jitterMs", jitterMs) };
}

function ifKnown<Name extends string>(name: Name, value: unknown): { [name in Name]?: number } {
  return typeof value === "number" && value >= 0 ? ({ [name]: value } as { [name in Name]: number }) : {};
}

function without(known: Qualities, isOver: (call: string, side: Side, quality: SideQuality) => boolean): Qualities {
  const kept = new Map<string, CallQuality>();
  let left = 0;
  for (const [call, quality] of known) {
    const sides = SIDES.flatMap((side) => {
      const one = quality[side];
      if (one && isOver(call, side, one)) left += 1;
      return one && !isOver(call, side, one) ? [[side, one] as const] : [];
    });
    if (sides.length > 0) kept.set(call, Object.fromEntries(sides));
  }
  return left > 0 ? kept : known;
}
