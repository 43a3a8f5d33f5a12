import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import type { LiveEvent } from "../live/live";
import { followCustomers } from "./follow";

const told = (type: string, more: object = {}): LiveEvent => ({ seq: 1, at: "", type, ...more });

/** A page that shows the person "p1" (who has the profile "p2", too) and has the desk and another person at hand. */
function shown(): { client: QueryClient; old: () => string[] } {
  const client = new QueryClient();
  client.setQueryData(["customer", "p1"], { id: "p1", profiles: ["p1", "p2"] });
  client.setQueryData(["timeline", "p1", ""], []);
  client.setQueryData(["timeline", "p9", ""], []);
  client.setQueryData(["desk"], {});
  const old = (): string[] =>
    client
      .getQueryCache()
      .getAll()
      .filter((query) => query.state.isInvalidated)
      .map((query) => query.queryKey.join(" ").trim())
      .sort();
  return { client, old };
}

describe("live events about customers", () => {
  it.each([
    ["a message of the person", told("interaction.created", { customer: "p1" }), true, ["customer p1", "timeline p1"]],
    ["one of another profile", told("interaction.created", { customer: "p2" }), true, ["customer p1", "timeline p1"]],
    ["one of somebody else", told("interaction.created", { customer: "p7" }), true, []],
    ["a call of the person", told("call.ended", { call: { customer: "p1" } }), false, ["customer p1", "timeline p1"]],
    ["a call of nobody", told("call.ended", { call: { customer: null } }), false, []],
    [
      "people put together",
      told("customer.merged", { persons: [{ id: "p0", profiles: ["p0", "p2"] }] }),
      true,
      ["customer p1", "timeline p1"],
    ],
    [
      "people of whom an agent is told no more",
      told("customer.split"),
      true,
      ["customer p1", "timeline p1", "timeline p9"],
    ],
    ["an agent's state", told("agent.changed", { agent: "lan" }), false, []],
  ])("%s", (_name, event, alone, expected) => {
    const { client, old } = shown();
    expect(followCustomers(client, event)).toBe(alone);
    expect(old()).toEqual(expected);
  });
});
