import type { Callback } from "../api/client";

/** Callbacks as they will be made: those that are being made, then by place, then those that rest, the oldest first. */
export function inTurn(callbacks: Callback[]): Callback[] {
  const rank = (each: Callback): number => (each.state === "calling" ? 0 : (each.place ?? Number.POSITIVE_INFINITY));
  return [...callbacks].sort((a, b) => {
    const [first, second] = [rank(a), rank(b)];
    return first === second ? a.since.localeCompare(b.since) : first - second;
  });
}
