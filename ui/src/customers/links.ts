import { useQuery } from "@tanstack/react-query";
import { api, type Link, unwrap } from "../api/client";

/** What was decided of who a person is, oldest first. */
export function useLinks(id: string) {
  return useQuery({
    queryKey: ["links", id],
    queryFn: () => unwrap(api.GET("/api/v1/customers/{customer_id}/links", { params: { path: { customer_id: id } } })),
  });
}

/** The merges that a claim made, of a number given in a chat, and that nobody has confirmed: those may be strangers. */
export function unconfirmed(links: Link[]): Link[] {
  const merges = links.filter((each) => each.kind === "merge" && each.live);
  const said = merges.filter((each) => each.source !== "claim");
  return merges.filter(
    (each) => each.source === "claim" && !said.some((other) => [other.customer, other.with].includes(each.customer)),
  );
}
