import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LiveEvent } from "../live/live";
import { useQualities } from "./hooks";
import { KEPT_MS, markOf, NOTHING, type Qualities } from "./quality";

let tell: (event: LiveEvent) => void = () => {};
vi.mock("../live/hooks", () => ({
  useLive: (listener: (event: LiveEvent) => void) => {
    tell = listener;
  },
}));

const told = (mos: number): LiveEvent =>
  ({ at: "", type: "call.quality", call: { id: "c1" }, side: "caller", mos }) as unknown as LiveEvent;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

it("draws once a second however much is told, and nothing when nothing is told any more", () => {
  const drawn = new Set<Qualities>();
  const { result, unmount } = renderHook(() => {
    const known = useQualities();
    drawn.add(known);
    return known;
  });
  for (const mos of [2, 3, 4.3]) act(() => tell(told(mos)));
  expect([result.current, drawn.size]).toEqual([NOTHING, 1]);
  act(() => void vi.advanceTimersByTime(1000));
  expect([markOf(result.current.get("c1")), drawn.size]).toEqual(["good", 2]);
  act(() => void vi.advanceTimersByTime(5000));
  expect(drawn.size).toBe(2);
  act(() => void vi.advanceTimersByTime(KEPT_MS));
  expect([result.current.size, drawn.size]).toEqual([0, 3]);
  unmount();
  expect(vi.getTimerCount()).toBe(0);
});
