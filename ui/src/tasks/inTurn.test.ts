import { expect, it } from "vitest";
import type { Callback } from "../api/client";
import { inTurn } from "./inTurn";

const callback = (id: string, place: number | null, since: string, state: Callback["state"] = "booked"): Callback =>
  ({ id, place, since, state }) as Callback;

it("callbacks stand in the order in which they will be made", () => {
  const found = inTurn([
    callback("rests, promised later", null, "2026-11-24T03:00:00Z"),
    callback("second", 2, "2026-11-24T02:00:00Z"),
    callback("rests", null, "2026-11-24T01:00:00Z"),
    callback("is called", null, "2026-11-24T04:00:00Z", "calling"),
    callback("first", 1, "2026-11-24T02:30:00Z"),
  ]);
  expect(found.map((each) => each.id)).toEqual(["is called", "first", "second", "rests", "rests, promised later"]);
});
