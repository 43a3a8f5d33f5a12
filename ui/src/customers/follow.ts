import type { QueryClient } from "@tanstack/react-query";
import type { Customer } from "../api/client";
import type { LiveEvent } from "../live/live";

/** What is fetched of one customer: the first two words of a key are this and the customer's id. */
const OF_A_CUSTOMER = new Set(["customer", "timeline", "context", "links", "suggestions", "consents"]);

/** The profiles that an event names. An agent is told less: none are named of people put together or taken apart. */
export function named(event: LiveEvent): string[] {
  const call = (event.call ?? {}) as { customer?: string | null };
  const persons = (event.persons ?? []) as { profiles: string[] }[];
  const profiles = (event.profiles ?? []) as string[];
  const found = [event.customer, call.customer, ...persons.flatMap((each) => each.profiles), ...profiles];
  return found.filter((each): each is string => typeof each === "string");
}

/**
 * Fetch again what a live event may have changed of the customers that are shown, and of no others: events of every
 * channel come, hundreds a minute at times. Tells whether the event was about customers alone.
 */
export function followCustomers(client: QueryClient, event: LiveEvent): boolean {
  const [area] = event.type.split(".");
  const alone = area === "interaction" || area === "customer";
  if (!alone && area !== "call" && area !== "recording") return false;
  const about = named(event);
  const calls = about.length === 0 && area === "call";
  if (!calls) {
    void client.invalidateQueries({
      predicate: ({ queryKey: [kind, id] }) =>
        OF_A_CUSTOMER.has(String(kind)) && (about.length === 0 || isOneOf(client, String(id), about)),
    });
  }
  return alone;
}

/** Whether an id, or another profile of the same person, is among those. */
function isOneOf(client: QueryClient, id: string, about: string[]): boolean {
  const known = client.getQueryData<Customer>(["customer", id]);
  return [id, ...(known?.profiles ?? [])].some((profile) => about.includes(profile));
}
