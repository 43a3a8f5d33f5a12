import type { Recording, Word } from "../api/client";

/** One party's words up to where the other begins, or a long pause. */
export interface Turn {
  channel: number;
  start: number;
  words: { word: Word; index: number }[];
}

export interface Span {
  start: number;
  end: number;
}

const LONG_PAUSE_S = 2;
const BREATH_S = 0.8;
/** Silence that is worth skipping, and what is left of it before the next word. */
const SKIP_FROM_S = 1.2;
const LEAD_S = 0.3;

export function turns(words: Word[]): Turn[] {
  const made: Turn[] = [];
  words.forEach((word, index) => {
    const last = made.at(-1);
    const before = last?.words.at(-1)?.word;
    if (!last || !before || last.channel !== word.channel || word.start - before.end > LONG_PAUSE_S) {
      made.push({ channel: word.channel, start: word.start, words: [{ word, index }] });
    } else {
      last.words.push({ word, index });
    }
  });
  return made;
}

/** When anybody speaks: spans that breathing does not cut. */
export function spoken(words: Word[]): Span[] {
  const spans: Span[] = [];
  for (const { start, end } of [...words].sort((a, b) => a.start - b.start)) {
    const last = spans.at(-1);
    if (last && start - last.end < BREATH_S) last.end = Math.max(last.end, end);
    else spans.push({ start, end });
  }
  return spans;
}

/** Where to go on at `now` when silence is skipped; null for nowhere else. */
export function skipTo(spans: Span[], now: number): number | null {
  const next = spans.find((span) => span.end > now);
  if (!next || next.start - now < SKIP_FROM_S) return null;
  return next.start - LEAD_S;
}

/** A time of which a recording has nothing: it was paused, or it is missing. */
export interface Silence {
  why: "paused" | "missing";
  since: number;
  until: number;
}

/** Those of a recording, in their order. */
export function silences({ pauses, gaps, seconds }: Pick<Recording, "pauses" | "gaps" | "seconds">): Silence[] {
  const paused = pauses.map(({ since, until }) => ({ why: "paused" as const, since, until: until ?? seconds }));
  const missing = gaps.map((gap) => ({ why: "missing" as const, ...gap }));
  return [...paused, ...missing].sort((a, b) => a.since - b.since);
}

/** The words being spoken at an instant, by their place: both parties may speak at once. */
export function wordsAt(words: Word[], now: number): number[] {
  const found: number[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    if (word && word.start <= now && now < Math.max(word.end, word.start + 0.08)) found.push(index);
    if (word && word.start > now + 1) break;
  }
  return found;
}
