import { describe, expect, it } from "vitest";
import type { Word } from "../api/client";
import { silences, skipTo, spoken, turns, wordsAt } from "./turns";

const word = (text: string, start: number, end: number, channel = 0): Word => ({
  text,
  start,
  end,
  channel,
  confidence: 1,
});
const TALK = [
  word("xin", 1, 1.3),
  word("chào", 1.4, 1.8),
  word("vâng", 2, 2.4, 1),
  word("tôi", 7, 7.3),
  word("nghe", 7.4, 8),
];

describe("a transcript", () => {
  it("is cut where the other speaks, and at a long pause", () => {
    expect(turns(TALK).map((turn) => turn.words.map((each) => each.word.text).join(" "))).toEqual([
      "xin chào",
      "vâng",
      "tôi nghe",
    ]);
    expect(turns([word("a", 0, 1), word("b", 4, 5)])).toHaveLength(2);
    expect(turns([])).toEqual([]);
  });

  it("knows the words being spoken, of both", () => {
    expect(wordsAt(TALK, 1.5)).toEqual([1]);
    expect(wordsAt([word("a", 1, 2), word("b", 1.5, 2, 1)], 1.6)).toEqual([0, 1]);
    expect(wordsAt(TALK, 5)).toEqual([]);
  });

  it("knows of which times there is nothing, and why", () => {
    const recording = { seconds: 60, pauses: [{ since: 50, until: null }], gaps: [{ since: 12, until: 12.4 }] };
    expect(silences(recording)).toEqual([
      { why: "missing", since: 12, until: 12.4 },
      { why: "paused", since: 50, until: 60 },
    ]);
    expect(silences({ seconds: 60, pauses: [], gaps: [] })).toEqual([]);
  });

  it("skips silence, and nothing else", () => {
    const spans = spoken(TALK);
    expect(spans).toEqual([
      { start: 1, end: 2.4 },
      { start: 7, end: 8 },
    ]);
    expect(skipTo(spans, 3)).toBeCloseTo(6.7);
    expect(skipTo(spans, 6.5)).toBeNull();
    expect(skipTo(spans, 1.5)).toBeNull();
    expect(skipTo(spans, 9)).toBeNull();
  });
});
