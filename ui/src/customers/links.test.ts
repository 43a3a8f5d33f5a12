import { expect, it } from "vitest";
import type { Link } from "../api/client";
import { unconfirmed } from "./links";

const merge = (id: string, customer: string, other: string, source: string, live = true): Link =>
  ({ id, kind: "merge", customer, with: other, source, live }) as Link;

it("a claim is open until somebody confirms it or takes it back", () => {
  const claim = merge("claim", "guest", "lan", "claim");
  expect(unconfirmed([claim])).toEqual([claim]);
  expect(unconfirmed([claim, merge("other", "lan", "old", "page")])).toEqual([claim]);
  expect(unconfirmed([claim, merge("said", "lan", "guest", "page")])).toEqual([]);
  expect(unconfirmed([claim, merge("said", "lan", "guest", "page", false)])).toEqual([claim]);
  expect(unconfirmed([{ ...claim, live: false }])).toEqual([]);
});
