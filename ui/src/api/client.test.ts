import { expect, it } from "vitest";
import { customerNumber } from "./client";

it.each([
  ["inbound", "+84912345678", "19001234", "+84912345678"],
  ["inbound", null, "19001234", null],
  ["outbound", "+842873001234", "+84912345678", "+84912345678"],
] as const)("of an %s call from %s to %s the customer's number is %s", (direction, ani, dnis, number) => {
  expect(customerNumber({ direction, ani, dnis })).toBe(number);
});
