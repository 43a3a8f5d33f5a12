import type { Customer, Linked } from "../api/client";
import { go } from "../shell/path";

/** What is another once people are put together or taken apart: first words of keys of queries. */
export const PEOPLE = ["customer", "customers", "timeline", "context", "links", "suggestions", "consents"];

/** Show what a decision made of a person, whose id may be another by it. `profile` is one that the person has kept. */
export function showDecided(answer: Linked, profile: string, besides = true): void {
  const query = new URLSearchParams(window.location.search);
  query.set("done", answer.link.id);
  if (!besides) query.delete("with");
  const home = answer.persons.find((each) => each.profiles.includes(profile))?.id ?? profile;
  go(`/customers/${home}/same?${query}`, true);
}

/** Of a person, a profile that stays when another one is taken out. */
export function another(customer: Customer, profile: string): string {
  return customer.profiles.find((each) => each !== profile) ?? customer.id;
}
